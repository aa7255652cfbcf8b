"""Tests of freshness: messages sent during a standstill or a stuck connection are stale."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    BIND,
    JID,
    PASSWORD,
    PROPERTY,
    TLS_OPTIONS,
    FakeEndpoint,
    Receipts,
    features,
    in_thread,
    lowest,
)
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.stream.freshness import AWAY, STUCK, Freshness
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import PingTimeout
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.model.jid import Jid
from xbot.model.people import People
from xbot.process.suspend_detection import BEAT, LIMIT

ROOM = "room@muc.example.org"
SUBJECT = f"<message type='groupchat' from='{ROOM}'><subject/></message>"
SM = "<sm xmlns='urn:xmpp:sm:3'/>"


def presence(nick, content):
    """Somebody is in the room."""
    return f"<presence from='{ROOM}/{nick}'><x xmlns='{ns.MUC_USER}'>{content}</x></presence>"


ENTERED = (
    presence("alice", "<item role='participant' jid='alice@example.org/pda'/>")
    + presence("bot", "<status code='110'/>")
    + SUBJECT
)


def in_public(text):
    """Alice says something in the room: as plain as can be, and past the parser."""
    return (
        f"<message type='groupchat' id='{text}' from='{ROOM}/alice'><body>{text}</body></message>"
    )


def in_private(text):
    """The same through the room to the bot alone."""
    return in_public(text).replace("groupchat", "chat")


def directly(text):
    """The same to the bot alone."""
    return in_private(text).replace(f"{ROOM}/alice", "alice@example.org/pda")


def elsewise(text):
    """The same in the room, in a form that goes to the parser, and makes an element."""
    return in_public(text).replace("<body>", "<p:x xmlns:p='urn:p'/><active xmlns='urn:x'/><body>")


class Sleeper:
    """A bot whose process can be suspended: time passes without reactor turns."""

    def __init__(self, *, sleeps=False, **settings):
        # When the machine sleeps, the reactor's clock may not tell.
        self.sleeps = sleeps
        self.clock, self.now = Clock(), 5000.0
        self.endpoint = FakeEndpoint(self.clock)
        self.heard, self.receipts = [], Receipts()
        self.ignored = []
        self.adapter = XmppAdapter(
            XmppSettings(JID, **settings),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse(ROOM), "bot"),),
            self.heard.append,
            self.receipts,
            lambda problem: None,
            clock=self.clock,
            wall_clock=self.clock.seconds,
            uniform=lowest,
            in_thread=in_thread,
            ignores=self.ignores,
            elapsed=lambda: self.now,
        )
        self.adapter.start()
        self.peer = self.endpoint.accept()

    def ignores(self, body, room, nick, *, delayed, echo):
        if delayed:
            self.ignored.append(body)
        return delayed

    def enter(self):
        self.peer.log_in()
        self.peer.feed(ENTERED)
        self.peer.sent()
        return self

    def turn(self, seconds):
        """The reactor turns for so long, and nothing comes."""
        end = self.now + seconds
        while self.now < end:
            step = min(1.0, end - self.now)
            self.now += step
            self.clock.advance(step)

    def stop(self, seconds):
        """SIGSTOP for so long, then SIGCONT; no timer has rung yet."""
        self.now += seconds
        if not self.sleeps:
            self.clock.rightNow += seconds

    def pings(self):
        """The ids of the pings that left since the last call."""
        return [
            stanza["id"]
            for stanza in self.peer.stanzas()
            if stanza.name == "iq"
            and stanza.getAttribute("to") == "example.org"
            and stanza.firstChildElement().uri == ns.PING
        ]

    def fates(self):
        """What was said, with a word about when, since the last call."""
        fates = [
            (message.body, "missed" if message.missed else "past" if message.delayed else "live")
            for message in self.heard
        ]
        self.heard.clear()
        return fates


def pong(id):
    """The server's answer to a ping."""
    return f"<iq type='result' id='{id}' from='example.org'/>"


