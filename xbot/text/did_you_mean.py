"""Suggest the nearest valid name ("did you mean ...?")."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, valid: Iterable[str]) -> str:
    """``; did you mean X?`` with the valid name nearest to ``name``; empty if none is near."""
    near = get_close_matches(name[:64], sorted(valid), n=1, cutoff=0.55)
    return f"; did you mean {near[0]}?" if near else ""
