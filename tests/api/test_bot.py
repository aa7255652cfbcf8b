"""Tests of :mod:`xbot.api.bot` and :mod:`xbot.engine.bot`, besides the bundled responders'."""

import threading

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.environment import FakeEnvironment
from tests.responders.talk import ALICE, ROOM, Talk
from xbot import bot
from xbot.api.bot import BotProxy
from xbot.engine.bot import EngineBot
from xbot.model.message import Message
from xbot.runtime.interfaces import IBot
from xbot.runtime.scope import (
    MAX_SAID,
    MayNotWrite,
    NotInThread,
    OutsideResponder,
    SaysTooMuch,
    Scope,
    Unloaded,
)

MESSAGE = Message(f"{ROOM}/alice", "xbot@example.org", "x", {"type": "groupchat"}, room=ROOM)


class WhereTests(Talk):
    def setUp(self) -> None:
        super().setUp()
        self.begin()
        scope = self.dispatcher.responders[0].scope
        assert scope is not None
        self.scope: Scope = scope

    def test_outside(self) -> None:
        """Where no responder's code runs, or no bot is, there is nobody to ask."""
        self.assertRaises(OutsideResponder, bot.overview)
        lonely = Scope("tea", FakeEnvironment().environment())
        self.assertRaises(OutsideResponder, lonely.run, bot.overview)

    def test_obey_as_whom(self) -> None:
        """A command whose answer goes to a person needs the permission to write to that person."""
        environment = self.scope._environment
        self.scope._environment = evolve(environment, may_write_to=lambda name, person: False)

        def obey(room: str | None) -> None:
            bot.obey_as(ALICE, "ping", room=room, key=f"{room}")

        self.assertRaises(MayNotWrite, self.scope.run, obey, None)
        self.assertEqual(self.sent, [])
        self.scope.run(obey, ROOM)
        self.assertEqual([each.body for each in self.sent], ["pong"])

    def test_in_a_thread(self) -> None:
        """In a thread it does not work, and says so."""
        problems: list[Exception] = []

        def ask() -> None:
            try:
                self.scope.run(bot.overview)
            except Exception as error:
                problems.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        self.assertEqual([type(each) for each in problems], [NotInThread])

    def test_unloaded(self) -> None:
        """What was unloaded has no bot any more."""
        self.end()
        self.assertRaises(Unloaded, self.scope.run, bot.overview)

    def test_too_much(self) -> None:
        """What is obeyed counts as said by the responder."""

        def obey() -> None:
            for number in range(MAX_SAID + 1):
                bot.obey_as(ALICE, "ping", key=str(number))

        self.assertRaises(SaysTooMuch, self.scope.run, obey)
        self.assertEqual(len(self.said()), MAX_SAID)

    def test_as_somebody(self) -> None:
        """It is said by that person, in private or in the room, and once for a key."""

        def obey() -> None:
            for room in (None, ROOM):
                for _ in range(2):
                    bot.obey_as(ALICE, "whoami", room=room, key=f"{room}")

        self.scope.run(obey)
        private, public = self.said()
        self.assertIn(f"Your real address is {ALICE}", private)
        self.assertIn("I can see your real address", public)

    def test_facts(self) -> None:
        """The time is a datetime, and what speaks to the bot is known by name and prefix."""

        def ask() -> None:
            self.assertEqual(bot.now().isoformat(), "2026-11-21T09:00:00+00:00")
            for text, found in {"xbot: go": "go", "!go": "go", "go": None}.items():
                self.assertEqual(bot.addressed(text, ROOM), found)
                self.assertEqual(bot.addressed(text), found)
            self.assertTrue(bot.allows(ALICE, ROOM))
            self.assertEqual(bot.commands(MESSAGE)[0].usage, "ping")

        self.scope.run(ask)


class VerbsTests(SynchronousTestCase):
    def test_each_is_told_once(self) -> None:
        """Each verb of the bot is told to authors, and nowhere else."""
        names = {"usages": "commands"}
        for name in IBot:
            verb = getattr(BotProxy, names.get(name, name))
            self.assertTrue(verb.__doc__, name)
            self.assertFalse(IBot[name].getDoc(), name)
            # Some are attributes of each bot. (None has a docstring of its own since 3.13.)
            verb = getattr(EngineBot, name, None)
            self.assertTrue(verb is None or not verb.__doc__, name)
        told = {name for name in vars(BotProxy) if not name.startswith("_")}
        self.assertEqual(told, {names.get(name, name) for name in IBot})