class FreshnessTests(unittest.TestCase):
    def test_what_waited_in_the_buffer(self):
        """What is read first after a stop is missed, up to the answer to a ping sent after it."""
        for sleeps in False, True:
            for say in in_public, elsewise, in_private, directly:
                for rings in "data first", "timers first":
                    bot = Sleeper(sleeps=sleeps).enter()
                    bot.peer.feed(say("before"))
                    bot.turn(3)
                    bot.stop(300)
                    if rings == "timers first":
                        bot.clock.advance(BEAT)
                    bot.peer.feed(say("deploy") + say("then"))
                    (ping,) = bot.pings()
                    bot.peer.feed(say("still") + pong(ping) + say("live"))
                    self.assertEqual(
                        bot.fates(),
                        [
                            ("before", "live"), ("deploy", "missed"), ("then", "missed"),
                            ("still", "missed"), ("live", "live"),
                        ],
                        (say, rings),
                    )  # fmt: skip
                    self.assertEqual((bot.ignored, bot.pings()), ([], []))
                    self.assertIsNone(bot.peer.stream.problem)
                    self.assertEqual(bot.adapter.freshness.counts, {AWAY: 1})

    def test_a_short_stop(self):
        """What is no longer than a moment is no stop."""
        bot = Sleeper().enter()
        bot.turn(3)
        bot.stop(LIMIT - BEAT)
        bot.peer.feed(in_public("deploy"))
        self.assertEqual((bot.fates(), bot.pings()), ([("deploy", "live")], []))

    def test_past_for_other_reasons(self):
        """What is history is not told as missed: nobody waits for it."""
        bot = Sleeper().enter()
        bot.stop(60)
        delay = "<delay xmlns='urn:xmpp:delay' from='{}'/></message>"
        history = in_public("history").replace("</message>", delay.format(ROOM))
        offline = directly("offline").replace("</message>", delay.format("example.org"))
        forged = directly("forged").replace("</message>", delay.format("example.net"))
        bot.peer.feed(history + offline + forged)
        self.assertEqual(
            bot.fates(), [("history", "past"), ("offline", "missed"), ("forged", "past")]
        )

    def test_a_late_answer(self):
        """A ping whose answer took too long itself proves nothing: another one is sent."""
        bot = Sleeper(ping_timeout=60.0).enter()
        bot.stop(60)
        bot.peer.feed(in_public("a"))
        (ping,) = bot.pings()
        bot.turn(LIMIT + 1)
        self.assertEqual(bot.pings(), [])
        bot.peer.feed(pong(ping) + in_public("b"))
        (ping,) = bot.pings()
        bot.peer.feed(in_public("c") + pong(ping) + in_public("d"))
        self.assertEqual(
            bot.fates(), [("a", "missed"), ("b", "missed"), ("c", "missed"), ("d", "live")]
        )

    def test_a_stop_behind_a_stop(self):
        """The answer to a ping of before the last stop proves nothing."""
        bot = Sleeper(ping_timeout=60.0).enter()
        bot.stop(60)
        bot.peer.feed(in_public("a"))
        (first,) = bot.pings()
        bot.stop(60)
        bot.peer.feed(pong(first) + in_public("b"))
        (second,) = bot.pings()
        bot.peer.feed(pong(second) + in_public("c"))
        self.assertEqual(bot.fates(), [("a", "missed"), ("b", "missed"), ("c", "live")])

    def test_a_stuck_link(self):
        """While a ping is unanswered for too long, and until one is in time, all is past."""
        bot = Sleeper(ping_interval=30.0, ping_timeout=200.0).enter()
        bot.turn(30)
        (first,) = bot.pings()
        bot.turn(LIMIT - 1)
        bot.peer.feed(in_public("a"))
        bot.turn(15)
        bot.peer.feed(in_public("b") + pong(first) + in_public("c"))
        (second,) = bot.pings()
        bot.turn(1)
        bot.peer.feed(in_public("d") + pong(second) + in_public("e"))
        self.assertEqual(
            bot.fates(),
            [("a", "live"), ("b", "missed"), ("c", "missed"), ("d", "missed"), ("e", "live")],
        )
        self.assertEqual(bot.adapter.freshness.counts, {STUCK: 1})
        self.assertEqual(bot.pings(), [])
        bot.turn(10)
        bot.peer.feed(in_public("f"))
        self.assertEqual(bot.fates(), [("f", "live")])

    def test_a_healthy_link_is_kept(self):
        """A ping under way during a stop cuts no link: its answer may wait to be read."""
        for seconds in 5, 60:
            bot = Sleeper(ping_interval=30.0, ping_timeout=3.0).enter()
            bot.turn(30)
            (ping,) = bot.pings()
            bot.stop(seconds)
            # Its timer rings before anything is read.
            bot.clock.advance(0)
            self.assertGreater(bot.adapter.ping.deadline, bot.clock.seconds() + 3.0)
            bot.peer.feed(pong(ping) + in_public("a"))
            (again,) = bot.pings()
            bot.peer.feed(pong(again))
            bot.turn(10)
            self.assertIsNone(bot.peer.stream.problem)

    def test_a_dead_link_is_noticed(self):
        """A link that died during a stop is cut as soon as a ping sent after it has its time."""
        for sleeps in False, True:
            for interval in 30.0, 3600.0:
                bot = Sleeper(sleeps=sleeps, ping_interval=interval, ping_timeout=10.0).enter()
                bot.turn(31)
                bot.stop(300)
                bot.turn(BEAT)
                self.assertIsNone(bot.peer.stream.problem)
                self.assertGreater(bot.adapter.ping.deadline, bot.clock.seconds())
                bot.turn(10)
                self.assertIsInstance(bot.peer.stream.problem, PingTimeout)
                bot.peer.lose()

    def test_during_the_login(self):
        """A process that stood still while it logged in asks as soon as it can."""
        bot = Sleeper()
        bot.peer.authenticate()
        bot.stop(60)
        bot.peer.feed(features(BIND))
        bot.peer.bind("xbot@example.org/bot")
        (ping,) = bot.pings()
        bot.peer.feed(directly("a") + pong(ping) + directly("b"))
        self.assertEqual(bot.fates(), [("a", "missed"), ("b", "live")])

    def test_while_a_room_is_joined(self):
        """The end of a room's history is not taken to be missing because nobody read it."""
        bot = Sleeper()
        bot.peer.log_in()
        bot.peer.feed(ENTERED.removesuffix(SUBJECT))
        bot.peer.sent()
        bot.stop(60)
        # The timer that waits for the subject rings first.
        bot.clock.advance(0)
        room = bot.adapter.rooms.get(Jid.parse(ROOM))
        self.assertFalse(room.caught_up)
        (ping,) = bot.pings()
        bot.peer.feed(in_public("a") + pong(ping) + in_public("b"))
        # What the room's service kept is on its way still.
        bot.turn(1)
        self.assertFalse(room.caught_up)
        bot.peer.feed(in_public("c") + SUBJECT + in_public("d"))
        self.assertEqual(bot.fates(), [("a", "past"), ("d", "live")])
        self.assertEqual(bot.ignored, ["b", "c"])

    def test_no_subject_after_a_stop(self):
        """A room that sends no subject counts as caught up a while after what is read is fresh."""
        bot = Sleeper()
        bot.peer.log_in()
        bot.peer.feed(ENTERED.removesuffix(SUBJECT))
        bot.peer.sent()
        bot.stop(60)
        bot.clock.advance(0)
        (ping,) = bot.pings()
        bot.peer.feed(pong(ping))
        bot.turn(6)
        bot.peer.feed(in_public("a"))
        self.assertEqual(bot.fates(), [("a", "live")])

    def test_a_new_connection(self):
        """What comes over a connection made after the stop is fresh, and what is sent again too."""
        bot = Sleeper()
        bot.peer.authenticate()
        bot.peer.feed(features(BIND + SM))
        bot.peer.bind("xbot@example.org/bot")
        bot.peer.feed("<enabled xmlns='urn:xmpp:sm:3' id='s' resume='true'/>" + ENTERED)
        bot.stop(60)
        bot.peer.feed(in_public("a"))
        bot.peer.lose()
        bot.clock.advance(0)
        peer = bot.peer = bot.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + SM))
        h = bot.adapter.managed.unacknowledged
        peer.feed(f"<resumed xmlns='urn:xmpp:sm:3' previd='s' h='{h}'/>" + in_public("b"))
        self.assertEqual(bot.fates(), [("a", "missed"), ("b", "live")])

    def test_invitations(self):
        """Nobody is followed into a room for an invitation of before the stop."""
        bot = Sleeper(accept_invites=People.parse(["alice@example.org"])).enter()
        bot.stop(60)
        bot.peer.feed(
            "<message from='alice@example.org/pda'>"
            "<x xmlns='jabber:x:conference' jid='other@muc.example.org'/></message>"
        )
        self.assertEqual(bot.adapter.invitations.counts, {"delayed": 1})

    def test_nobody_else_answers(self):
        """Only our server's answer to our own ping proves anything."""
        bot = Sleeper().enter()
        bot.stop(60)
        bot.peer.feed(in_public("a"))
        (ping,) = bot.pings()
        forged = pong(ping).replace("example.org", "example.net")
        bot.peer.feed(pong("guessed") + forged + in_public("b"))
        self.assertEqual(bot.fates(), [("a", "missed"), ("b", "missed")])

    def test_nothing_left(self):
        """With the connection goes every timer, also while a ping is under way."""
        bot = Sleeper().enter()
        bot.stop(60)
        bot.peer.feed(in_public("a"))
        stopped = bot.adapter.stop()
        bot.peer.lose()
        self.successResultOf(stopped)
        self.assertEqual(bot.clock.getDelayedCalls(), [])


