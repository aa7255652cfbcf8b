"""The jobs that are kept in the brain: ``{"job 3": {...}}``, and when each is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from xbot import Failed, Message, brain

from ._schedule import Schedule

#: Jobs in all, and in one room or of one person; characters of what is said.
MAX_JOBS, MAX_EACH, MAX_TEXT = 200, 20, 500

#: Times at which a job ran that are remembered.
REMEMBERED = 20

Job = dict[str, Any]


def keep(message: Message, when: str, text: str, now: datetime) -> str:
    """A new job of whoever said this, where it was said; gives its name."""
    if len(text) > MAX_TEXT:
        raise Failed(f"That is too long: {MAX_TEXT} characters at most.")
    jobs = [job for _, job in kept()]
    here = sum(job["room"] == message.room for job in jobs) if message.room else 0
    own = sum(job["author"] == message.identity for job in jobs)
    if len(jobs) >= MAX_JOBS or max(here, own) >= MAX_EACH:
        raise Failed("There are too many jobs already; delete one first.")
    name = f"job {brain.increment('last')}"
    brain[name] = {
        "when": when,
        "text": text,
        "room": message.room,
        "author": message.identity,
        "added": now.timestamp(),
        "ran": [],
        "suspended": False,
    }
    return name


def kept() -> Iterator[tuple[str, Job]]:
    """All jobs by name, in the order in which they were added."""
    return ((name, job) for name, job in brain.items() if name != "last")


def is_here(job: Job, message: Message) -> bool:
    """Whether whoever said this can see the job: in its room, and its author in private."""
    if message.is_public:
        return bool(job["room"] == message.room)
    return message.identity is not None and bool(job["author"] == message.identity)


def next_time(job: Job, zone: tzinfo, since: datetime, now: datetime) -> datetime | None:
    """When it is due after ``since``; never again when it was already, however clocks are set."""
    # What ran in the far future ran by a clock that was wrong.
    ran = [at for at in job["ran"] if at <= (now + timedelta(days=1)).timestamp()]
    last = datetime.fromtimestamp(max([since.timestamp(), *ran]), UTC)
    return Schedule(job["when"], zone).after(last)


def got_done(name: str, job: Job, due: datetime) -> None:
    """It is not to be done for this time again."""
    brain[name] = {**job, "ran": [*job["ran"], due.timestamp()][-REMEMBERED:]}
