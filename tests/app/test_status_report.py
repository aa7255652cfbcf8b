"""Which runs the status page shows as commands."""

from twisted.internet.defer import Deferred, succeed
from twisted.trial import unittest

from xbot.app.status_report import is_command
from xbot.engine.dispatch.runs import Run
from xbot.matching.pattern import Pattern
from xbot.model.message import Message
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Responder, Route


def ended(fate: str, *, fallback: bool = False, internal: bool = False) -> Run:
    """A run that ended like this."""

    def start(message: Message, groups: object) -> Deferred[Answers]:
        return succeed(Answers(()))

    route = Route(None if fallback else Pattern.match("hi"), start, effect=False)
    responder = Responder("r", (route,), is_internal=internal)
    return Run(responder, route, Message("a@x", "b@x", "hi"), {}, fate=fate)


class IsCommandTests(unittest.TestCase):
    def test_which(self) -> None:
        """Neither the dispatcher's own parts nor a fallback without words are commands."""
        self.assertTrue(is_command(ended("answered")))
        self.assertTrue(is_command(ended("silent")))
        self.assertTrue(is_command(ended("answered", fallback=True)))
        self.assertFalse(is_command(ended("silent", fallback=True)))
        self.assertFalse(is_command(ended("answered", internal=True)))
