"""Importable names for a test's objects, so that ``use`` can load them as from an ini."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType

_GIVEN: dict[str, object] = {}


@contextmanager
def given(objects: Iterable[object]) -> Iterator[list[tuple[str, object]]]:
    """Within the block, each object with a value for ``use``. Modules keep their own names."""
    uses: list[tuple[str, object]] = []
    names: list[str] = []
    for each in objects:
        if isinstance(each, ModuleType):
            uses.append((each.__name__, each))
            continue
        name = f"given_{len(_GIVEN)}"
        _GIVEN[name] = each
        names.append(name)
        uses.append((f"{__name__}:{name}", each))
    try:
        yield uses
    finally:
        for name in names:
            del _GIVEN[name]


def __getattr__(name: str) -> object:
    try:
        return _GIVEN[name]
    except KeyError:
        raise AttributeError(name) from None
