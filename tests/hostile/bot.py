"""Test harness: a whole bot in memory with a wire tap, and the base class of catalogue tests."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import (
    BIND,
    END,
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    Peer,
    features,
    in_thread,
    lowest,
    parse_all,
    shape,
)
from tests.hostile.catalogue import CATALOGUE
from tests.matching.threads import FakeThreads
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.stream.connection import State
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import ROOM_RATE, SENDER_RATE, RoomSettings, Secret, XmppSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.limits import Limits
from xbot.engine.outbox import Outbox
from xbot.matching.guarded_search import GuardedSearch
from xbot.matching.pattern import Pattern
from xbot.model.access import Access, AccessList
from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People
from xbot.runtime.answers import collect
from xbot.runtime.responder import Responder, Route
from xbot.state.interfaces import IJournal
from xbot.testing.journal import MemoryJournal

ROOM = "room@muc.example.org"
NICK = "bot"
NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
STAMP = "2023-11-14T22:13:10Z"
SM = "<sm xmlns='urn:xmpp:sm:3'/>"

#: Counters of the bot that do not mean that something was dropped.
_WELCOME = {"dispatched", "answered", "silent", "accepted", "delivered", "denied"}


def said(text: str, nick: str = "alice", more: str = "", kind: str = "groupchat") -> str:
    """A groupchat message from the room."""
    return f"<message type='{kind}' from='{ROOM}/{nick}'><body>{text}</body>{more}</message>"


def told(text: str, sender: str = "alice@example.org/x", more: str = "", kind: str = "chat") -> str:
    """A direct message to the bot."""
    return f"<message type='{kind}' from='{sender}'><body>{text}</body>{more}</message>"


def present(nick: str, item: str = "", codes: str = "", kind: str = "") -> str:
    """An occupant's presence; ``item`` is the attributes of its MUC item."""
    items = f"<item {item}/>" if item else ""
    status = "".join(f"<status code='{code}'/>" for code in codes.split())
    written = f" type='{kind}'" if kind else ""
    x = f"<x xmlns='{ns.MUC_USER}'>{items}{status}</x>"
    return f"<presence from='{ROOM}/{nick}'{written}>{x}</presence>"


def respond(
    name: str, pattern: str, function: Any, *, effect: bool = False, **more: Any
) -> Responder:
    """Make a responder; ``function`` takes the message and returns the answer."""

    def call(message: Any, groups: Any) -> Any:
        return succeed(collect(function(message)))

    return Responder(name, (Route(Pattern.match(pattern), call, effect=effect),), **more)


class Tap:
    """Records everything that the bot wrote on one connection, and whether TLS was on."""

    def __init__(self, peer: Peer) -> None:
        self.pieces = [(False, peer.transport.value())]
        self.stanzas = 0
        write = peer.transport.write

        def tapped(data: bytes) -> None:
            self.pieces.append((peer.transport.tls is not None, data))
            write(data)

        peer.transport.write = tapped

    def text(self, *, encrypted: bool) -> str:
        """Everything written without TLS, or over TLS."""
        return b"".join(
            data for is_encrypted, data in self.pieces if is_encrypted == encrypted
        ).decode()


