"""Guarantees across cut connections: nothing is lost, run twice or answered twice.

The whole bot against a model of a server, with the link cut at any byte.
"""

import math
import os
import random
from collections import Counter

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, PASSWORD, TLS_OPTIONS, FakeEndpoint, in_thread, lowest
from tests.chat.xmpp.stream.model import NICK, ROOM, ModelServer
from tests.effort import examples
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.stream.login import Account
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.outbox import Outbox
from xbot.matching.pattern import Pattern
from xbot.model.jid import Jid
from xbot.model.status import PATIENCE
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Responder, Route
from xbot.testing.journal import MemoryJournal

#: Histories played; each has its own seed. More by the environment.
SEEDS = int(os.environ.get("XBOT_CUTS", examples(150)))
STEPS = 120
NOW = 1_700_000_000.0


class World:
    """The bot, the server, and a connection between them that is cut at random."""

    def __init__(self, seed: int, *, expires: bool, **server: bool) -> None:
        self.random = random.Random(seed)
        self.expires = expires
        self.clock = Clock()
        self.clock.advance(NOW)
        self.server = ModelServer(self.clock, **server)
        self.endpoint = FakeEndpoint(self.clock)
        self.runs: Counter[str] = Counter()
        self.asked: list[str] = []
        self.cuts = 0
        self.journal = MemoryJournal()
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = XmppAdapter(
            XmppSettings(JID, reconnect_max=2.0),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse(ROOM), NICK),),
            lambda message: self.dispatcher.got_message(message),
            self.outbox,
            lambda problem: None,
            clock=self.clock,
            wall_clock=self.clock.seconds,
            uniform=lowest,
            in_thread=in_thread,
        )
        self.dispatcher = Dispatcher(
            [Responder("do", (Route(Pattern.match(r"do (?P<n>\d+)"), self.run),))],
            self.outbox.put,
            self.clock,
            name="bot",
            prefix="",
            nick_in=self.adapter.nick_in,
            rooms={},
            journal=self.journal,
        )
        self.adapter.start()

    def run(self, message, groups):
        self.runs[groups["n"]] += 1
        return succeed(Answers((f"done {groups['n']}",)))

    def step(self) -> None:
        """Something happens."""
        roll = self.random.random()
        if not self.server.is_connected:
            self.server.cut()
            if self.expires and roll < 0.2:
                self.server.expire()
            self.reconnect()
        elif roll < 0.06:
            self.cuts += 1
            self.server.cut()
        elif roll < 0.35:
            number = str(len(self.asked))
            if self.server.say(f"bot: do {number}", number):
                self.asked.append(number)
        elif roll < 0.38:
            self.journal.is_slow = not self.journal.is_slow
            self.journal.catch_up()
        elif roll < 0.42:
            self.pass_time(self.random.choice((0.1, 1, 7)))
        else:
            self.server.carry(self.random.randrange(400), self.random.randrange(400))

    def pass_time(self, seconds: float) -> None:
        """A disk may be slow, but not for as long as this."""
        self.journal.catch_up()
        self.clock.advance(seconds)

    def reconnect(self) -> None:
        """Time passes until the bot tries again."""
        for _ in range(1000):
            if not self.endpoint.attempts[-1].called:
                break
            self.pass_time(1)
        self.server.connect(self.endpoint.accept())

    def settle(self) -> None:
        """From now on the link is good, until nothing more happens."""
        self.journal.is_slow = False
        self.journal.catch_up()
        for _ in range(2000):
            if not self.server.is_connected:
                self.server.cut()
                self.reconnect()
            if not self.server.carry(1_000_000, 1_000_000):
                if not len(self.outbox):
                    return
                self.clock.advance(1)
        raise AssertionError("it does not settle")


class CutTests(unittest.TestCase):
    def play(self, seed: int, *, expires: bool, **server: bool) -> World:
        """One history, up to its quiet end."""
        world = World(seed, expires=expires, **server)
        for _ in range(STEPS):
            world.step()
            # However it is cut, the watchdog has no reason to starve.
            deadline = world.adapter.deadline
            self.assertLessEqual(world.clock.seconds(), (deadline or math.inf) + PATIENCE)
        world.settle()
        return world

    def test_resumed_sessions(self):
        """While the server keeps the session: 0 lost, 0 run twice, each answered once, in order."""
        self.resume_all(range(SEEDS))

    def test_sparing_server(self):
        """The same in a room without stanza ids, on a server that resends without a delay."""
        self.resume_all(range(SEEDS, SEEDS + SEEDS // 3), is_sparing=True)

    def resume_all(self, seeds: range, *, is_sparing: bool = False) -> None:
        cuts = asked = resumptions = 0
        for seed in seeds:
            world = self.play(seed, expires=False, is_sparing=is_sparing)
            said = [body for _, body in world.server.said]
            expected = [f"done {number}" for number in world.asked]
            self.assertEqual(world.runs, Counter(world.asked), f"seed {seed}")
            self.assertEqual(said, expected, f"seed {seed}")
            cuts += world.cuts
            asked += len(world.asked)
            resumptions += world.server.resumptions
        # The histories are worth something only if things happened in them.
        self.assertGreater(min(cuts, asked, resumptions), len(seeds) // 2)

    def test_lost_sessions(self):
        """When the server forgets the session: still none twice, and no answer of a run is lost.

        Where the room keeps a history, few answers are said twice: it may not reach so far
        back, or take longer than the bot waits for it.
        """
        self.assertLess(self.lose_all(keeps_history=True), SEEDS // 10)

    def test_lost_sessions_without_history(self):
        """The same in a room without a history, except that answers may be said twice."""
        self.assertGreater(self.lose_all(keeps_history=False), SEEDS // 10)

    def lose_all(self, *, keeps_history: bool) -> int:
        """The number of answers that were said again."""
        twice = 0
        for seed in range(SEEDS):
            world = self.play(seed, expires=True, keeps_history=keeps_history)
            self.assertLessEqual(set(world.runs.values()), {1}, f"seed {seed}")
            said = {body for _, body in world.server.said}
            self.assertEqual(said, {f"done {number}" for number in world.runs}, f"seed {seed}")
            # What may have arrived is said again, under the id that it had.
            by_id = {identity for identity, _ in world.server.said}
            self.assertEqual(len(by_id), len(world.runs), f"seed {seed}")
            twice += len(world.server.said) - len(by_id)
        return twice
