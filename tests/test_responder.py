"""What :mod:`xbot.responder` promises."""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from xbot.answers import MAX_LENGTH, Answers
from xbot.matching.pattern import Pattern
from xbot.message import Message
from xbot.responder import Failed, Responder, hear, respond, routes_of

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")


class RouteTests(TestCase):
    def test_decorated_function(self) -> None:
        """A decorated function stays what it was, with its routes in the order they are read."""

        @respond("a", usage="A")
        @hear("b", help="B")
        def function(message: Message) -> str:
            return message.body

        self.assertEqual(function(MESSAGE), "ping")
        first, second = routes_of(function)
        self.assertEqual((first.pattern.kind, first.usage, first.help), ("match", "A", None))
        self.assertEqual((second.pattern.kind, second.usage, second.help), ("hear", None, "B"))

    def test_class_and_call(self) -> None:
        """An instance has the routes of its class and of its __call__."""

        @respond("a")
        class Both:
            @hear("b")
            def __call__(self, message: Message) -> None: ...

        self.assertEqual([route.pattern.kind for route in routes_of(Both())], ["match", "hear"])

    def test_responder_finds(self) -> None:
        """A responder may both match and hear; the first pattern that fits counts."""
        responder = Responder(
            "x",
            (Pattern.match("(?P<a>x)"), Pattern.match("(?P<b>x|y)"), Pattern.hear("z")),
            lambda message, groups: succeed(Answers()),
        )
        self.assertEqual(responder.match("x"), {"a": "x"})
        self.assertEqual(responder.match("y"), {"b": "y"})
        self.assertIsNone(responder.match("z"))
        self.assertEqual(responder.hear("oz"), {})

    def test_effect(self) -> None:
        """Code has effects unless its decorator says that it only answers."""

        @respond("a", effect=False)
        @hear("b", effect=False)
        @respond("c")
        def function(message: Message) -> None: ...

        self.assertEqual([route.effect for route in routes_of(function)], [False, False, True])


class FailedTests(TestCase):
    def test_long_failure(self) -> None:
        """What a responder says of its own failure is cut like any answer."""
        self.assertEqual(len(Failed("x" * 2**20).answer), MAX_LENGTH)
