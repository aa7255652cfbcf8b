"""Mistakes in a responder's options or code, before they have a file and line of the ini."""

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
    """Mistakes in the options of one responder: pairs of an option's name and the reason."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{option}: {reason}" for option, reason in mistakes))
        self.mistakes = mistakes


@contextmanager
def blaming(option: str, what: str) -> Iterator[None]:
    """Turn any exception raised inside, SystemExit included, into :class:`Mistakes` of ``option``.

    The reason begins with ``what`` and names the place in the code.
    """
    try:
        yield
    except (KeyboardInterrupt, Mistakes):
        raise
    except BaseException as error:
        where = place_of(error)
        reason = f"{what}: {type(error).__name__}: {error}{where and f' ({where})'}"
        raise Mistakes((option, reason)) from error


def place_of(error: BaseException) -> str:
    """``file:line`` where ``error`` was raised, in code other than xbot's; empty if unknown.

    It is the last frame in the operator's own code, else in an installed package.
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
