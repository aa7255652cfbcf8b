"""What a run says: collected from whatever a responder returned, and bounded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import islice

from attrs import frozen
from twisted.python.failure import Failure

from xbot.config.settings import MAX_OUTPUT

#: A run says no more than so many messages.
MAX_ANSWERS = 10

#: All that a run says is no longer, in characters.
MAX_LENGTH = MAX_OUTPUT


@frozen
class Answers:
    """What a run came to: what it said and, if it failed after that, how."""

    said: tuple[str, ...] = ()
    failure: Failure | None = None


def collect(result: object) -> Answers:
    """The answers in what a responder returned, blank ones left out; never raises.

    None says nothing, a str one thing, a list, tuple or iterator
    several: the first :data:`MAX_ANSWERS`, of :data:`MAX_LENGTH` at most, with
    a visible mark where something was cut. Everything else is a failure. An
    iterator may block: call this in a thread for one.
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
                # Blank answers count too, so that nobody can be silent for ever.
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
    """``text``, or its beginning with a visible mark; never longer than ``length``."""
    if len(text) <= length:
        return text
    mark = f"\n[cut at {length:,} characters]"
    return text[: length - len(mark)] + mark
