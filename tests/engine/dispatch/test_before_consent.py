"""Tests of the checks before consent: people are asked only about what can run."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.engine.dispatch.test_consent import ALICE, YES, ConsentCase
from tests.engine.dispatch.test_dispatcher import responder
from xbot import Message, hear, respond
from xbot.engine.dispatch.approvals import MAX_EACH
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.loading import conversions
from xbot.runtime.responder import Responder
from xbot.testing import Bot

SHIP = r"ship (?P<n>\S+)"
USAGE = "usage: ship N\nN is no whole number"

PERSON = "alice@example.org"


class ArgumentsTests(ConsentCase):
    def ship(self, **options: Any) -> Responder:
        @respond(SHIP)
        async def ship(message: Message, n: int) -> str:
            self.ran.append(repr(n))
            return f"{n} shipped"

        made = responder(ship)
        routes = tuple(evolve(each, usage="ship N") for each in made.routes)
        return evolve(made, routes=routes, **options)

    def shipping(self, **options: Any) -> Dispatcher:
        return self.dispatcher(self.ship(**options), journal=self.journal)

    def test_misused(self) -> None:
        """A wrong argument is answered with the usage at once: neither question nor approval."""
        for options in ({"confirm": True}, {"approve": 1}, {"confirm": True, "approve": 2}):
            bot = self.shipping(**options)
            bot.got_message(evolve(ALICE, body="xbot: ship x"))
            self.assertEqual(self.said(), [USAGE])
            self.assertEqual((bot.is_asking, bot.fates["misused"]), (False, 1))
            bot.got_message(YES)
            self.assertEqual((self.said(), self.ran), ([], []))
        self.assertEqual(self.outcomes(), [("alice", "misused")] * 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_right(self) -> None:
        """A right argument is read once, before the question, and the run gets that value."""
        read: list[str] = []
        convert = conversions._SIMPLE[int]

        def counted(text: str) -> Any:
            read.append(text)
            return convert(text)

        self.patch(conversions, "_SIMPLE", {**conversions._SIMPLE, int: counted})
        bot = self.shipping(confirm=True)
        bot.got_message(evolve(ALICE, body="xbot: ship 3"))
        self.assertEqual((len(self.said()), read, self.ran), (1, ["3"], []))
        bot.got_message(YES)
        self.assertEqual((self.said(), read, self.ran), (["3 shipped"], ["3"], ["3"]))

    def test_overheard(self) -> None:
        """To a person who did not address the bot a wrong argument is no reason to speak."""

        @hear(SHIP)
        async def ship(message: Message, n: int) -> str:
            return "never"

        bot = self.dispatcher(evolve(responder(ship), confirm=True))
        bot.got_message(evolve(ALICE, body="they ship tea"))
        self.assertEqual((self.said(), bot.fates["misused"]), ([], 1))

    def test_broken_check(self) -> None:
        """A check that breaks asks no person and runs nothing: it is a failure of the run."""

        def broken(text: str) -> Any:
            raise ZeroDivisionError

        self.patch(conversions, "_SIMPLE", {**conversions._SIMPLE, int: broken})
        bot = self.shipping(confirm=True)
        bot.got_message(evolve(ALICE, body="xbot: ship 3"))
        self.assertEqual(self.said(), ["ship failed; the log says why."])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.ran, bot.fates["failed"], bot.is_asking), ([], 1, False))

    def test_too_many_requests(self) -> None:
        """A person with too many open requests for approval is not asked to confirm another."""
        bot = self.shipping(confirm=True, approve=1)
        for _ in range(MAX_EACH):
            bot.got_message(evolve(ALICE, body="xbot: ship 3"))
            bot.got_message(YES)
        self.said()
        bot.got_message(evolve(ALICE, body="xbot: ship 3"))
        self.assertEqual(self.said(), ["ship is busy; try again in a moment."])


@respond(SHIP, usage="ship N")
def plain(message: Message, n: int) -> str:
    return f"{n!r} shipped"


class Shop:
    @respond(SHIP, usage="ship N")
    def ship(self, message: Message, n: int) -> str:
        return f"{n!r} shipped"


class Closed(Shop):
    def start(self) -> None:
        raise ValueError("no key")


class KindsTests(SynchronousTestCase):
    def test_code(self) -> None:
        """Plain functions and methods, as they are loaded, are checked before the question."""
        for use in (plain, Shop):
            bot = Bot([use], confirm=True)
            self.assertEqual(bot.say("ship x", sender=PERSON), [USAGE])
            (asked,) = bot.say("ship 3", sender=PERSON)
            self.assertIn("sure?", asked)
            self.assertEqual(bot.say("yes", sender=PERSON), ["3 shipped"])

    def test_program(self) -> None:
        """A program's arguments are checked before the question, and are the same afterwards."""
        bot = Bot.from_ini(
            "[responder ship]\nmatch = ship (?P<what>.+)\nrun = echo {what}\nconfirm = yes\n"
        )
        self.assertEqual(bot.say("ship a\0b", sender=PERSON), ["ship failed; the log says why."])
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertIn("I do not know 'yes'", *bot.say("yes", sender=PERSON))
        (asked,) = bot.say("ship tea", sender=PERSON)
        self.assertIn("sure?", asked)
        self.assertEqual(bot.say("yes", sender=PERSON), ["tea"])

    def test_reply(self) -> None:
        """A fixed text has no arguments that could be wrong: the question comes first."""
        bot = Bot.from_ini(
            "[responder ship]\nmatch = ship (?P<n>.+)\nreply = {n}\neffect = yes\nconfirm = yes\n"
        )
        self.assertIn("sure?", *bot.say("ship 3", sender=PERSON))
        self.assertEqual(bot.say("yes", sender=PERSON), ["3"])

    def test_not_started(self) -> None:
        """A responder that could not be started says so at once, and not after a yes."""
        bot = Bot([Closed], confirm=True)
        self.flushLoggedErrors(ValueError)
        self.assertEqual(
            bot.say("ship 3", sender=PERSON), ["closed is not available; the log says why."]
        )
