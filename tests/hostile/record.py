"""``python -m tests.hostile.record``: record streams of real servers, the corpus of the fuzzer.

Writes ``streams/NAME.xml``, one element a line, with the names of the tests in
memory in place of the real ones. Nothing of the SASL exchange is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

STREAMS = Path(__file__).parent / "streams"

#: Our own questions, by number, stand for their ids.
ASKED = "asked-{}"


def tap(path: str) -> None:
    """In the bot's process: log everything that it reads and writes, as JSON lines."""
    from xbot.chat.xmpp.stream.stream import Stream

    data_received, write = Stream.dataReceived, Stream.write

    def note(way: str, data: bytes) -> None:
        with Path(path).open("a") as file:
            file.write(json.dumps([way, data.decode("latin-1")]) + "\n")

    def got(stream: Stream, data: bytes) -> None:
        note("in", data)
        data_received(stream, data)

    def wrote(stream: Stream, data: bytes) -> None:
        note("out", data)
        write(stream, data)

    Stream.dataReceived, Stream.write = got, wrote  # type: ignore[method-assign]


def record(kind: Any) -> None:
    """Run a server, a bot and clients through a session, and record what the bot received."""
    from slixmpp.exceptions import IqError

    from tests.integration import daemon
    from tests.integration.person import Person

    server = kind()
    server.start()
    room = f"room-{secrets.token_hex(4)}@{server.muc}"
    path = server.folder / "tapped"
    twistd = daemon._TWISTD
    daemon._TWISTD = f"from tests.hostile.record import tap; tap({str(path)!r}); {twistd}"
    bot = daemon.Daemon(server, [room], xmpp="accept-invites = @xbot.test\nsubscriptions = accept")
    try:
        alice, bob = Person(server, "alice"), Person(server, "bob")
        alice.create(room, whois="anyone")
        alice.say(room, "xbot: ping, said before it came")
        bot.start_and_join()
        bob.join(room, "bob")
        for text in ("xbot: ping", "hello\nworld <&> \U0001f600", "xbot: help"):
            alice.say(room, text)
        alice.tell(f"xbot@{server.domain}", "ping")
        alice.tell(f"{room}/xbot", "ping")
        bob.appear(f"{room}/bobby")
        alice.subscribe(f"xbot@{server.domain}")
        alice.invite_directly(f"other-{room}", f"xbot@{server.domain}")
        alice.invite(room, f"bob@{server.domain}")
        admin = "<query xmlns='http://jabber.org/protocol/muc#admin'>{}</query>"
        alice.request(room, admin.format("<item nick='bobby' role='visitor'/>"))
        alice.request(
            room, admin.format("<item nick='bobby' role='none'><reason>go</reason></item>")
        )
        with contextlib.suppress(IqError):
            # A "set", which nobody answers.
            alice.request(f"{room}/xbot", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        since = bot.now()
        alice.request(
            room, admin.format("<item nick='xbot' role='none'><reason>go</reason></item>")
        )
        bot.await_log(f"{room}: caught up", since)
        bob.join(room, "bob")
        bob.say(room, "xbot: ping")
        bob.expect(f"{room}/xbot", "pong")
        alice.destroy(room)
        bot.await_log(f"{room}: refused")
        server.stop()
        time.sleep(1)
        lines = elements(path, room, server)
        (STREAMS / f"{server.name.lower()}.xml").write_text("\n".join(lines) + "\n")
        sys.stdout.write(f"{server.name}: {len(lines)} elements\n")
    finally:
        daemon._TWISTD = twistd
        bot.remove()
        server.remove()


def elements(path: Path, room: str, server: Any) -> list[str]:
    """The elements that the bot received, each as one line."""
    from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
    from xbot.chat.xmpp.wire import ns
    from xbot.chat.xmpp.wire.serialize import serialize

    found: list[Any] = []

    def parser(way: str) -> Any:
        stream = DomishElementStream()
        stream.DocumentStartEvent = stream.DroppedEvent = lambda _: None
        stream.DocumentEndEvent = lambda: None
        stream.ElementEvent = lambda element: found.append((way, element))
        return stream

    streams = {"in": parser("in"), "out": parser("out")}
    for line in path.read_text().splitlines():
        way, data = json.loads(line)
        for piece in re.split("(?=<[?]xml)", data):
            if piece.startswith("<?xml"):
                streams[way] = parser(way)
            streams[way].parse(piece.encode("latin-1"))
    asked = [
        e["id"]
        for way, e in found
        if way == "out" and e.name == "iq" and e["type"] in ("get", "set")
    ]
    lines = [
        serialize(element, ns.CLIENT).decode()
        for way, element in found
        if way == "in" and element.uri not in (ns.SASL, ns.TLS)
    ]
    text = "\n".join(line.replace("\n", "&#10;") for line in lines)
    for number, identity in enumerate(asked):
        text = text.replace(identity, ASKED.format(number))
    for ours, theirs in (
        (room, "room@muc.example.org"),
        (f"@{server.muc}", "@muc.example.org"),
        (server.muc, "muc.example.org"),
        (server.domain, "example.org"),
        ("muc.example.org/xbot", "muc.example.org/bot"),
    ):
        text = text.replace(ours, theirs)
    return text.splitlines()


if __name__ == "__main__":
    from tests.integration.ejabberd import Ejabberd
    from tests.integration.prosody import Prosody

    for kind in (Prosody, Ejabberd):
        if len(sys.argv) < 2 or sys.argv[1] == kind.name.lower():
            record(kind)
    sys.stdout.flush()
    # The people's threads wait for servers that are gone.
    os._exit(0)
