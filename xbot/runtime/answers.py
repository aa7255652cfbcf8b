"""Collect the answers that a responder returned, with limits on number and length."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from attrs import frozen
from twisted.python.failure import Failure

from xbot.config.settings import MAX_OUTPUT

#: Maximum number of messages per run.
MAX_ANSWERS = 10

#: Maximum length of one message, in characters; also the default limit for a whole run.
MAX_LENGTH = MAX_OUTPUT

#: Descriptions, for the log, of what was cut.
TOO_MANY = f"only the first {MAX_ANSWERS} messages"
TOO_LONG = f"only the first {MAX_LENGTH:,} characters"


#: The values of an iterator that are discarded are read in batches, with a pause of PAUSE
#: seconds after each, so that an endless one leaves the reactor its turns.
BATCH = 100
PAUSE = 0.001


@frozen
class Answers:
    """Result of a run: the texts to send, and the failure, if it failed after these.

    ``cut`` describes what was cut; empty if nothing was.
    """

    said: tuple[str, ...] = ()
    failure: Failure | None = None
    cut: str = ""


def collect(result: object, is_over: threading.Event | None = None) -> Answers:
    """Convert a responder's return value to answers, without blank ones. Never raises.

    None means no answer, a str one answer, a list, tuple or iterator several: the
    first :data:`MAX_ANSWERS`, of at most :data:`MAX_LENGTH` characters each, with a
    visible mark where something was cut. Any other type is a failure. An iterator is
    read to its end, or until ``is_over`` is set: what it does goes on, though no more of
    it is shown. It may block: call this function in a thread for one.
    """
    if result is None:
        return Answers()
    several = result if isinstance(result, (list, tuple, Iterator)) else (result,)
    said: list[str] = []
    failure, left_out = None, ""
    try:
        for number, answer in enumerate(several, 1):
            text = _text_of(answer)
            if len(said) == MAX_ANSWERS and text.strip():
                left_out = TOO_MANY
                if not isinstance(result, Iterator):
                    break
            elif text.strip():
                left_out = left_out or (TOO_LONG if len(text) > MAX_LENGTH else "")
                said.append(cut(text))
            if is_over is not None and is_over.is_set():
                break
            if number % BATCH == 0 and isinstance(result, Iterator):
                time.sleep(PAUSE)
    except BaseException:
        failure = Failure()
    failure = failure or closed(several)
    if left_out == TOO_MANY:
        # The mark goes to the top, because people may read the first page only.
        said[0] = cut(f"[cut after {MAX_ANSWERS} messages]\n{said[0]}")
    return Answers(tuple(said), failure, left_out)


def closed(several: object) -> Failure | None:
    """Close a generator that is not read any further; the failure if that fails."""
    try:
        getattr(several, "close", _nothing)()
    except BaseException:
        return Failure()
    return None


def _nothing() -> None:
    pass


def _text_of(answer: object) -> str:
    if not isinstance(answer, str):
        kind = type(answer).__name__
        raise TypeError(f"returned {kind}: an answer is a str, a list of them, or None")
    return answer


def cut(text: str, length: int = MAX_LENGTH) -> str:
    """``text``, or its beginning after a visible mark, of at most ``length`` characters.

    The mark comes first, because the last pages of a long text are read only on request.
    """
    if len(text) <= length:
        return text
    mark = f"[cut at {length:,} characters]\n"
    return mark + text[: length - len(mark)]
