"""Schema of the ini: every section and option, declared once.

Parsing, validation, suggestions for misspelt names and the reference documentation
all derive from :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import AttrsInstance, fields_dict, frozen

from xbot.config import values
from xbot.config.settings import (
    DIRECT_PORT,
    PARSERS,
    PORT,
    BotSettings,
    ResponderSettings,
    WebhookSettings,
    XmppSettings,
)
from xbot.model.access import Access


@frozen(eq=False, repr=False)
class OptionKind:
    """Declaration of one option: name, converter, default and help.

    ``convert`` parses the option's text, or raises ValueError with the reason. ``default``
    describes, for people, what holds without the option; empty for nothing. It is derived
    from the settings class's default if the ini could contain the same value.
    """

    name: str
    convert: Callable[[str], Any]
    default: str
    help: str


@frozen(eq=False, repr=False)
class SectionKind:
    """Declaration of one kind of section. ``argument`` describes its name, empty for none."""

    name: str
    argument: str
    help: str
    options: tuple[OptionKind, ...]

    def option(self, name: str) -> OptionKind | None:
        """The declaration of the option ``name``, if there is one."""
        return next((option for option in self.options if option.name == name), None)

    @property
    def heading(self) -> str:
        """The section's heading, as in ``[room JID]``."""
        return f"[{self.name} {self.argument}]" if self.argument else f"[{self.name}]"


def _default(settings: type[AttrsInstance], name: str) -> str:
    """The default of the field ``name`` of a settings class, in the ini's syntax."""
    return values.written(fields_dict(settings)[name].default)


_PASSWORD = OptionKind(
    "password",
    values.secret,
    "",
    "The password itself; only in an ini that no other user can read.",
)

#: The bundled responders and their code, in the syntax of ``use``. Routing tries them last, in
#: this order.
BUNDLED = {
    "ping": "xbot.responders.ping:ping",
    "help": "xbot.responders.help:help",
    "whoami": "xbot.responders.whoami:whoami",
    "status": "xbot.responders.status:status",
    "rooms": "xbot.responders.rooms:Rooms",
    "jobs": "xbot.responders.jobs:Jobs",
    "remember": "xbot.responders.remember:Remember",
    "alias": "xbot.responders.alias:Alias",
    "fallback": "xbot.responders.fallback:suggest",
}

#: Bundled responders that are loaded only if the ini has a section for them, with ``allow``.
CLOSED = frozenset({"rooms", "jobs", "alias"})

#: Bundled responders that need no section.
OPEN = tuple(name for name in BUNDLED if name not in CLOSED)

