"""How what a responder does ends without an answer of its own, and what whoever asked is told."""

from __future__ import annotations

from xbot.model.errors import XbotError
from xbot.runtime.answers import cut


class Failed(XbotError):
    """A responder cannot do what it was asked, and ``answer`` says so to whoever asked. ::

        raise Failed("I do not know that app.", reason=f"no entry for {app}")

    Raise it for what is no mistake in the code: it makes one line in the log,
    with ``reason`` in it (``answer`` where there is none), and no traceback.
    """

    def __init__(self, answer: str, reason: str = "") -> None:
        super().__init__(reason or answer)
        self.answer = cut(str(answer))
        self.reason = reason or answer


class NoAnswer(Failed):
    """Who was asked by :meth:`~xbot.model.message.Message.ask` did not answer in time.

    Nobody has to catch it: then it says so, and the run is over.
    """

    def __init__(self, answer: str = "Never mind, then.", reason: str = "no answer") -> None:
        super().__init__(answer, reason)


class Misused(XbotError):
    """What was said to a responder fits its pattern, and still makes no sense. ::

        raise Misused("APP is one of web, api")

    Whoever asked reads the usage, and that below it. It is counted, and makes
    no line in the log. What does not convert to the type of a parameter raises
    it by itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
