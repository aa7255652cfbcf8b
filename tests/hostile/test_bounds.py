"""Tests of bounds: everything that grows has a maximum, and still works when it is full."""

import gc
import io
import tracemalloc
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import BIND, features, parse, session
from tests.hostile.bot import ROOM, Bot, present, said, told
from xbot.chat.xmpp import roster as session_module
from xbot.chat.xmpp.rooms.invited_rooms import MAX_ROOMS, Invited, InvitedRooms
from xbot.chat.xmpp.security.scram import Challenge, SaltedPasswords
from xbot.chat.xmpp.stanzas import occupants
from xbot.chat.xmpp.stream import stream_management
from xbot.chat.xmpp.stream.iq import MAX_PENDING, Iq
from xbot.chat.xmpp.stream.stream import MAX_EARLY, MAX_UNREAD
from xbot.chat.xmpp.wire import elements, ns
from xbot.config.settings import MAX_RUNS, XmppSettings
from xbot.engine.dispatch.duplicates import MAX_KEYS, RecentKeys
from xbot.engine.dispatch.run_queue import MAX_WAITING
from xbot.engine.outbox import MAX_BYTES, MAX_MESSAGES, Outbox
from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter
from xbot.logs.record import Record
from xbot.logs.repeats import BURST, MAX_RECORDS, Repeats
from xbot.matching.pattern import Pattern
from xbot.model.cooldown import Cooldown
from xbot.model.errors import NotConnected
from xbot.model.jid import CACHE_SIZE, Jid, _prepare
from xbot.model.message import Message
from xbot.runtime.responder import Responder, Route
from xbot.state.journal.journal import Journal
from xbot.state.sqlite import writer

MESSAGE = Message("alice@example.org/x", "xbot@example.org", "x", {"type": "chat"})


class Stuck:
    """A fake thread whose disk does not answer."""

    def __call__(self, function, *arguments):
        return Deferred()

    def stop(self):
        """There is nothing to stop."""


