"""Answer: an HTTP response as a value."""

from __future__ import annotations

from attrs import frozen

TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
CSS, SVG, JSON = "text/css; charset=utf-8", "image/svg+xml", "application/json"


@frozen
class Answer:
    """Status code, body and content type (``kind``) of a response.

    ``max_age`` is how long clients may cache it, in seconds. ``allow`` is the value of
    the Allow header for status 405.
    """

    body: bytes
    kind: str = TEXT
    status: int = 200
    max_age: int = 0
    allow: str = ""

    @classmethod
    def text(cls, text: str, status: int = 200, allow: str = "") -> Answer:
        """One line of plain text."""
        return cls(f"{text}\n".encode("utf-8", "replace"), TEXT, status, allow=allow)
