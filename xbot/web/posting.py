"""What is posted, as a value, and who takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from xbot.web.answer import Answer


@frozen
class Posted:
    """One request that posts something: ``headers`` by their names in small letters."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class TakesPosts(Protocol):
    """Who takes what is posted to some paths."""

    def is_path(self, path: str) -> bool:
        """Whether something can be posted there."""
        ...

    def post(self, posted: Posted) -> Deferred[Answer]:
        """What it is answered; called for such a path only."""
        ...
