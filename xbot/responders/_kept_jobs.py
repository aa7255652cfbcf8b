"""Storage of jobs in the brain, as ``{"job 3": {...}}``, and their next due times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from xbot import Failed, Message, brain

from ._schedule import Schedule

#: Maximum number of jobs in all, and per room and per author; of characters of a job's text.
MAX_JOBS, MAX_EACH, MAX_TEXT = 200, 20, 500

#: Number of past runs that are stored per job.
REMEMBERED = 20

Job = dict[str, Any]


def keep(message: Message, when: str, text: str, now: datetime) -> str:
    """Store a new job of the sender of ``message``, for the same place; return its name."""
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
    """All jobs by name, in the order of their creation."""
    return ((name, job) for name, job in brain.items() if name != "last")


def is_here(job: Job, message: Message) -> bool:
    """Whether the sender may see the job: everyone in its room, its author in private."""
    if message.is_public:
        return bool(job["room"] == message.room)
    return message.identity is not None and bool(job["author"] == message.identity)


def next_time(job: Job, zone: tzinfo, since: datetime, now: datetime) -> datetime | None:
    """The next due time after ``since`` and after all past runs, also if the clock was set back."""
    # Ignore runs in the far future: the clock was wrong then.
    ran = [at for at in job["ran"] if at <= (now + timedelta(days=1)).timestamp()]
    last = datetime.fromtimestamp(max([since.timestamp(), *ran]), UTC)
    return Schedule(job["when"], zone).after(last)


def got_done(name: str, job: Job, due: datetime) -> None:
    """Record the run for the time ``due``, so that it is not repeated."""
    brain[name] = {**job, "ran": [*job["ran"], due.timestamp()][-REMEMBERED:]}
