"""Names for what is sent, which nobody can guess."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

#: Asking the kernel for chance costs more than all the rest of a name: it is asked for so many.
_AT_ONCE = 64
_LENGTH = 12


def _names() -> Iterator[str]:
    while True:
        # Three bytes make four characters.
        chance = secrets.token_urlsafe(_AT_ONCE * _LENGTH * 3 // 4)
        for start in range(0, len(chance), _LENGTH):
            yield chance[start : start + _LENGTH]


_unused = _names()


def new_ident() -> str:
    """Twelve characters, of 72 bits of chance, that were never given before."""
    return next(_unused)