class BoundTests(unittest.TestCase):
    def test_jids(self):
        """The prepared forms of so many bare JIDs are kept."""
        for number in range(2 * CACHE_SIZE):
            Jid.parse(f"a{number}@b{number}.example/{number}")
        self.assertEqual(_prepare.cache_info().currsize, CACHE_SIZE)

    def test_occupants(self):
        """So many occupants of a room are remembered, with texts of so many characters."""
        found = occupants.Occupants()
        for number in range(occupants.MAX_OCCUPANTS + 100):
            found.keep(str(number), occupants.NOBODY)
        self.assertEqual(len(found), occupants.MAX_OCCUPANTS)
        long = "x" * 10_000
        item = parse(present("a", f"jid='{long}@b'")).firstChildElement().firstChildElement()
        self.assertIsNone(occupants.make_occupant(item.getAttribute).address)

    def test_outbox(self):
        """The outbox holds so many messages, of so many bytes."""
        for text, most in ("x", MAX_MESSAGES), ("x" * 10_000, MAX_BYTES // 40_000):
            outbox = Outbox(self.refuse)
            for _ in range(MAX_MESSAGES + 10):
                outbox.put(evolve(MESSAGE, body=text))
            self.assertLessEqual(len(outbox), most)
            self.assertLessEqual(outbox._bytes, MAX_BYTES)
            self.assertEqual(outbox.counts["overflow"], MAX_MESSAGES + 10 - len(outbox))

    def refuse(self, message):
        raise NotConnected(message.recipient, "nobody is there")

    def test_unacknowledged(self):
        """So many stanzas, of so many bytes, are under way on a managed stream."""
        self.patch(stream_management, "MAX_UNACKNOWLEDGED", 300)
        bot = Bot()
        peer = bot.online(managed=True)
        for _ in range(500):
            peer.feed("<iq type='get' from='a@example.org/x' id='1'/>")
        self.assertIn("acknowledges nothing", str(peer.stream.problem))
        self.assertLessEqual(bot.adapter.managed.unacknowledged, 301)

    def test_unread(self):
        """So many bytes are written to a server that does not read."""
        bot = Bot()
        peer = bot.online()
        peer.transport.producer.pauseProducing()
        while peer.stream.problem is None:
            peer.feed(f"<iq type='get' from='a@example.org/x' id='{'x' * 3000}'/>")
        self.assertLessEqual(len(peer.transport.value()), MAX_UNREAD)

    def test_early(self):
        """So many stanzas wait for the end of the login."""
        bot = Bot()
        peer = bot.accept()
        peer.authenticate()
        peer.feed(features(BIND + "<sm xmlns='urn:xmpp:sm:3'/>"))
        peer.bind("xbot@example.org/bot")
        peer.feed("<message/>" * (2 * MAX_EARLY))
        self.assertIsNotNone(peer.stream.problem)
        self.assertLessEqual(len(peer.stream._early), MAX_EARLY + 1)

    def test_questions(self):
        """So many questions are unanswered at a time; more are refused to the asker."""
        iq = Iq(lambda: None, Clock())
        session(iq)
        asked = [
            iq.request("get", None, domish.Element(("u", "q"))) for _ in range(MAX_PENDING + 10)
        ]
        for refused in asked[MAX_PENDING:]:
            self.failureResultOf(refused, NotConnected)
        self.assertEqual(len(iq._pending), MAX_PENDING)

    def test_duplicates(self):
        """So many keys of messages are remembered, the latest ones."""
        recent = RecentKeys()
        for number in range(3 * MAX_KEYS):
            recent.add(str(number))
        self.assertEqual(len(recent._keys), MAX_KEYS)
        self.assertFalse(recent.add(str(3 * MAX_KEYS - 1)))

    def test_throttle(self):
        """A throttle knows so many keys, and lets nobody through beyond them."""
        throttle = Cooldown(Clock(), most=50)
        allowed = [throttle.allows(str(number)) for number in range(100)]
        self.assertEqual((sum(allowed), len(throttle._last)), (50, 50))

    def test_journal(self):
        """So much waits for the disk; what is asked for beyond it is refused at once."""
        journal = Journal(Path(self.mktemp()), Clock(), in_thread=Stuck())
        journal.open()
        for number in range(writer.MAX_WAITING + 5):
            answer = journal.accept(evolve(MESSAGE, key=str(number)), "go")
            answer.addErrback(lambda _: None)
        self.assertEqual(len(journal._writer._waiting), writer.MAX_WAITING)

    def test_runs(self):
        """One responder does one thing for each person at once; of one person so many wait."""
        bot = Bot()
        peer = bot.online()
        route = Route(Pattern.match("stay"), lambda message, groups: Deferred(), effect=False)
        bot.have_only(Responder("stuck", (route,)))
        for _ in range(20):
            peer.feed(told("stay"))
        self.assertEqual(bot.dispatcher.fates["busy"], 20 - 1 - MAX_WAITING // 2)
        for name in range(100):
            peer.feed(told("stay", f"{name}@example.org/x"))
        self.assertEqual(bot.dispatcher._runs._at_work["stuck"], MAX_RUNS)
        self.assertEqual(bot.dispatcher._runs._queues["stuck"]._waiting, MAX_WAITING)

    def test_contacts(self):
        """Of a roster so many contacts are known, by JIDs that are short enough."""
        self.patch(session_module, "MAX_CONTACTS", 100)
        bot = Bot()
        peer = bot.online()
        items = "".join(f"<item jid='a{n}@example.org'/>" for n in range(200))
        items += f"<item jid='{'x' * 4000}'/>"
        peer.feed(f"<iq type='set' id='1'><query xmlns='{ns.ROSTER}'>{items}</query></iq>")
        self.assertEqual(len(bot.adapter.subscriptions._contacts()), 100)

    def test_invited(self):
        """So many rooms are entered because somebody invited us."""
        rooms = InvitedRooms()
        for number in range(MAX_ROOMS + 10):
            if not rooms.is_full:
                rooms.add(Invited(Jid.parse(f"r{number}@muc.example.org"), Jid.parse("a@b"), None))
        self.assertEqual(len(list(rooms)), MAX_ROOMS)
        self.assertTrue(XmppSettings(Jid.parse("a@b")).accept_invites.includes is not None)

    def test_salted_passwords(self):
        """So many salted passwords are kept, however often the server changes its mind."""
        known = SaltedPasswords()
        for number in range(100):
            known.keep("sha1", Challenge("", "", bytes([number]), 4096), b"x")
        self.assertEqual(len(known._known), SaltedPasswords.MAX)

    def test_repeats(self):
        """So many texts of the log are watched."""
        repeats = Repeats(lambda: 1.0)
        for number in range(5 * MAX_RECORDS):
            list(repeats.over())
            repeats.admits(Record("info", "xbot", str(number)))
        self.assertLessEqual(len(repeats._seen), MAX_RECORDS + 1)


#: Stanzas; ``{}`` stands for an overlong text with a number.
LONG = (
    told("hi", more="<x xmlns='{}'/>"),
    told("hi", more="<x{}/>"),
    told("hi", more="<x xmlns='u' a{}=''/>"),
    told("hi", more="<x xmlns:p='{}' p:a=''/>"),
    told("hi", kind="{}"),
    told("ping {}"),
    said("bot: ping {}"),
    *(
        stanza.replace("<message", "<message id='{}'")
        for stanza in (
            told("ping"),
            told("deploy", "m@example.net/x"),
            told("ping", more="<delay xmlns='urn:xmpp:delay' from='example.org'/>"),
            said("hm"),
            said("bot: ping"),
        )
    ),
    said("bot: ping", more=f"<origin-id xmlns='{ns.STANZA_ID}' id='{{}}'/>"),
    said("bot: ping", more=f"<stanza-id xmlns='{ns.STANZA_ID}' by='{ROOM}' id='{{}}'/>"),
    said("", more="<subject>{}</subject>").replace("<body></body>", ""),
    *(f"<iq type='{kind}' id='{{}}' from='m@example.net'/>" for kind in ("get", "result", "x")),
    "<iq type='get' id='1' from='m@example.net'><q xmlns='{}'/></iq>",
    "<presence type='{}' from='m@example.net'/>",
    "<presence type='subscribe' from='m@example.net'><status>{}</status></presence>",
    present("{}", "role='participant'"),
    present("m", "role='{}' affiliation='{}' jid='{}'", "{}"),
    "<message type='error' from='m@example.net'><error><x xmlns='{}'/><text>{}</text></error>"
    "</message>",
    f"<message from='m@example.net'><x xmlns='{ns.CONFERENCE}' jid='a@b' reason='{{}}'"
    " password='{}'/></message>",
)


class LongTests(unittest.TestCase):
    def test_long(self):
        """Nothing of what is long in a stanza is kept, however many such stanzas come."""
        size, times = 30_000, 4
        # Sooner than otherwise, so that it takes fewer.
        self.patch(elements, "MAX_PARSER_BYTES", 50_000)
        # What was there before is not looked through sixty times.
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        for stanza in LONG:
            bot = Bot()
            peer = bot.online()

            def flood(first, bot=bot, peer=peer, stanza=stanza):
                for number in range(first, first + times):
                    peer.feed(stanza.replace("{}", f"n{number}{'x' * size}"))
                    # Not what the test itself keeps.
                    peer.transport.clear()
                    bot.taps[-1].pieces.clear()
                    bot.meant.clear()
                gc.collect()
                return tracemalloc.get_traced_memory()[0]

            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            before = flood(0)
            self.assertLess(flood(times) - before, size * times // 4, stanza)
            tracemalloc.stop()
            self.assertIsNone(peer.stream.problem)


#: Stanzas that the bot ignores, each for another reason.
BAD = (
    "<message/>",
    "<message from='@@@'><body>bot: deploy</body></message>",
    f"<message from='{'x' * 9000}@b'><body>bot: deploy</body></message>",
    told("deploy", more="<x xmlns='a b'/>"),
    told("deploy", kind="error"),
    told("deploy", more="<delay xmlns='urn:xmpp:delay'/>"),
    told("dep<b/>loy"),
    said("x", "\u202e\u2066" * 250),
    said("x" * 300_000, "y" * 1000),
    f"<message type='groupchat' from='other@muc.example.org/x'><body>{'x' * 9000}</body></message>",
    "<iq type='result' id='x'/>",
    "<iq/>",
    "<iq type='get' id='1' from='@@@'/>",
    "<presence from='@@@'/>",
    f"<presence from='{ROOM}/x' type='error'/>",
    f"<message from='m@example.net'><x xmlns='{ns.CONFERENCE}' jid='{'x' * 9000}'/></message>",
    f"<message from='{'x' * 1000}@example.net'><x xmlns='{ns.CONFERENCE}' jid='a@b'/></message>",
    "<presence type='subscribe' from='mallory@example.net'/>",
    "<x xmlns='urn:x'/>",
)


class LogVolumeTests(unittest.TestCase):
    def setUp(self):
        self.bot = Bot()
        self.peer = self.bot.online()
        self.log = {level: io.StringIO() for level in ("debug", "info")}
        for level, stream in self.log.items():
            observer = LogWriter(stream, Levels(level))
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_one_line(self):
        """A bad stanza costs one line of at most 2 KiB, and that at debug level alone."""
        for stanza in BAD:
            before = self.log["debug"].tell()
            self.peer.feed(stanza)
            lines = self.log["debug"].getvalue()[before:].splitlines()
            self.assertLessEqual(len(lines), 1, stanza[:200])
            for line in lines:
                self.assertLessEqual(len(line.encode()), 2048)

    def test_flood(self):
        """Hundreds of each are no hundreds of lines, at any level."""
        for stanza in BAD:
            before = [stream.tell() for stream in self.log.values()]
            for _ in range(300):
                self.peer.feed(stanza)
                self.peer.transport.clear()
            for start, most, stream in zip(before, (BURST + 2, 1), self.log.values(), strict=True):
                lines = stream.getvalue()[start:].splitlines()
                self.assertLessEqual(len(lines), most, stanza[:200])
