"""Say each value that a responder's generator yields, as it is yielded."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

from twisted.python.failure import Failure

from xbot.model.message import Message
from xbot.runtime.answers import MAX_ANSWERS, Answers


def say_each(message: Message, several: Iterator[object], is_over: threading.Event) -> Answers:
    """Reply with each value, until ``is_over`` is set; the Answers hold only a failure, if any.

    It may block: call it in a thread. Never raises.
    """
    failure = None
    try:
        for number, answer in enumerate(several):
            _say(message, answer, number)
            if number == MAX_ANSWERS or is_over.is_set():
                break
    except BaseException:
        failure = Failure()
    try:
        getattr(several, "close", _nothing)()
    except BaseException:
        failure = failure or Failure()
    return Answers(failure=failure)


async def say_each_async(message: Message, several: AsyncIterator[object]) -> Answers:
    """Reply with each value of an async generator; raises what the generator raises."""
    number = 0
    try:
        async for answer in several:
            _say(message, answer, number)
            if number == MAX_ANSWERS:
                break
            number += 1
    finally:
        close = getattr(several, "aclose", None)
        if close is not None:
            await close()
    return Answers()


def _say(message: Message, answer: object, number: int) -> None:
    if not isinstance(answer, str):
        raise TypeError(f"yielded {type(answer).__name__}")
    # Blank answers count too, so that no generator runs for ever without saying anything.
    message.reply(f"[cut after {MAX_ANSWERS} messages]" if number == MAX_ANSWERS else answer)


def _nothing() -> None:
    pass
