"""Report: the items to send for one post, and their text. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from attrs import frozen

from xbot.model.markup import code

#: Maximum number of lines and characters of one post's text.
MAX_LINES, MAX_LENGTH = 12, 3000

#: Headers with the id of a delivery, which is the same when it is delivered again: GitHub,
#: Gitea, Forgejo, Gogs, GitLab (three), Bitbucket Cloud and Data Center, Sentry.
DELIVERIES = (
    "x-github-delivery",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-gogs-delivery",
    "idempotency-key",
    "webhook-id",
    "x-gitlab-event-uuid",
    "x-request-uuid",
    "x-request-id",
    "request-id",
)

#: Maximum length of a delivery's id, in characters.
_MAX_ID = 200

# Characters reserved for the line "and N more".
_MORE = 40


@frozen
class Item:
    """One event: sanitised lines of text, and ``key``, which identifies duplicates.

    Without a key it is never a duplicate: the same text may tell of another event.
    ``status`` is a word such as FIRING, by which items are counted.
    """

    key: str | None
    lines: tuple[str, ...]
    status: str = ""


@frozen
class Report:
    """The items of one post. ``heading`` is what they have in common.

    ``unseen`` is the number of further items that are not included.
    """

    items: tuple[Item, ...]
    heading: str = ""
    unseen: int = 0

    def said(self, name: str, items: Sequence[Item], is_code: bool = False) -> str:
        """Format ``items`` as the text of the webhook ``name``.

        The first line begins with ``[name]`` and all others are indented, or in a code
        block, so that a stranger's text cannot look like a message of its own, a
        command, a code fence or another webhook's text.
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


def delivery_key(headers: Mapping[str, str], event: str, lines: Sequence[str]) -> str | None:
    """Key of one delivery by its id in ``headers``; None without an id.

    With the text, because a webhook of GitLab that another one triggered has the same
    X-Gitlab-Event-UUID, and a proxy may send the same request id twice.
    """
    given = next((headers[name] for name in DELIVERIES if headers.get(name)), None)
    return None if given is None else key_of("delivery", given[:_MAX_ID], event, list(lines))


def key_of(*parts: object) -> str:
    """SHA-256 of ``parts``, as a key for deduplication."""
    text = json.dumps(parts, sort_keys=True)
    return sha256(text.encode()).hexdigest()
