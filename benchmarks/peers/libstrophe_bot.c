/* A bot on libstrophe. HOST PORT JID PASSWORD MUC NICK ROOMS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>

static const char *muc, *nick;
static int rooms;
static char prefix[200];

static int got_message(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
    xmpp_ctx_t *ctx = userdata;
    const char *type = xmpp_stanza_get_type(stanza);
    const char *from = xmpp_stanza_get_from(stanza);
    const char *slash = from ? strchr(from, '/') : NULL;
    char *body, room[200], text[300];
    xmpp_stanza_t *reply;

    if (!type || strcmp(type, "groupchat") || !slash || !strcmp(slash + 1, nick))
        return 1;
    if (xmpp_stanza_get_child_by_name_and_ns(stanza, "delay", "urn:xmpp:delay"))
        return 1;
    body = xmpp_message_get_body(stanza);
    if (!body)
        return 1;
    if (!strncmp(body, prefix, strlen(prefix)) && (size_t)(slash - from) < sizeof room) {
        memcpy(room, from, slash - from);
        room[slash - from] = 0;
        snprintf(text, sizeof text, "pong %s", body + strlen(prefix));
        reply = xmpp_message_new(ctx, "groupchat", room, NULL);
        xmpp_message_set_body(reply, text);
        xmpp_send(conn, reply);
        xmpp_stanza_release(reply);
    }
    xmpp_free(ctx, body);
    return 1;
}

static int got_presence(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
    (void)conn;
    (void)userdata;
    /* What a bot looks at: whether it is the self-presence. */
    xmpp_stanza_get_child_by_name_and_ns(stanza, "x", "http://jabber.org/protocol/muc#user");
    return 1;
}

static void got_event(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
                      xmpp_stream_error_t *stream_error, void *userdata)
{
    xmpp_ctx_t *ctx = userdata;
    xmpp_stanza_t *presence, *x;
    char to[300];
    int n;

    (void)error;
    (void)stream_error;
    if (event != XMPP_CONN_CONNECT) {
        xmpp_stop(ctx);
        return;
    }
    xmpp_handler_add(conn, got_message, NULL, "message", NULL, ctx);
    xmpp_handler_add(conn, got_presence, NULL, "presence", NULL, ctx);
    presence = xmpp_presence_new(ctx);
    xmpp_send(conn, presence);
    xmpp_stanza_release(presence);
    for (n = 0; n < rooms; n++) {
        snprintf(to, sizeof to, "room%d@%s/%s", n, muc, nick);
        presence = xmpp_presence_new(ctx);
        xmpp_stanza_set_to(presence, to);
        x = xmpp_stanza_new(ctx);
        xmpp_stanza_set_name(x, "x");
        xmpp_stanza_set_ns(x, "http://jabber.org/protocol/muc");
        xmpp_stanza_add_child(presence, x);
        xmpp_stanza_release(x);
        xmpp_send(conn, presence);
        xmpp_stanza_release(presence);
    }
}

int main(int argc, char **argv)
{
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;

    if (argc < 8)
        return 2;
    muc = argv[5];
    nick = argv[6];
    rooms = atoi(argv[7]);
    snprintf(prefix, sizeof prefix, "%s: ping ", nick);
    xmpp_initialize();
    ctx = xmpp_ctx_new(NULL, xmpp_get_default_logger(XMPP_LEVEL_ERROR));
    /* Its default, a second, is no answer to 50 commands a second. */
    xmpp_ctx_set_timeout(ctx, 1000);
    conn = xmpp_conn_new(ctx);
    xmpp_conn_set_flags(conn, XMPP_CONN_FLAG_MANDATORY_TLS | XMPP_CONN_FLAG_TRUST_TLS);
    xmpp_conn_set_jid(conn, argv[3]);
    xmpp_conn_set_pass(conn, argv[4]);
    if (xmpp_connect_client(conn, argv[1], (unsigned short)atoi(argv[2]), got_event, ctx) != XMPP_EOK)
        return 1;
    xmpp_run(ctx);
    return 0;
}
