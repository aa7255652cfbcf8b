"""What is to be said of one post, as a value: items that are each said once. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256

from attrs import frozen

from xbot.model.markup import code

#: One post says no more lines and characters.
MAX_LINES, MAX_LENGTH = 12, 3000

# What is kept for the line that tells how many more there are.
_MORE = 40


@frozen
class Item:
    """One thing to be said: lines of text, each harmless, and what tells it from others.

    ``status`` is a word such as FIRING, by which several are counted.
    """

    key: str
    lines: tuple[str, ...]
    status: str = ""


@frozen
class Report:
    """All that one post says. ``heading`` is what its items have in common.

    ``unseen`` of them the sender left out.
    """

    items: tuple[Item, ...]
    heading: str = ""
    unseen: int = 0

    def said(self, name: str, items: Sequence[Item], is_code: bool = False) -> str:
        """``items`` of it, as the webhook ``name`` says them.

        Every line that begins at the margin begins with ``[name]``, so that
        nobody else's words can look like a line of their own, a command, a
        fence or what another webhook says.
        """
        is_one = len(items) == 1 and not self.unseen
        lines = _one(items[0]) if is_one else self._several(items)
        lines = lines[: MAX_LINES + 1]
        if is_code:
            return f"[{name}]\n{code(_fitting(lines, ''))}"
        return f"[{name}] {_fitting(lines, '  ')}"

    def _several(self, items: Sequence[Item]) -> list[str]:
        counts = Counter(item.status for item in items if item.status)
        told = ", ".join(f"{count} {status.lower()}" for status, count in counts.items())
        lines = list(filter(None, [": ".join(filter(None, [told, self.heading]))]))
        length, shown = sum(map(len, lines)), 0
        for item in items:
            told = " ".join(_one(item))
            length += len(told) + 3
            if len(lines) >= MAX_LINES or (shown and length > MAX_LENGTH - _MORE):
                break
            lines.append(told)
            shown += 1
        more = len(items) - shown + self.unseen
        return [*lines, f"and {more} more"] if more else lines


def _one(item: Item) -> list[str]:
    first, *others = item.lines
    return [f"{item.status} {first}".strip(), *others]


def _fitting(lines: Iterable[str], margin: str) -> str:
    text = f"\n{margin}".join(lines)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1].rstrip() + "\u2026"


def key_of(*parts: object) -> str:
    """A short name for what these parts say together."""
    text = json.dumps(parts, sort_keys=True)
    return sha256(text.encode()).hexdigest()
