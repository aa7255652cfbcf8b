"""Objects under names for ``use``, so that what a test made is loaded as an ini's would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_GIVEN: dict[str, object] = {}


@contextmanager
def given(objects: Mapping[str, object]) -> Iterator[None]:
    """Within, ``use = xbot.testing.given:NAME`` names the object of that name."""
    before = dict(_GIVEN)
    _GIVEN.update(objects)
    try:
        yield
    finally:
        _GIVEN.clear()
        _GIVEN.update(before)


def __getattr__(name: str) -> object:
    try:
        return _GIVEN[name]
    except KeyError:
        raise AttributeError(name) from None
