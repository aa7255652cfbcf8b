"""POST request as a value, and the protocol of its handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from xbot.web.answer import Answer


@frozen
class PostRequest:
    """One POST request; the names of ``headers`` are in lower case."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class PostHandler(Protocol):
    """Handles the POST requests to some paths."""

    def is_path(self, path: str) -> bool:
        """Whether it handles ``path``."""
        ...

    def post(self, posted: PostRequest) -> Deferred[Answer]:
        """Handle a request to one of its paths; fires with the response."""
        ...
