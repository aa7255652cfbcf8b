"""Sentences about events of code forges: who did what in which repository. Pure."""

from __future__ import annotations

from xbot.webhooks.payload import Part, line

#: Maximum number of commits of a push that are shown, and length of names, in characters.
MAX_COMMITS, MAX_NAME = 5, 100

#: Git's null commit: "before" of a new branch, "after" of a deleted one.
NOTHING = "0" * 40

Lines = tuple[str, ...]
"""Lines of text; empty if the event is not reported."""


def sentence(payload: Part, what: str, link: str = "") -> str:
    """``REPOSITORY: PERSON what LINK``."""
    who = person(payload) or "somebody"
    return " ".join(filter(None, [f"{repository(payload)}: {who} {what}", link]))


def repository(payload: Part) -> str:
    """Full name of the repository, else of the organisation."""
    name = payload["repository"]["full_name"].text(MAX_NAME)
    return name or payload["organization"]["login"].text(MAX_NAME) or "(no repository)"


def person(payload: Part) -> str:
    """Login of the person who did it; empty if it is missing."""
    paths = ("sender.login", "sender.username", "pusher.login", "pusher.name")
    return next(filter(None, (payload.at(path).text(MAX_NAME) for path in paths)), "")


def ref_of(ref: str) -> tuple[str, str]:
    """Kind and name of a git reference: branch, tag or ref."""
    for start, kind in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(start):
            return kind, line(ref.removeprefix(start), MAX_NAME)
    return "ref", line(ref, MAX_NAME)


def is_true(part: Part) -> bool:
    """Whether the value is ``true``."""
    return part.value is True


def push_lines(commits: list[Part], count: int) -> list[str]:
    """The first commits of a push of ``count`` commits, one line each."""
    told = [_commit(commit) for commit in commits[:MAX_COMMITS]]
    return [*told, f"and {count - MAX_COMMITS} more"] if count > MAX_COMMITS else told


def pushed(count: int, is_forced: bool = False) -> str:
    """``pushed 2 commits``."""
    return f"{'force-pushed' if is_forced else 'pushed'} {count} commit{'s' * (count != 1)}"


def _commit(commit: Part) -> str:
    author = commit["author"]
    name = author["username"].text(MAX_NAME) or author["name"].text(MAX_NAME)
    return f"{commit['id'].text()[:8]} {commit['message'].first_line()}" + (
        f" ({name})" if name else ""
    )
