"""Catalogue rows L (load): floods, and misbehaving responders."""

import gc
import os
import threading
import time
from pathlib import Path

from attrs import evolve
from twisted.logger import globalLogPublisher

from tests.environment import FakeEnvironment
from tests.hostile.bot import NICK, ROOM, HostileCase, present, respond, said, told
from tests.runtime.test_subprocesses import is_alive
from xbot.chat.xmpp.stanzas import occupants
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import ResponderSettings
from xbot.engine.dispatch.output import PAGE
from xbot.engine.loading.loader import load_responders
from xbot.engine.outbox import MAX_MESSAGES, OVERHEAD, SHARE
from xbot.model.jid import CACHE_SIZE, _prepare
from xbot.runtime.answers import MAX_ANSWERS, MAX_LENGTH
from xbot.runtime.subprocesses import Capture, run_program
from xbot.testing import journal, threads

#: Number of strangers who write to the bot; the environment can set more.
STRANGERS = int(os.environ.get("XBOT_STRANGERS", "5000"))


def misbehaving():
    """The misbehaving responders, loaded as from an ini."""
    settings = ResponderSettings("odd", use="tests.hostile.misbehaving:Misbehaving", timeout=30.0)
    return load_responders([settings], FakeEnvironment().environment(), bundled=False)


