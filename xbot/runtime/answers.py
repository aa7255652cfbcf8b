"""Collect the answers that a responder returned, with limits on number and length."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import islice

from attrs import frozen
from twisted.python.failure import Failure

from xbot.config.settings import MAX_OUTPUT

#: Maximum number of messages per run.
MAX_ANSWERS = 10

#: Maximum length of one message, in characters; also the default limit for a whole run.
MAX_LENGTH = MAX_OUTPUT


@frozen
class Answers:
    """Result of a run: the texts to send, and the failure, if it failed after these."""

    said: tuple[str, ...] = ()
    failure: Failure | None = None


def collect(result: object) -> Answers:
    """Convert a responder's return value to answers, without blank ones. Never raises.

    None means no answer, a str one answer, a list, tuple or iterator several: the
    first :data:`MAX_ANSWERS`, of at most :data:`MAX_LENGTH` characters each, with a
    visible mark where something was cut. Any other type is a failure. An iterator
    may block: call this function in a thread for one.
    """
    if result is None:
        return Answers()
    several = result if isinstance(result, (list, tuple, Iterator)) else (result,)
    said: list[str] = []
    failure = None
    try:
        for number, answer in enumerate(islice(several, MAX_ANSWERS + 1)):
            text = _text_of(answer)
            if number == MAX_ANSWERS:
                # Blank answers count too: an endless iterator of them has to end.
                mark = f"[cut after {MAX_ANSWERS} messages]"
                said[-1:] = [cut(f"{said[-1]}\n{mark}")] if said else []
            elif text.strip():
                said.append(cut(text))
        if inspect.isgenerator(result):
            result.close()
    except BaseException:
        failure = Failure()
    return Answers(tuple(said), failure)


def _text_of(answer: object) -> str:
    if not isinstance(answer, str):
        kind = type(answer).__name__
        raise TypeError(f"returned {kind}: an answer is a str, a list of them, or None")
    return answer


def cut(text: str, length: int = MAX_LENGTH) -> str:
    """``text``, or its beginning with a visible mark, of at most ``length`` characters."""
    if len(text) <= length:
        return text
    mark = f"\n[cut at {length:,} characters]"
    return text[: length - len(mark)] + mark
