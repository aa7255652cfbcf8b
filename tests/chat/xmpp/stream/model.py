"""In-memory model of a server with stream management, whose connection can be cut at any byte.

It keeps to XEP-0198 as Prosody does: what it sent and was not acknowledged comes
again after a resumption, bearing its delay.
"""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.words.xish import domish

from tests.chat.xmpp.harness import BIND, STARTTLS, Peer, features, mechanisms, sasl
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from xbot.chat.xmpp.wire import ns

ROOM = "room@muc.example.org"
NICK = "bot"
NS = "urn:xmpp:sm:3"
USER = "http://jabber.org/protocol/muc#user"

_OFFERS = (
    features(STARTTLS),
    features(mechanisms("PLAIN")),
    features(f"{BIND}<sm xmlns='{NS}'/>"),
)


class Session:
    """One session at the server: its counter and its unacknowledged stanzas."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.handled = 0
        self.acknowledged = 0
        self.queue: deque[tuple[str, float]] = deque()
        self.rooms: set[str] = set()
        self.is_managed = False


class ModelServer:
    """The server, with one account, any number of rooms, and alice in :data:`ROOM`.

    ``said`` is all that the bot said in that room, as (stanza id, body). If it ``is_sparing``,
    the room assigns no stanza ids, and what is sent again bears no delay. If it
    ``keeps_history``, who enters the room gets as many of its last messages as they ask for.
    """

    def __init__(
        self, clock: Clock, *, is_sparing: bool = False, keeps_history: bool = True
    ) -> None:
        self.clock = clock
        self.is_sparing = is_sparing
        self.keeps_history = keeps_history
        # The stanzas of the room's messages, each without its end tag.
        self._history: list[str] = []
        self.said: list[tuple[str | None, str]] = []
        self.session: Session | None = None
        self.resumptions = 0
        self._sessions = 0
        self._peer: Peer | None = None
        self._out = b""
        self._in = b""
        self._phase = 0
        self._parser: Any = None

    # The link.

    def connect(self, peer: Peer) -> None:
        """The bot connected."""
        self._peer, self._out, self._in, self._phase = peer, b"", b"", 0
        self._new_parser()

    def cut(self) -> None:
        """The connection is gone, with all bytes that are still on their way."""
        peer, self._peer = self._peer, None
        self._out = self._in = b""
        if self.session is not None and not self.session.is_managed:
            self.session = None
        if peer is not None:
            peer.lose(ConnectionLost())

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, which the bot has not closed either."""
        return self._peer is not None and not self._peer.transport.disconnecting

    def carry(self, upward: int, downward: int) -> bool:
        """Carry so many bytes each way; tells whether there was any."""
        peer = self._peer
        if peer is None:
            return False
        self._in += peer.transport.value()
        peer.transport.clear()
        up, self._in = self._in[:upward], self._in[upward:]
        if up:
            self._parse(up)
        down, self._out = self._out[:downward], self._out[downward:]
        if down and self._peer is peer:
            peer.feed(down)
        return bool(up or down)

    # The people.

    def say(self, text: str, identity: str) -> bool:
        """Alice says something; tells whether the bot is in the room to hear it."""
        if self.session is None or ROOM not in self.session.rooms:
            return False
        by_room = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s-{identity}'/>"
        self._relay(
            f"<message type='groupchat' id='{identity}' from='{ROOM}/alice'><body>{text}</body>"
            f"{'' if self.is_sparing else by_room}"
        )
        return True

    def expire(self) -> None:
        """Forget the session: it cannot be resumed any more."""
        self.session = None

    # The protocol.

    def _new_parser(self) -> None:
        parser = DomishElementStream()
        parser.DocumentStartEvent = lambda root: self._write(_OFFERS[self._phase])
        parser.ElementEvent = self._got_element
        parser.DocumentEndEvent = lambda: None
        parser.DroppedEvent = lambda reason: None
        self._parser = parser

    def _parse(self, data: bytes) -> None:
        # The bot never writes past a restart of the stream before it is answered.
        for piece in re.split(rb"(?=<\?xml)", data):
            self._parser.parse(piece)

    def _write(self, text: str) -> None:
        self._out += text.encode()

    def _push(self, stanza: str) -> None:
        """Send a stanza, now or after the next resumption."""
        assert self.session is not None
        if self.session.is_managed:
            self.session.queue.append((stanza, self.clock.seconds()))
        if self._peer is not None:
            self._write(stanza + (f"<r xmlns='{NS}'/>" if self.session.is_managed else ""))

    def _got_element(self, element: domish.Element) -> None:
        if element.uri == ns.TLS:
            self._restart("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        elif element.uri == ns.SASL:
            self._restart(sasl("success"))
        elif element.uri == NS:
            self._got_management(element)
        else:
            if self.session is not None and self.session.is_managed:
                self.session.handled += 1
            self._got_stanza(element)

    def _restart(self, text: str) -> None:
        self._write(text)
        self._phase += 1
        self._new_parser()

    def _got_management(self, element: domish.Element) -> None:
        session = self.session
        if element.name == "resume":
            self._resume(element)
            return
        assert session is not None
        if element.name == "enable":
            self._write(f"<enabled xmlns='{NS}' id='{session.name}' resume='true'/>")
            session.is_managed = True
        elif element.name == "r":
            self._write(f"<a xmlns='{NS}' h='{session.handled}'/>")
        elif element.name == "a":
            self._acknowledge(session, int(element["h"]))

    def _acknowledge(self, session: Session, h: int) -> None:
        for _ in range(h - session.acknowledged):
            session.queue.popleft()
        session.acknowledged = h

    def _resume(self, element: domish.Element) -> None:
        session = self.session
        if session is None or session.name != element["previd"]:
            self._write(f"<failed xmlns='{NS}'/>")
            self.session = None
            return
        self.resumptions += 1
        self._acknowledge(session, int(element["h"]))
        self._write(f"<resumed xmlns='{NS}' previd='{session.name}' h='{session.handled}'/>")
        for stanza, at in session.queue:
            stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            delay = f"<delay xmlns='urn:xmpp:delay' from='example.org' stamp='{stamp}'/>"
            head, _, tail = stanza.rpartition("</")
            self._write(stanza if self.is_sparing else f"{head}{delay}</{tail}")

    def _got_stanza(self, stanza: domish.Element) -> None:
        to = stanza.getAttribute("to")
        if stanza.name == "iq":
            self._got_iq(stanza)
        elif stanza.name == "presence" and to is not None:
            wish = next(stanza.elements(ns.MUC, "x")).history
            self._enter(to.removesuffix(f"/{NICK}"), int(wish["maxstanzas"]))
        elif stanza.name == "message" and to == ROOM:
            assert self.session is not None
            if ROOM in self.session.rooms:
                self.said.append((stanza["id"], str(stanza.body)))
                self._relay(
                    f"<message type='groupchat' from='{ROOM}/{NICK}' id='{stanza['id']}'>"
                    f"<body>{stanza.body}</body>"
                )

    def _got_iq(self, iq: domish.Element) -> None:
        child = iq.firstChildElement()
        if child.uri == ns.BIND:
            self._sessions += 1
            self.session = Session(f"s{self._sessions}")
            self._write(
                f"<iq type='result' id='{iq['id']}'><bind xmlns='{ns.BIND}'>"
                "<jid>xbot@example.org/bot</jid></bind></iq>"
            )
        elif iq["type"] in ("get", "set"):
            sender = f" from='{iq['to']}'" if iq.hasAttribute("to") else ""
            self._push(f"<iq type='result' id='{iq['id']}'{sender}></iq>")

    def _relay(self, stanza: str) -> None:
        """The room sends a message, given without its end tag, and keeps it."""
        self._history.append(stanza)
        self._push(f"{stanza}</message>")

    def _enter(self, room: str, count: int) -> None:
        assert self.session is not None
        self.session.rooms.add(room)
        self._push(
            f"<presence from='{room}/{NICK}'><x xmlns='{USER}'><status code='110'/></x></presence>"
        )
        delay = f"<delay xmlns='urn:xmpp:delay' from='{room}' stamp='2023-11-14T22:13:20Z'/>"
        for stanza in self._history[-count:] if count and self.keeps_history else ():
            self._push(f"{stanza}{delay}</message>")
        self._push(f"<message type='groupchat' from='{room}'><subject/></message>")