KINDS = (
    SectionKind(
        "xbot",
        "",
        "The bot's name, state folder, rate limits and log.",
        (
            OptionKind(
                "name",
                values.nick,
                _default(BotSettings, "name"),
                'The name that commands begin with ("xbot: ping"); the default nick.',
            ),
            OptionKind(
                "prefix",
                values.prefix,
                "",
                'A short form of the name: with !, "!ping" means "xbot: ping".',
            ),
            OptionKind(
                "state",
                values.path,
                "$STATE_DIRECTORY, else ~/.local/state/xbot",
                "The folder of the files that must survive a restart.",
            ),
            OptionKind(
                "responders", values.path, "", "A folder of Python files, each of them a responder."
            ),
            OptionKind(
                "journal-keep",
                values.keep,
                _default(BotSettings, "journal_keep"),
                "How long entries of the journal are kept.",
            ),
            OptionKind(
                "sender-rate",
                values.rate,
                _default(BotSettings, "sender_rate"),
                "Rate limit for answers to one sender: COUNT/TIME, or off. With server = embedded"
                " the default is off.",
            ),
            OptionKind(
                "room-rate",
                values.rate,
                _default(BotSettings, "room_rate"),
                "Rate limit for answers to all senders in one room together.",
            ),
            OptionKind(
                "log-level",
                values.log_level,
                _default(BotSettings, "log_level"),
                "The minimum level to log; NAMESPACE=LEVEL for parts of xbot.",
            ),
            OptionKind(
                "log-format",
                values.log_format,
                _default(BotSettings, "log_format"),
                "text for people, json for programs.",
            ),
        ),
    ),
    SectionKind(
        "xmpp",
        "",
        "The XMPP account, and how to reach its server.",
        (
            OptionKind(
                "jid", values.account, "", "The account's JID; without a resource, /bot is added."
            ),
            _PASSWORD,
            OptionKind(
                "password-file",
                values.path,
                "$CREDENTIALS_DIRECTORY/xmpp.password",
                "The file with the password, which no other user can read.",
            ),
            OptionKind(
                "server", values.server, "", "embedded: a loopback server in the same process."
            ),
            OptionKind(
                "host",
                values.host,
                "SRV records, then the domain",
                "The server's name or address, to skip the SRV look-up.",
            ),
            OptionKind(
                "port",
                values.port,
                f"{PORT}; {DIRECT_PORT} with tls = direct",
                "The port at that host (or of the embedded server).",
            ),
            OptionKind(
                "tls",
                values.direct_tls,
                "starttls",
                "How TLS begins at that host: starttls or direct.",
            ),
            OptionKind(
                "ca-file",
                values.path,
                "the system's CAs",
                "The certificate of a private CA to trust.",
            ),
            OptionKind(
                "pin-sha256",
                values.pins,
                "",
                "Certificate pinning: SHA-256 of public keys in base64; the server must have one.",
            ),
            OptionKind(
                "certificate-file",
                values.path,
                "",
                "A client certificate for the account, to log in with.",
            ),
            OptionKind(
                "key-file",
                values.path,
                "",
                "The client certificate's private key, which no other user can read.",
            ),
            OptionKind(
                "sasl",
                values.mechanisms,
                "the best that both know",
                "The SASL mechanisms that are allowed.",
            ),
            OptionKind(
                "ping-interval",
                values.interval,
                _default(XmppSettings, "ping_interval"),
                "How often the server is pinged.",
            ),
            OptionKind(
                "ping-timeout",
                values.duration,
                _default(XmppSettings, "ping_timeout"),
                "Time-out for the server's answer.",
            ),
            OptionKind(
                "room-ping-interval",
                values.interval,
                _default(XmppSettings, "room_ping_interval"),
                "After how long without messages a self-ping checks that we are still in a room.",
            ),
            OptionKind(
                "reconnect-max",
                values.interval,
                _default(XmppSettings, "reconnect_max"),
                "The longest back-off between two connection attempts.",
            ),
            OptionKind(
                "resume-max-age",
                values.duration,
                _default(XmppSettings, "resume_max_age"),
                "Maximum age of messages that the server sends again after a resumption.",
            ),
            OptionKind(
                "parser",
                values.parser,
                PARSERS[0],
                "Deprecated, without effect: there is only one XML stream parser.",
            ),
            OptionKind(
                "accept-invites",
                values.names,
                _default(XmppSettings, "accept_invites"),
                "Who may invite the bot: NAME@DOMAIN, @DOMAIN, groups.",
            ),
            OptionKind(
                "subscriptions",
                values.subscriptions,
                _default(XmppSettings, "subscriptions"),
                "Answer to presence subscription requests: refuse, accept, roster or ask;"
                " and NAME@DOMAIN, @DOMAIN, groups that are always accepted.",
            ),
        ),
    ),
    SectionKind(
        "http",
        "",
        "HTTP server for status and webhooks; without this section nothing listens.",
        (
            OptionKind(
                "listen",
                values.listen,
                "",
                "Where to listen: 127.0.0.1:8088, or the path of a unix socket.",
            ),
            OptionKind(
                "hosts", values.hosts, "its own", "Further host names that requests may use."
            ),
        ),
    ),
    SectionKind(
        "webhook",
        "NAME",
        "A webhook: programs post to it over HTTP, and the bot sends a text to rooms.",
        (
            OptionKind("path", values.web_path, "/webhook/NAME", "The path of its URL."),
            OptionKind("room", values.rooms, "", "The room, or the rooms, that get the text."),
            OptionKind(
                "template",
                values.webhook_template,
                "",
                "alertmanager, grafana, github or gitea; a text with fields such as {alert.title};"
                " file:NAME; or responder.",
            ),
            OptionKind(
                "secret-file",
                values.path,
                "$CREDENTIALS_DIRECTORY/webhook.NAME",
                "The file with the secret that signs posts, or is sent as a bearer token.",
            ),
            OptionKind(
                "secret",
                values.no_secret,
                "",
                "none: every program on this machine may post without a secret.",
            ),
            OptionKind(
                "dedupe",
                values.dedupe,
                _default(WebhookSettings, "dedupe"),
                "For how long duplicates are dropped; no: never.",
            ),
            OptionKind(
                "dedupe-key",
                values.dotted,
                "the whole text",
                "The field that identifies duplicates.",
            ),
            OptionKind(
                "rate",
                values.rate,
                _default(WebhookSettings, "rate"),
                "Rate limit for posts: COUNT/TIME, or off.",
            ),
            OptionKind(
                "code",
                values.yes_or_no,
                _default(WebhookSettings, "code"),
                "Whether the text is sent as a code block.",
            ),
        ),
    ),
    SectionKind(
        "room",
        "JID",
        "A room to join.",
        (
            OptionKind("nick", values.nick, "[xbot] name", "The bot's nick in the room."),
            _PASSWORD,
            OptionKind("password-file", values.path, "", "The file with the room's password."),
            OptionKind("responders", values.names, "all of them", "Which responders answer there."),
        ),
    ),
    SectionKind(
        "responder",
        "NAME",
        "When to answer, and with what: exactly one of reply, run and use.",
        (
            OptionKind(
                "match",
                values.pattern,
                "",
                "A regular expression that matches the whole text of a command to the bot.",
            ),
            OptionKind("hear", values.pattern, "", "A regular expression to find in any message."),
            OptionKind(
                "usage", values.one_line, "made from match", "The command's syntax, for people."
            ),
            OptionKind("help", values.one_line, "", "What it does, in one line."),
            OptionKind("reply", values.template, "", "The answer; may have fields such as {nick}."),
            OptionKind(
                "run", values.command, "", "A program and its arguments; its output is the answer."
            ),
            OptionKind(
                "use",
                values.python_object,
                "",
                "A Python responder: module:object, module or entry-point:NAME.",
            ),
            OptionKind(
                "enabled",
                values.yes_or_no,
                _default(ResponderSettings, "enabled"),
                "With no, the responder is not loaded.",
            ),
            OptionKind(
                "timeout",
                values.duration,
                _default(ResponderSettings, "timeout"),
                "Time limit for one run.",
            ),
            OptionKind(
                "effect",
                values.yes_or_no,
                "no for reply, yes for run, the code's for use",
                "Whether running it twice does harm: if so, it waits for the journal.",
            ),
            OptionKind(
                "allow",
                values.names,
                "everyone",
                "Who may use it: NAME@DOMAIN, @DOMAIN, groups, room-owners, room-admins,"
                " room-members.",
            ),
            OptionKind(
                "deny",
                values.names,
                "nobody",
                "Who may not use it; it takes precedence over allow.",
            ),
            OptionKind("rooms", values.rooms, "all of them", "The only rooms in which it answers."),
            OptionKind(
                "direct",
                values.yes_or_no,
                _default(Access, "direct"),
                "Whether it answers private messages.",
            ),
            OptionKind(
                "confirm",
                values.yes_or_no,
                _default(ResponderSettings, "confirm"),
                "Whether the sender has to confirm a command before it runs.",
            ),
            OptionKind(
                "approve",
                values.approvals,
                _default(ResponderSettings, "approve"),
                "How many other people have to approve a command before it runs.",
            ),
            OptionKind(
                "rate",
                values.rate,
                _default(ResponderSettings, "rate"),
                "Rate limit for its answers: COUNT/TIME.",
            ),
            OptionKind(
                "runs",
                values.runs,
                _default(ResponderSettings, "runs"),
                "Maximum number of runs at the same time; up to 32 more wait.",
            ),
            OptionKind(
                "output",
                values.output,
                _default(ResponderSettings, "output"),
                "Maximum length of one run's answers, in characters.",
            ),
        ),
    ),
    SectionKind(
        "group",
        "NAME",
        "A named list of people.",
        (OptionKind("members", values.people, "", "Who belongs to it: NAME@DOMAIN, @DOMAIN."),),
    ),
)
