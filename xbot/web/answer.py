"""What a request is answered, as a value."""

from __future__ import annotations

from attrs import frozen

TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
CSS, SVG, JSON = "text/css; charset=utf-8", "image/svg+xml", "application/json"


@frozen
class Answer:
    """A status code, a body and what it is. ``max_age``: so many seconds it may be kept.

    ``allow`` are the methods that would do, where this one does not.
    """

    body: bytes
    kind: str = TEXT
    status: int = 200
    max_age: int = 0
    allow: str = ""

    @classmethod
    def text(cls, text: str, status: int = 200, allow: str = "") -> Answer:
        """A line for people."""
        return cls(f"{text}\n".encode("utf-8", "replace"), TEXT, status, allow=allow)