class LoadTests(HostileCase):
    def bodies(self, peer):
        return [str(stanza.body) for stanza in peer.stanzas() if stanza.name == "message"]

    def test_L01(self):
        """A pattern that explodes is cut short, and nobody else waits for it."""
        evil = r"(\w+\s?)*$"
        bot = self.bot(
            responders=(
                respond("harmless", r"shout \w+", lambda message: "hey"),
                respond("guarded", f"burst {evil}", lambda message: "boom"),
            )
        )
        peer = bot.online()
        self.drops(bot, peer, said(f"bot: shout {'a' * 4080}!"))
        self.assertEqual(bot.threads.started, 0)
        peer.feed(said(f"bot: burst {'a' * 4080}!"))
        peer.feed(told("ping"))
        self.assertEqual(self.bodies(peer), ["pong"])
        # What is said in the room comes after it.
        peer.feed(said("bot: ping"))
        self.assertEqual(self.bodies(peer), [])
        bot.threads.work()
        gave_up = "I gave up reading that for guarded: it took too long. Say it shorter."
        self.assertEqual(self.bodies(peer), [gave_up, "pong"])
        self.assertEqual(bot.dispatcher.fates["unmatched"], 1)
        self.assertEqual(bot.dispatcher.fates["failed"], 1)

    def test_L02(self):
        """A flood of commands is answered at its rate; two lines tell that, and count the rest."""
        bot = self.bot(is_limited=True)
        peer = bot.online()
        peer.feed("".join(said("bot: ping") for _ in range(1000)))
        self.assertEqual(
            self.bodies(peer), ["pong"] * 10 + ["That was too much at once; try again in 20 s."]
        )
        self.assertEqual(bot.dispatcher.fates["throttled"], 990)
        bot.clock.advance(2)
        self.assertEqual(
            self.bodies(peer), ["989 more from alice were refused; try again in 18 s."]
        )
        bot.clock.advance(18)
        peer.feed(said("bot: ping"))
        self.assertEqual(self.bodies(peer), ["pong"])
        self.goes_on(bot, peer)

    def test_L03(self):
        """Two bots that answer whatever is said to them fall silent: each after eleven lines."""
        said_by = {}
        bots = []
        for name in "left", "right":
            what = respond("what", "x", lambda message: "bot: what?")
            what = evolve(what, routes=(evolve(what.routes[0], pattern=None),))
            bot = self.bot(is_limited=True, responders=(what,))
            peer = bot.online()
            peer.feed(present("left") + present("right"))
            bots.append((name, bot, peer))
            said_by[name] = []
        bots[0][2].feed(said("bot: hm"))
        for _ in range(100):
            for (name, _bot, peer), (_, _, other) in (bots, bots[::-1]):
                for body in self.bodies(peer):
                    said_by[name].append(body)
                    other.feed(said(body, name))
        for lines in said_by.values():
            self.assertEqual(lines[:3], ["bot: what?"] * 3)
            self.assertLessEqual(len(lines), 11)
        for _, bot, peer in bots:
            bot.clock.advance(60)
            self.assertEqual(self.bodies(peer), [])
            self.goes_on(bot, peer)

    def test_L04(self):
        """Our own words, in the room or from another client of ours, are no command."""
        bot = self.bot()
        peer = bot.online()
        self.drops(bot, peer, said("bot: deploy", NICK))
        self.drops(bot, peer, told("deploy", "xbot@example.org/phone"))

    def test_L05(self):
        """A long answer is cut, where everyone can see it, and most of it waits to be asked for."""
        bot = self.bot(responders=(respond("long", "long", lambda message: "x" * 2**20),))
        peer = bot.online()
        peer.feed(said("bot: long"))
        answers = []
        for _ in range(10):
            *pages, offer = self.bodies(peer)
            self.assertRegex(offer, r"\[more: \d+ pages?; say more\]")
            self.assertLessEqual(max(map(len, pages)), PAGE)
            answers += pages
            peer.feed(said("bot: more"))
        answers += self.bodies(peer)
        self.assertLess(len("".join(answers)), MAX_LENGTH + 100)
        self.assertTrue(answers[0].startswith(f"[cut at {MAX_LENGTH:,} characters]"))
        self.goes_on(bot, peer)

    def test_L06(self):
        """Strangers without number leave nothing behind."""
        bot = self.bot(journal=journal.MemoryJournal())
        peer = bot.online(managed=True)
        start = f"<presence from='{ROOM}/"
        # Where trial runs tests in several processes, it keeps each line of the log for
        # as long as a test runs.
        self.patch(globalLogPublisher, "_observers", [])
        kept = len(bot.taps[-1].pieces)
        requests = (
            f"<ping xmlns='{ns.PING}'/>",
            f"<query xmlns='{ns.VERSION}'/>",
            f"<query xmlns='{ns.DISCO_INFO}' node='NODE'/>",
        )

        def flood(first, last):
            for n in range(first, last):
                jid = f"stranger{n}@s{n}.example/{n}"
                request = requests[n % 3].replace("NODE", jid)
                peer.feed(
                    told("hello", jid)
                    + f"<iq type='get' id='{n}' from='{jid}'>{request}</iq>"
                    + f"<presence from='{jid}'/><presence type='subscribe' from='{jid}'/>"
                    + f"{start}n{n}'/>{start}n{n}' type='unavailable'/>"
                )
                if n % 10 == 0:
                    managed = bot.adapter.managed
                    h = managed._session.outbound._acknowledged + managed.unacknowledged
                    peer.feed(f"<a xmlns='{ns.SM}' h='{h}'/>")
                    peer.sent()
            del bot.taps[-1].pieces[kept:]
            gc.collect()
            return len(gc.get_objects())

        # Until everything that is bounded is full.
        before = flood(0, 2 * CACHE_SIZE)
        after = flood(2 * CACHE_SIZE, STRANGERS)
        self.assertLess(after - before, 1000)
        self.assertLessEqual(_prepare.cache_info().currsize, CACHE_SIZE)
        self.goes_on(bot, peer)

    def test_L07(self):
        """10,000 occupants are remembered, up to a bound, and forgotten with the session."""
        self.patch(occupants, "MAX_OCCUPANTS", 9_000)
        bot = self.bot()
        peer = bot.online()
        for n in range(10_000):
            peer.feed(present(f"n{n}", f"role='participant' jid='n{n}@example.org/x'"))
        (room,) = bot.adapter.rooms
        self.assertEqual(len(room.occupants), 9_000)
        self.assertEqual(peer.sent(), "")
        self.goes_on(bot, peer)
        # Of those who were not remembered nothing is known, and so they have no rights.
        self.assertIsNone(room.occupants.get("n9999"))
        peer.lose()
        self.assertEqual(len(room.occupants), 0)

    def test_L08(self):
        """One that never answers, raises or exits holds up nobody, and is told once."""
        for command in "sleep", "stubborn":
            bot = self.bot(responders=misbehaving())
            peer = bot.online()
            for _ in range(6):
                peer.feed(said(f"bot: {command}"))
            # One person has one at work, and the others wait.
            self.assertEqual(self.bodies(peer), [])
            self.goes_on(bot, peer)
            bot.clock.advance(2)
            (told,) = self.bodies(peer)
            self.assertEqual(told, f'"{command}" and 4 more wait: 1 before you.')
            bot.clock.advance(13)
            peer.feed("<iq type='result' id='x' from='example.org'/>")
            self.goes_on(bot, peer)
        for command in "raise", "exit":
            bot = self.bot(responders=misbehaving())
            peer = bot.online()
            peer.feed(said(f"bot: {command}"))
            (answer,) = self.bodies(peer)
            self.assertIn("odd failed", answer)
            self.assertNotIn("secret", answer)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError, SystemExit)), 1)
            self.goes_on(bot, peer)

    def test_L09(self):
        """Whatever one returns leaves as bounded, sound messages, or as an apology."""
        for command, expected in (
            ("bytes", "odd failed; the log says why."),
            ("much", f"[cut at {MAX_LENGTH:,} characters]"),
            ("controls", "\ufffd\ufffd[2J\ufffd\ufffd</body>"),
        ):
            bot = self.bot(responders=misbehaving())
            peer = bot.online()
            peer.feed(said(f"bot: {command}"))
            answer = self.bodies(peer)[0]
            self.assertTrue(answer.startswith(expected), answer[:100])
            self.assertLessEqual(len(answer), PAGE)
            self.goes_on(bot, peer)
            self.flushLoggedErrors(TypeError)
        bot = self.bot(responders=misbehaving())
        peer = bot.online()
        # It never ends: here real time ends it, in the daemon its time-out.
        self.patch(threads, "MAX_REAL", 0.2)
        peer.feed(said("bot: many"))
        *answers, end = self.bodies(peer)
        self.assertLessEqual(len(answers), MAX_ANSWERS + 1)
        self.assertIn("did not finish", end)
        self.goes_on(bot, peer)

    def test_L10(self):
        """To a server that does not read nothing is written; a share is said once it reads."""
        bot = self.bot()
        peer = bot.online()
        peer.transport.producer.pauseProducing()
        for _ in range(MAX_MESSAGES + 500):
            peer.feed(said("bot: ping"))
        self.assertEqual(peer.transport.value(), b"")
        share = MAX_MESSAGES // SHARE
        self.assertEqual(len(bot.outbox), share)
        self.assertLessEqual(bot.outbox._bytes, MAX_MESSAGES * (OVERHEAD + 16))
        self.assertEqual(bot.outbox.counts["overflow"], MAX_MESSAGES + 500 - share)
        peer.transport.producer.resumeProducing()
        self.assertEqual(self.bodies(peer), ["pong"] * share)
        self.goes_on(bot, peer)

    def test_L11(self):
        """A program that will not end is ended with all its children, its output cut."""
        pids = Path(self.mktemp())
        script = (
            f"trap '' TERM; sleep 600 & echo $$ $! >{pids}; while :; do echo {'x' * 1000}; done"
        )
        cancelled = threading.Event()
        timer = threading.Timer(0.5, cancelled.set)
        timer.start()
        self.addCleanup(timer.join)
        result = run_program(["/bin/sh", "-c", script], cancelled, Capture(100_000))
        self.assertTrue(result.truncated)
        self.assertEqual(len(result.output), 100_000)
        deadline = time.monotonic() + 30
        for pid in pids.read_text().split():
            # A killed process is there until its parent has heard of it.
            while is_alive(int(pid)):
                self.assertLess(time.monotonic(), deadline, "a child is left behind")
                time.sleep(0.01)
        bot = self.bot()
        self.goes_on(bot, bot.online())