class Bot:
    """An XMPP adapter, a dispatcher, an outbox and a journal, assembled as the service does.

    ``deploy`` has side effects and is for alice@example.org only; ``ping`` is for
    everyone. ``runs`` are the texts of the deployments. A sociable bot accepts
    invitations and presence subscriptions. With ``is_limited`` the default rate
    limits of the ini apply.
    """

    def __init__(
        self,
        *,
        journal: IJournal | None = None,
        responders: tuple[Responder, ...] = (),
        wall_clock: Any = None,
        settings: XmppSettings | None = None,
        is_limited: bool = False,
        rooms: tuple[str, ...] = (ROOM,),
        may_stand_still: bool = False,
        **account: Any,
    ) -> None:
        self.is_sociable = settings is not None and settings.accept_invites != NOBODY
        self.subscriptions = "either" if self.is_sociable else "unsubscribed"
        self.clock = Clock()
        self.clock.advance(NOW)
        self.endpoint = FakeEndpoint(self.clock)
        self.threads = FakeThreads()
        self.taps: list[Tap] = []
        self.runs: list[str] = []
        self.meant: dict[str, tuple[str, str]] = {}
        self.gave_up: list[Any] = []
        self.journal = MemoryJournal() if journal is None else journal
        self.outbox = Outbox(self._send)
        self.adapter = XmppAdapter(
            settings or XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS, **account),
            self.endpoint,
            tuple(RoomSettings(Jid.parse(room), NICK) for room in rooms),
            lambda message: self.dispatcher.got_message(message),
            self.outbox,
            self.gave_up.append,
            clock=self.clock,
            wall_clock=wall_clock or self.clock.seconds,
            elapsed=self.clock.seconds if may_stand_still else None,
            uniform=lowest,
            in_thread=in_thread,
        )
        self.limits = Limits(SENDER_RATE, ROOM_RATE, self.clock.seconds) if is_limited else None
        self.dispatcher = self._dispatcher(
            (
                respond(
                    "deploy",
                    "deploy( .*)?",
                    self._deploy,
                    effect=True,
                    access=Access(allow=AccessList(People.parse(["alice@example.org"]))),
                ),
                respond("ping", "ping", lambda message: "pong"),
                *responders,
            )
        )
        self.adapter.start()

    def _dispatcher(self, responders: tuple[Responder, ...]) -> Dispatcher:
        return Dispatcher(
            responders,
            self.outbox.put,
            self.clock,
            name="bot",
            prefix="",
            nick_in=self.adapter.nick_in,
            rooms={},
            journal=self.journal,
            worker=GuardedSearch(self.clock, self.threads),
            limits=self.limits,
        )

    def have_only(self, *responders: Responder) -> None:
        """Replace the responders."""
        self.dispatcher.change(responders, name="bot", prefix="", rooms={})

    def _send(self, message: Any) -> None:
        self.meant[message.payload["id"]] = (message.recipient, message.body)
        self.adapter.send(message)

    def _deploy(self, message: Any) -> str:
        self.runs.append(message.body)
        return "deployed"

    # The server's part.

    @property
    def state(self) -> State:
        """The state of the connection."""
        return self.adapter.connection.status.state

    def accept(self) -> Peer:
        """Accept the latest connection attempt, and tap it."""
        peer = self.endpoint.accept()
        self.taps.append(Tap(peer))
        return peer

    def await_try(self) -> Peer:
        """Advance the clock until the bot reconnects, and accept it."""
        for _ in range(1000):
            if not self.endpoint.attempts[-1].called:
                return self.accept()
            self.clock.advance(1)
        raise AssertionError(f"no other try: {self.adapter.connection.status}")

    def log_in(self, peer: Peer, *, managed: bool = False) -> None:
        """Let the bot log in, with an empty roster."""
        peer.authenticate()
        peer.feed(features(BIND + (SM if managed else "")))
        peer.bind(str(JID))
        if managed:
            peer.feed("<enabled xmlns='urn:xmpp:sm:3' id='s1' resume='true'/>")
        (roster,) = [stanza for stanza in peer.stanzas() if stanza.name == "iq"]
        peer.feed(f"<iq type='result' id='{roster['id']}'/>")

    def enter(self, peer: Peer) -> None:
        """Let the bot join the room, with alice in it, a member with a visible JID."""
        peer.feed(
            present("alice", "role='participant' affiliation='member' jid='alice@example.org/x'")
            + present(NICK, "role='participant' affiliation='none'", "110")
            + f"<message type='groupchat' from='{ROOM}'><subject/></message>"
        )
        peer.sent()

    def online(self, *, managed: bool = False) -> Peer:
        """A peer of a bot that is logged in and in the room, with nothing unread."""
        peer = self.await_try()
        self.log_in(peer, managed=managed)
        self.enter(peer)
        return peer

    def clear_denials(self) -> None:
        """Reset the cooldown of denials, as after a minute."""
        self.dispatcher._denials._last.clear()

    # What it did.

    @property
    def counted(self) -> int:
        """The sum of all counters of dropped things."""
        adapter = self.adapter
        stream = adapter.connection.stream
        counters = (
            adapter.dropped,
            adapter.iq.dropped,
            adapter.invitations.counts,
            adapter.subscriptions.counts,
            self.dispatcher.fates,
        )
        counts = (n for counter in counters for what, n in counter.items() if what not in _WELCOME)
        by_stream = stream.dropped if stream is not None else 0
        return sum(counts) + by_stream + adapter.rooms.dropped

    def wire_problems(self) -> list[str]:
        """The mistakes in its output on all connections; must be empty."""
        return [problem for tap in self.taps for problem in self._problems(tap)]

    def _problems(self, tap: Tap) -> list[str]:
        problems = []
        clear = tap.text(encrypted=False)
        if not re.fullmatch(
            r"<\?xml[^>]*><stream:stream [^>]*>(<starttls [^>]*/>)?(</stream:stream>)?", clear
        ):
            problems.append(f"in the clear: {clear}")
        if any(secret in clear for secret in (*secrets(), JID.local or "")):
            problems.append(f"a secret in the clear: {clear}")
        stream = ""
        for stream in re.split(r"(?=<\?xml)", tap.text(encrypted=True)):
            if not stream:
                continue
            content = stream.partition("?>")[2].partition(">")[2].removesuffix(END)
            # The parser is strict; what is left over is no whole stanza.
            found = parse_all(content)
            for element in found:
                if element.uri == ns.SASL:
                    continue
                tap.stanzas += 1
                if not self._is_meant(element):
                    problems.append(f"unintended: {element.toXml()[:500]}")
                if any(secret in element.toXml() for secret in secrets()):
                    problems.append(f"a secret: {element.toXml()}")
        return problems

    def _is_meant(self, element: domish.Element) -> bool:
        """Whether the element is an answer, or one that the bot sends on its own."""
        got = shape(element)
        attributes = dict(element.attributes)
        if element.uri == "urn:xmpp:sm:3":
            return element.name in ("enable", "resume", "r", "a") and not element.children
        if element.name == "message":
            identity = attributes.get("id")
            if identity not in self.meant:
                return False
            to, body = self.meant[identity]
            kind = {"id": identity, "to": to, "type": attributes["type"]}
            # What XML forbids was replaced; everything else is as it was meant.
            return (
                got[:3] == (ns.CLIENT, "message", kind)
                and len(element.children) == 1
                and (len(str(element.body)) == len(body))
            )
        if element.name == "presence":
            to = attributes.pop("to", "")
            inner = [(child.uri, child.name) for child in element.elements()]
            kind = attributes.get("type")
            if set(attributes) - {"type"} or inner not in ([], [(ns.MUC, "x")]):
                return False
            if kind in ("subscribed", "unsubscribed"):
                return inner == [] and self.subscriptions in (kind, "either")
            is_ours = to.startswith(f"{ROOM}/") or (self.is_sociable and "/" in to)
            return kind in (None, "unavailable") and (to == "" or is_ours)
        kind, identity = attributes.pop("type"), attributes.pop("id", None)
        inner = [(child.uri, child.name) for child in element.elements()]
        if kind == "error":
            error = element.firstChildElement()
            only = [child.uri for child in error.elements()]
            return (
                set(attributes) <= {"to"}
                and inner == [(ns.CLIENT, "error")]
                and only == [ns.STANZA_ERRORS]
            )
        if kind == "result":
            return set(attributes) <= {"to"} and inner in (
                [],
                [(ns.DISCO_INFO, "query")],
                [(ns.VERSION, "query")],
            )
        return identity is not None and inner in (
            [(ns.ROSTER, "query")],
            [(ns.BIND, "bind")],
            [(ns.PING, "ping")],
            [("urn:ietf:params:xml:ns:xmpp-session", "session")],
            [("http://jabber.org/protocol/muc#owner", "query")],
            [(ns.DISCO_INFO, "query")],
        )


