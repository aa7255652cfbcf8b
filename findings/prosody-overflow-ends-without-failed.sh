#!/bin/sh
# Guess: a session whose queue overflowed (XEP-0198) is answered by <failed h='...'/>, on a stream
#        that stays open for a new bind (section 5).
# Seen:  Prosody 0.12.3 (Debian 12) ends the connection without a byte. It queues <failed/>, but
#        takes the <resume/> for unhandled and closes a second time before that is written. The
#        next try gets <failed/> without h: the client never learns how many of its stanzas were
#        handled, and has to guess which to send again.
# To live with it: smacks_max_queue_size = 5000; look for what was sent in the room's history.
#
# Needs the program prosody, and Python. Exits with 0 while that is so, with 77 without Prosody.
set -eu
PATH=$PATH:/usr/sbin
command -v prosody >/dev/null || { echo "prosody is not installed"; exit 77; }
folder=$(mktemp -d)
server=
trap 'test -z "$server" || { kill "$server"; wait "$server" || true; }; rm -rf "$folder"' EXIT
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
mkdir -p "$folder/data/localhost/accounts"
echo 'return { ["password"] = "pw" };' >"$folder/data/localhost/accounts/bot.dat"
cat >"$folder/prosody.cfg.lua" <<LUA
daemonize = false
run_as_root = $(test "$(id -u)" = 0 && echo true || echo false)
pidfile = "$folder/prosody.pid"
data_path = "$folder/data"
log = { info = "$folder/log" }
modules_enabled = { "saslauth", "smacks", "ping" }
modules_disabled = { "s2s", "tls" }
interfaces = { "127.0.0.1" }
c2s_ports = { $port }
use_ipv6 = false
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
smacks_max_queue_size = 10
VirtualHost "localhost"
LUA
prosody -F --config "$folder/prosody.cfg.lua" >/dev/null 2>&1 &
server=$!
cat >"$folder/try.py" <<'PYTHON'
import re
import socket
import sys
import time
from base64 import b64encode

HEADER = (
    "<stream:stream to='localhost' xmlns='jabber:client' version='1.0'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
SM, SASL = "xmlns='urn:xmpp:sm:3'", "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"


class Client:
    """A connection to the server, after authentication."""

    def __init__(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.ask(HEADER, "</stream:features>")
        secret = b64encode(b"\0bot\0pw").decode()
        self.ask(f"<auth {SASL} mechanism='PLAIN'>{secret}</auth>", "<success")
        self.ask(HEADER, "</stream:features>")

    def ask(self, text, answer):
        """Write ``text``; the match of ``answer`` in what comes, None if it does not come."""
        self.socket.sendall(text.encode())
        read = ""
        try:
            while (found := re.search(answer, read)) is None:
                data = self.socket.recv(4096)
                if not data:
                    return None
                read += data.decode()
        except TimeoutError:
            return None
        return found


def log_in():
    """A client, its full JID, and the name of its session."""
    client = Client()
    bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
    jid = client.ask(bind, "<jid>(.*)</jid>")[1]
    previd = client.ask(f"<enable {SM} resume='true'/>", r"<enabled[^>]* id='([^']+)'")[1]
    return client, jid, previd


def resume(previd):
    """What a client reads first when it resumes that session."""
    answer = Client().ask(f"<resume {SM} h='0' previd='{previd}'/>", "<(resumed|failed)[^>]*>")
    if answer is None:
        return "nothing"
    return answer[1] + (" with h" if " h='" in answer[0] else " without h")


def after(count):
    """What follows two tries to resume, if so many messages came in between."""
    client, jid, previd = log_in()
    client.socket.close()
    time.sleep(0.5)
    other, _, _ = log_in()
    for _ in range(count):
        other.socket.sendall(f"<message to='{jid}' type='headline'/>".encode())
    other.ask(f"<r {SM}/>", "<a ")
    return [resume(previd), resume(previd)]


seen = {count: after(count) for count in (10, 11)}
for count, answers in seen.items():
    print(f"after {count} messages, two tries to resume get: {', '.join(answers)}")
raise SystemExit(seen != {10: ["resumed with h"] * 2, 11: ["nothing", "failed without h"]})
PYTHON
python3 "$folder/try.py" "$port"
