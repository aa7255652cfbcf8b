"""Tests of :mod:`xbot.api.decorators`."""

from __future__ import annotations

from datetime import timedelta

from twisted.trial.unittest import TestCase

from xbot.api.decorators import Every, declared_by, every, hear, repeated_by, respond
from xbot.model.message import Message

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")


def kinds_of(target: object) -> list[str]:
    declared = (each for _, several in declared_by(target) for each in several)
    return [each.pattern.kind if each.pattern else "fallback" for each in declared]


class RouteTests(TestCase):
    def test_decorated_function(self) -> None:
        """A decorated function stays what it was, with its routes in the order they are read."""

        @respond("a", usage="A")
        @hear("b", help="B")
        def function(message: Message) -> str:
            return message.body

        self.assertEqual(function(MESSAGE), "ping")
        ((_, (first, second)),) = declared_by(function)
        self.assertEqual((first.pattern.kind, first.usage, first.help), ("match", "A", None))
        self.assertEqual((second.pattern.kind, second.usage, second.help), ("hear", None, "B"))

    def test_class_and_call(self) -> None:
        """An instance has the routes of its class and of its __call__."""

        @respond("a")
        class Both:
            @hear("b")
            def __call__(self, message: Message) -> None: ...

        self.assertEqual(kinds_of(Both()), ["match", "hear"])

    def test_effect(self) -> None:
        """Code has effects unless its decorator says that it only answers."""

        @respond("a", effect=False)
        @hear("b", effect=False)
        @respond("c")
        def function(message: Message) -> None: ...

        self.assertEqual(
            [each.effect for _, declared in declared_by(function) for each in declared],
            [False, False, True],
        )


class EveryTests(TestCase):
    def test_period(self) -> None:
        """A period is a duration or a timedelta, and a wrong one is found where it is written."""

        @every("1h30m")
        @every(timedelta(seconds=10), at_start=True)
        async def look() -> None: ...

        self.assertEqual(
            list(repeated_by(look)), [(look, (Every(5400.0), Every(10.0, at_start=True)))]
        )
        for wrong in ("500ms", "367d", "often", timedelta(0), timedelta(days=-1)):
            self.assertRaises(ValueError, every, wrong)

    def test_methods(self) -> None:
        """Each decorated method of an object is found, as its class has it."""

        class Base:
            @every("10s")
            def one(self) -> None: ...

            @every("10s")
            def two(self) -> None: ...

        class Both(Base):
            def two(self) -> None: ...

        both = Both()
        self.assertEqual([each for each, _ in repeated_by(both)], [both.one])
