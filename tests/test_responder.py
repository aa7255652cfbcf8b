"""What :mod:`xbot.responder` promises."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from xbot.answers import MAX_LENGTH
from xbot.message import Message
from xbot.responder import Failed, declared_by, hear, respond

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


class FailedTests(TestCase):
    def test_long_failure(self) -> None:
        """What a responder says of its own failure is cut like any answer."""
        self.assertEqual(len(Failed("x" * 2**20).answer), MAX_LENGTH)
