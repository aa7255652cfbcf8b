#!/bin/sh
# Guess: limits = { c2s = { rate = "10kb/s"; burst = "60s" } } lets a client that was quiet send
#        600 kB at once, before it is held back; without burst that is 20 kB (2 s, its default).
# Seen:  Prosody 0.12.3 (Debian 12) with its epoll loop, which is the default: burst does nothing.
#        mod_limits hands the rate to the connection, which pauses after each read (8 kB at most)
#        for as long as those bytes take at the rate, whatever came before: 20 kB after 3 s of
#        silence take more than a second. (mod_limits.lua: "Currently no burst support".)
# To live with it: count on the rate alone; what is urgent must not stand behind much else.
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
modules_enabled = { "saslauth", "ping", "limits" }
modules_disabled = { "s2s", "tls" }
interfaces = { "127.0.0.1" }
c2s_ports = { $port }
use_ipv6 = false
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
limits = { c2s = { rate = "10kb/s"; burst = "60s" } }
VirtualHost "localhost"
LUA
prosody -F --config "$folder/prosody.cfg.lua" >/dev/null 2>&1 &
server=$!
cat >"$folder/try.py" <<'PYTHON'
import socket
import sys
import time
from base64 import b64encode

HEADER = (
    "<stream:stream to='localhost' xmlns='jabber:client' version='1.0'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)


def connect():
    """A connection to the server, as soon as it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


client = connect()


def ask(text, answer):
    """Write ``text``; the seconds until ``answer`` comes."""
    began, read = time.monotonic(), ""
    client.sendall(text.encode())
    while answer not in read:
        data = client.recv(4096)
        if not data:
            raise SystemExit(f"the server closed the connection after {read!r}")
        read += data.decode()
    return time.monotonic() - began


def pings(size):
    """Pings of so many bytes in all, after a silence; the seconds until the last answer."""
    time.sleep(3)
    ping = "<iq type='get' id='{}'><ping xmlns='urn:xmpp:ping'/></iq>"
    first = ping.format("n") * (size // len(ping.format("n")))
    return ask(first + ping.format("last"), "last")


ask(HEADER, "</stream:features>")
secret = b64encode(b"\0bot\0pw").decode()
sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
ask(f"<auth xmlns='{sasl}' mechanism='PLAIN'>{secret}</auth>", "<success")
ask(HEADER, "</stream:features>")
ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "<jid>")
few, many = pings(200), pings(20_000)
print(f"after 3 s of silence: 200 bytes take {few:.2f} s, 20,000 bytes {many:.2f} s")
raise SystemExit(not few < 0.5 < 1 < many)
PYTHON
python3 "$folder/try.py" "$port"