def secrets() -> list[str]:
    """The password, in plain text and in every encoding in which it could leak."""
    plain = f"\0{JID.local}\0{PASSWORD}".encode()
    return [
        PASSWORD,
        PASSWORD[::-1],
        PASSWORD.encode().hex(),
        b64encode(PASSWORD.encode()).decode().rstrip("="),
        b64encode(plain).decode().rstrip("="),
    ]


class HostileCase(unittest.TestCase):
    """Base of the tests named after catalogue rows: ``test_N01`` tests row N01.

    Each test asserts its outcome with one of ``closes``, ``drops``, ``errs``,
    ``exits``, ``refuses`` or ``goes_on``. At the end the output of every bot is
    checked: it must not contain anything unintended.
    """

    def setUp(self) -> None:
        self.outcomes: set[str] = set()
        self.bots: list[Bot] = []
        self.addCleanup(self._check_row)

    def _check_row(self) -> None:
        row = CATALOGUE[self._testMethodName.removeprefix("test_")]
        self.assertTrue(self.outcomes, "it did not say what it saw")
        self.assertLessEqual(self.outcomes, set(row.outcomes), row)
        for bot in self.bots:
            self.assertEqual(bot.wire_problems(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def bot(self, **more: Any) -> Bot:
        """Make a bot that connects."""
        bot = Bot(**more)
        self.bots.append(bot)
        return bot

    # What was seen.

    def closes(self, bot: Bot, peer: Peer, reason: str = "", *, credentials: bool = True) -> None:
        """Assert: the stream was closed for ``reason``, nothing ran, and the reconnect waits."""
        self.outcomes.add("C")
        self.assertIsNotNone(peer.stream.problem, "the stream goes on")
        self.assertIn(reason, str(peer.stream.problem))
        self.assertTrue(peer.transport.disconnecting)
        self.assertEqual(bot.runs, [])
        if not credentials:
            written = bot.taps[-1].text(encrypted=True)
            for trace in ("<auth", "<response", *secrets()):
                self.assertNotIn(trace, written)
        tries = len(bot.endpoint.attempts)
        peer.lose()
        self.assertIs(bot.state, State.WAITING)
        self.assertEqual(len(bot.endpoint.attempts), tries)
        self.assertGreaterEqual(bot.adapter.connection.status.next_try, bot.clock.seconds())

    def drops(self, bot: Bot, peer: Peer, xml: str, times: int = 1) -> None:
        """Assert: ``xml`` is dropped and counted, and the next command still runs."""
        self.outcomes.add("D")
        before, runs = bot.counted, len(bot.runs)
        peer.feed(xml)
        self.assertEqual(peer.sent(), "", xml[:300])
        self.assertEqual(len(bot.runs), runs, xml[:300])
        self.assertGreaterEqual(bot.counted - before, times, xml[:300])
        self.is_well(bot, peer)

    def errs(self, bot: Bot, peer: Peer, xml: str) -> None:
        """Assert: the only answer to ``xml`` is a minimal error."""
        self.outcomes.add("E")
        runs = len(bot.runs)
        peer.feed(xml)
        answer = peer.stanza()
        self.assertEqual(answer["type"], "error")
        error = answer.firstChildElement()
        self.assertEqual((len(answer.children), len(error.children)), (1, 1))
        self.assertEqual(error.children[0].children, [])
        self.assertEqual(len(bot.runs), runs)
        self.is_well(bot, peer)

    def refuses(self, bot: Bot, peer: Peer, xml: str) -> None:
        """Assert: the command in ``xml`` does not run, with a reply and a journal entry."""
        self.outcomes.add("K")
        bot.clear_denials()
        runs, denied, entries = (
            len(bot.runs),
            bot.dispatcher.fates["denied"],
            len(bot.journal.entries),
        )
        peer.feed(xml)
        self.assertEqual(len(bot.runs), runs, xml)
        self.assertEqual(bot.dispatcher.fates["denied"], denied + 1, xml)
        (answer,) = peer.stanzas()
        self.assertIn("not for", str(answer.body))
        *_, noted = bot.journal.entries.values()
        self.assertEqual((len(bot.journal.entries), noted.outcome), (entries + 1, "denied"))
        self.is_well(bot, peer)

    def goes_on(self, bot: Bot, peer: Peer) -> None:
        """Assert: the bot goes on working."""
        self.outcomes.add("O")
        self.is_well(bot, peer)

    def exits(self, bot: Bot) -> None:
        """Assert: the bot gives up, once, and does not reconnect."""
        self.outcomes.add("X")
        self.assertEqual(len(bot.gave_up), 1)
        self.assertIs(bot.state, State.FAILED)
        self.assertEqual(bot.clock.getDelayedCalls(), [])

    def is_well(self, bot: Bot, peer: Peer) -> None:
        """Assert: a command of alice runs once, and is answered."""
        peer.sent()
        before = len(bot.runs)
        peer.feed(told("deploy"))
        self.assertEqual(len(bot.runs), before + 1, "the bot is deaf")
        answers = [s for s in peer.stanzas() if s.name == "message"]
        self.assertEqual([str(answer.body) for answer in answers], ["deployed"])
        # On a managed stream, so that nothing piles up.
        managed = bot.adapter.managed
        if managed.is_active:
            h = managed._session.outbound._acknowledged + managed.unacknowledged
            peer.feed(f"<a xmlns='urn:xmpp:sm:3' h='{h}'/>")
            peer.sent()