#: Events: the bot's time passes, it is stopped (whereupon timers may ring first), the server
#: says something, answers a ping, or all of what it wrote is read.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.sampled_from([0.5, 3.0])),
        st.tuples(st.just("stop"), st.sampled_from([2.0, 9.0, 13.0, 300.0])),
        st.tuples(st.just("ring"), st.just(0.0)),
        st.tuples(st.sampled_from(["say", "tell", "answer", "read"]), st.just(0.0)),
    ),
    max_size=40,
)


class PropertyTests(unittest.TestCase):
    @PROPERTY
    @given(EVENTS, st.booleans())
    def test_any_life(self, events, sleeps):
        """No message read before the answer to a ping sent after waking is ever live."""
        bot = Sleeper(sleeps=sleeps, ping_interval=5.0, ping_timeout=60.0).enter()
        pipe, unanswered = deque(), deque()
        # What was sent after the last stop, by us, and whether an answer to it was read.
        since_stop, is_proved, number = set(), True, 0

        def look():
            new = bot.pings()
            since_stop.update(new)
            unanswered.extend(new)

        for event, seconds in (*events, ("read", 0.0)):
            if event == "turn":
                bot.turn(seconds)
            elif event == "stop":
                bot.stop(seconds)
                if seconds > LIMIT:
                    since_stop.clear()
                    is_proved = False
            elif event == "ring":
                bot.clock.advance(0)
            elif event in ("say", "tell"):
                number += 1
                say = in_public if event == "say" else directly
                pipe.append((say(str(number)), None))
            elif event == "answer" and unanswered:
                ping = unanswered.popleft()
                pipe.append((pong(ping), ping))
            elif event == "read":
                # One chunk: what is asked during it was sent after all of it.
                sent_after_waking = set(since_stop)
                bot.peer.feed("".join(xml for xml, _ in pipe))
                fates = dict(bot.fates())
                while pipe:
                    xml, ping = pipe.popleft()
                    if ping is not None:
                        is_proved = is_proved or ping in sent_after_waking
                    else:
                        said = xml.partition("<body>")[2].partition("<")[0]
                        fate = fates[said]
                        self.assertIn(fate, ("live", "missed") if is_proved else ("missed",))
            look()
            if bot.peer.stream.problem is not None:
                break


