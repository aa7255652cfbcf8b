"""Random, unguessable identifiers for stanzas and sessions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

#: Identifiers made from one read of the kernel's random source, which is the expensive part.
_BATCH = 64
_LENGTH = 12


def _names() -> Iterator[str]:
    while True:
        # base64: three bytes make four characters.
        random = secrets.token_urlsafe(_BATCH * _LENGTH * 3 // 4)
        for start in range(0, len(random), _LENGTH):
            yield random[start : start + _LENGTH]


_unused = _names()


def new_ident() -> str:
    """A new identifier: twelve URL-safe characters with 72 bits of entropy."""
    return next(_unused)
