"""What is wrong with a responder's settings or code, before anybody knows where that stands."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xbot.engine.loading.reimport import installed
from xbot.model.errors import XbotError

_OURS = Path(__file__).resolve().parent


class Mistakes(XbotError):
    """Mistakes in the options of one responder: pairs of an option's name and what is wrong."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{option}: {reason}" for option, reason in mistakes))
        self.mistakes = mistakes


@contextmanager
def blaming(option: str, what: str) -> Iterator[None]:
    """Report whatever is raised inside, SystemExit included, and where it was raised."""
    try:
        yield
    except (KeyboardInterrupt, Mistakes):
        raise
    except BaseException as error:
        where = place_of(error)
        reason = f"{what}: {type(error).__name__}: {error}{where and f' ({where})'}"
        raise Mistakes((option, reason)) from error


def place_of(error: BaseException) -> str:
    """``file:line`` of what led there, in other code than ours; empty where nobody knows.

    That is the last place in the operator's own code, else in an installed package.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and Path(frame.filename).parent != _OURS
        and frame.filename != importlib.__file__
    ]
    folders = (*installed(), _OURS.parents[1])
    own = [
        frame
        for frame in frames
        if not any(Path(frame.filename).resolve().is_relative_to(folder) for folder in folders)
    ]
    last = (own or frames)[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else ""
