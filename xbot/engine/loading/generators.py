"""Say each value that a responder's generator yields, as it is yielded.

What is too much to be said is thrown away, and the generator goes on: a limit on what is
shown does not stop what is done. The run's time-out does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from xbot.model.message import Message
from xbot.runtime.answers import BATCH, MAX_ANSWERS, PAUSE, Answers, closed


def say_each(message: Message, several: Iterator[object], is_over: threading.Event) -> Answers:
    """Reply with each value, until ``is_over`` is set; the Answers hold only a failure, if any.

    It may block: call it in a thread. Never raises.
    """
    failure, said = None, 0
    try:
        for number, answer in enumerate(several, 1):
            text = _text_of(answer)
            # One more than is shown: of that one the run makes the mark that it is cut.
            if text.strip() and said <= MAX_ANSWERS:
                said += 1
                message.reply(text)
            if is_over.is_set():
                break
            if number % BATCH == 0:
                time.sleep(PAUSE)
    except BaseException:
        failure = Failure()
    return Answers(failure=failure or closed(several))


async def say_each_async(
    message: Message, several: AsyncIterator[object], clock: IReactorTime
) -> Answers:
    """Reply with each value of an async generator; raises what the generator raises.

    One that yields without ever waiting leaves the reactor its turns, and so can be cancelled.
    """
    number = 0
    try:
        async for answer in several:
            # The run itself counts what is said: after a question it may say more.
            message.reply(_text_of(answer))
            number += 1
            if number % BATCH == 0:
                await deferLater(clock, PAUSE)
    finally:
        close = getattr(several, "aclose", None)
        if close is not None:
            await close()
    return Answers()


def _text_of(answer: object) -> str:
    if not isinstance(answer, str):
        raise TypeError(f"yielded {type(answer).__name__}")
    return answer
