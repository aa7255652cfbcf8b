"""What a run says: collected from whatever a responder returned, and bounded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import islice

from attrs import evolve, frozen
from twisted.python.failure import Failure

from xbot.message import Message

#: A run says no more than so many messages.
MAX_ANSWERS = 10

#: No message of a run is longer, in characters.
MAX_LENGTH = 10_000


@frozen
class Answers:
    """What a run came to: what it said and, if it failed after that, how."""

    said: tuple[str | Message, ...] = ()
    failure: Failure | None = None


def collect(result: object) -> Answers:
    """The answers in what a responder returned, blank ones left out; never raises.

    None says nothing, a str or a Message one thing, a list, tuple or iterator
    several: the first :data:`MAX_ANSWERS`, of :data:`MAX_LENGTH` at most, with
    a visible mark where something was cut. Everything else is a failure. An
    iterator may block: call this in a thread for one.
    """
    if result is None:
        return Answers()
    several = result if isinstance(result, (list, tuple, Iterator)) else (result,)
    said: list[str | Message] = []
    failure = None
    try:
        for number, answer in enumerate(islice(several, MAX_ANSWERS + 1)):
            text = _text_of(answer)
            if number == MAX_ANSWERS:
                # Blank answers count too, so that nobody can be silent for ever.
                mark = f"[cut after {MAX_ANSWERS} messages]"
                said[-1:] = [_with_text(said[-1], f"{_text_of(said[-1])}\n{mark}")] if said else []
            elif text.strip():
                said.append(_with_text(answer, text))
        if inspect.isgenerator(result):
            result.close()
    except BaseException:
        failure = Failure()
    return Answers(tuple(said), failure)


def _text_of(answer: object) -> str:
    text = answer.body if isinstance(answer, Message) else answer
    if not isinstance(text, str):
        raise TypeError(f"returned {type(text).__name__}")
    return text


def _with_text(answer: str | Message, text: str) -> str | Message:
    text = cut(text)
    return evolve(answer, body=text) if isinstance(answer, Message) else text


def cut(text: str, length: int = MAX_LENGTH) -> str:
    """``text``, or its beginning with a visible mark; never longer than ``length``."""
    if len(text) <= length:
        return text
    mark = f"\n[cut at {length:,} characters]"
    return text[: length - len(mark)] + mark
