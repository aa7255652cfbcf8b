"""Exceptions that responders raise to end a run with an error answer."""

from __future__ import annotations

from xbot.model.errors import XbotError
from xbot.runtime.answers import cut


class Failed(XbotError):
    """The responder cannot do what it was asked; the sender gets ``answer``. ::

        raise Failed("I do not know that app.", reason=f"no entry for {app}")

    Raise it for expected failures, not for bugs: it logs one line with ``reason``
    (default: ``answer``), and no traceback.
    """

    def __init__(self, answer: str, reason: str = "") -> None:
        super().__init__(reason or answer)
        self.answer = cut(str(answer))
        self.reason = reason or answer


class NoAnswer(Failed):
    """The person asked by :meth:`~xbot.model.message.Message.ask` did not answer in time.

    If it is not caught, the run ends and the sender gets ``answer``.
    """

    def __init__(self, answer: str = "Never mind, then.", reason: str = "no answer") -> None:
        super().__init__(answer, reason)


class Misused(XbotError):
    """The message fits the responder's pattern, but an argument is invalid. ::

        raise Misused("APP is one of web, api")

    The sender gets the usage, and ``reason`` below it. It is counted, and not
    logged. xbot raises it itself for a value that does not convert to its parameter's
    type.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