#: Events: time passes, the link hangs or flows again, the server says something.
STALLS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.sampled_from([1.0, 4.0, 11.0, 25.0])),
        st.tuples(st.sampled_from(["hang", "flow", "say"]), st.just(0.0)),
    ),
    max_size=40,
)
INTERVAL = 20.0


class LinkPropertyTests(unittest.TestCase):
    @PROPERTY
    @given(STALLS)
    def test_any_link(self, events):
        """However the link hangs, nothing older than an interval and the limit is ever live."""
        bot = Sleeper(ping_interval=INTERVAL, ping_timeout=500.0).enter()
        pipe, hangs, number = [], False, 0
        for event, seconds in (*events, ("flow", 0.0), ("turn", 1.0), ("say", 0.0)):
            if event in ("hang", "flow"):
                hangs = event == "hang"
            elif event == "say":
                number += 1
                pipe.append((in_public(f"{number}@{bot.now}"), bot.now))
            for _ in range(max(1, int(seconds))):
                bot.turn(min(1.0, seconds))
                # The server hears us at once; only what it says is held back, in order.
                pipe += [(pong(ping), bot.now) for ping in bot.pings()]
                if not hangs:
                    bot.peer.feed("".join(xml for xml, _ in pipe))
                    pipe.clear()
                for said, fate in bot.fates():
                    age = bot.now - float(said.partition("@")[2])
                    if fate == "live":
                        self.assertLessEqual(age, INTERVAL + LIMIT + 1)
        self.assertIsNone(bot.peer.stream.problem)

    def test_it_flows(self):
        """A link that flows is never taken to be stuck."""
        bot = Sleeper(ping_interval=INTERVAL).enter()
        for second in range(200):
            bot.turn(1.0)
            for ping in bot.pings():
                bot.peer.feed(pong(ping))
            bot.peer.feed(in_public(str(second)))
        self.assertEqual({fate for _, fate in bot.fates()}, {"live"})
        self.assertEqual(bot.adapter.freshness.counts, {})


