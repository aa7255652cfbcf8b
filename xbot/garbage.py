"""Python's garbage collector while there is nothing for it to find."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: So many collections of one generation come before one of the next: never.
_NEVER = 1 << 30


@contextmanager
def only_young() -> Iterator[None]:
    """While this is entered, each new thing is looked at once, and nothing again later.

    A start makes tens of thousands of things that stay. To look through all of
    them each time that a quarter has been added takes a tenth of its CPU.
    """
    before = gc.get_threshold()
    gc.set_threshold(before[0], _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
