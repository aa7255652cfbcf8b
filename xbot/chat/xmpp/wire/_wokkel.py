"""Import of wokkel on current Twisted; no other module imports wokkel.

COMPAT: wokkel 18.0.0, its last release, imports names that Twisted dropped in
21.2: ``_PY3`` and others of ``twisted.python.compat``, and the whole of
``twisted.python.constants``. While wokkel is imported, stand-ins for both are
in ``sys.modules``; afterwards both are restored. Twisted itself is never
changed. Can go when a wokkel is released that imports on today's Twisted.

What a bot needs only once it is in a room, or is asked something, is imported when it is
first used: ``_wokkel.disco`` imports ``wokkel.disco``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import constantly
from twisted.python import compat


def _compat_stand_in() -> ModuleType:
    """A ``twisted.python.compat`` with the missing names; it delegates the rest to the real one."""
    stand_in = ModuleType("twisted.python.compat")
    stand_in.__dict__.update(
        _PY3=True,
        unicode=str,
        StringType=str,
        iteritems=lambda mapping: iter(mapping.items()),
        itervalues=lambda mapping: iter(mapping.values()),
        __getattr__=lambda name: getattr(compat, name),
    )
    return stand_in


@contextmanager
def legacy_twisted() -> Iterator[None]:
    """Context manager in which wokkel's modules and tests can be imported."""
    stand_ins = {
        "twisted.python.compat": _compat_stand_in(),
        "twisted.python.constants": constantly,
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


with legacy_twisted():
    from wokkel.iwokkel import IDisco
    from wokkel.subprotocols import StreamManager, XMPPHandler

#: Modules of wokkel that are imported when they are first used.
LAZY = ("data_form", "disco", "generic", "muc", "ping", "pubsub")


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with legacy_twisted():
        module = import_module(f"wokkel.{name}")
    # From now on it is found without this function.
    globals()[name] = module
    return module


__all__ = [
    "IDisco",
    "StreamManager",
    "XMPPHandler",
    "legacy_twisted",
]