class CoreTests(unittest.TestCase):
    def test_in_order(self):
        """The answer to a later ping answers those before, which may have been lost."""
        freshness = Freshness()
        freshness.asked(1.0)
        freshness.asked(5.0)
        self.assertFalse(freshness.answered(5.0, 6.0))
        self.assertFalse(freshness.is_asked)
        self.assertEqual(freshness.stuck_for(100.0), 0)
        self.assertFalse(freshness.is_stale)

    def test_before_the_stop(self):
        """The answer to a ping of before a stop proves nothing, however soon it comes."""
        freshness = Freshness()
        freshness.asked(1.0)
        freshness.woke()
        self.assertFalse(freshness.answered(1.0, 1.5))
        self.assertTrue(freshness.is_stale)

    def test_another_connection(self):
        """What was asked on one connection tells nothing of the next."""
        freshness = Freshness()
        freshness.asked(1.0)
        freshness.woke()
        freshness.asked(2.0)
        freshness.begin()
        self.assertFalse(freshness.is_stale)
        self.assertEqual(freshness.stuck_for(100.0), 0)

    def test_lost(self):
        """A ping that could not leave tells nothing of the link."""
        freshness = Freshness()
        freshness.asked(1.0)
        freshness.lost(1.0)
        self.assertEqual(freshness.stuck_for(100.0), 0)
        self.assertFalse(freshness.answered(1.0, 2.0))
