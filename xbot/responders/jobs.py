"""``jobs``: things to say, or to do, at certain times. For those whom the ini names."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from twisted.logger import Logger

from xbot import Failed, Message, Misused, bot, brain, every, respond, say

from ._schedule import Schedule, local_zone

#: Jobs in all, and in one room or of one person; characters of what is said.
MAX_JOBS, MAX_EACH, MAX_TEXT = 200, 20, 500

#: A job that is later than this is not done: the bot was away, or the clock was set.
LATE = timedelta(seconds=60)

#: Times at which a job ran that are remembered.
REMEMBERED = 20

Job = dict[str, Any]


class Jobs:
    """Kept in the brain: ``{"job 3": {"when", "text", "room", "author", "ran", ...}}``.

    ``timezone`` is the one of the schedules: a name such as Europe/Berlin, or the
    machine's own.
    """

    _log = Logger()

    def __init__(self, *, timezone: str = "") -> None:
        self._zone = ZoneInfo(timezone) if timezone else local_zone()
        self._next: dict[str, tuple[Job, datetime | None]] = {}
        self._seen: datetime | None = None

    async def start(self) -> None:
        """What was due while we were away is the past."""
        self._seen = bot.now()
        for name, job in _jobs():
            last = datetime.fromtimestamp(max(job["ran"], default=job["added"]), UTC)
            due = self._schedule(job).after(last)
            if due is not None and due <= self._seen and not job["suspended"]:
                self._skip(name, due, "I was away")

    @every("5s")
    async def look(self) -> None:
        """Do what has become due since the last look."""
        now = bot.now()
        since, self._seen = self._seen or now, now
        is_jump = not timedelta(0) <= now - since <= LATE
        if is_jump:
            self._log.warn("the clock was set, or stood still: {step}", step=str(now - since))
            self._next.clear()
            since = min(since, now)
        for name, job in list(_jobs()):
            due = self._due(name, job, since, now)
            if due is None or due > now or job["suspended"]:
                continue
            if is_jump:
                self._skip(name, due, "the clock was set")
                self._next.pop(name)
            elif due.timestamp() in job["ran"]:
                self._next.pop(name)
            else:
                brain[name] = {**job, "ran": [*job["ran"], due.timestamp()][-REMEMBERED:]}
                self._do(name, job, due)

    def _due(self, name: str, job: Job, since: datetime, now: datetime) -> datetime | None:
        """When the job is due next. Never again when it was already, however the clock is set."""
        known = self._next.get(name)
        if known is None or known[0] != job:
            # What ran in the far future ran by a clock that was wrong.
            ran = [at for at in job["ran"] if at <= (now + timedelta(days=1)).timestamp()]
            last = datetime.fromtimestamp(max([since.timestamp(), *ran]), UTC)
            known = self._next[name] = job, self._schedule(job).after(last)
        return known[1]

    def _do(self, name: str, job: Job, due: datetime) -> None:
        room, author, text = job["room"], job["author"], job["text"]
        overview = bot.overview()
        is_there = room is None or any(
            place.jid == room and place.is_joined for place in overview.rooms
        )
        if not overview.link.is_online or not is_there:
            self._skip(name, due, "I was not there")
        elif not bot.allows(author, room):
            self._skip(name, due, f"jobs are not for {author} any more")
        else:
            try:
                command = bot.addressed(text, room)
                if command is None:
                    say(room or author, text)
                else:
                    key = f"{name} {due:%Y-%m-%dT%H:%MZ}"
                    bot.obey_as(author, command, room=room, key=key)
            except Exception:
                self._log.failure("{job} failed", job=name)

    def _skip(self, name: str, due: datetime, reason: str) -> None:
        at = f"{due:%Y-%m-%d %H:%MZ}"
        self._log.warn("{job} was not done at {at}: {reason}", job=name, at=at, reason=reason)

    @respond(
        r'add job ["“](?P<when>[^"“”]+)["”] (?P<text>\S.*)',
        usage='add job "WHEN" TEXT',
        help="say TEXT here, or do it if it is said to me (WHEN as in a crontab)",
        example=('add job "0 9 * * 1-5" standup time!', "job 1: next on"),
    )
    async def add(self, message: Message, when: str, text: str) -> str:
        """In whose name it runs is who adds it, by the real address."""
        if message.identity is None:
            raise Failed("I cannot see who you are, and jobs are done in your name.")
        if message.room and not message.is_public:
            raise Failed("Say that for all in the room to read, or to me directly.")
        if len(text) > MAX_TEXT:
            raise Failed(f"That is too long: {MAX_TEXT} characters at most.")
        now = bot.now()
        try:
            first = Schedule(when, self._zone).check(now)
        except ValueError as error:
            raise Misused(f"{when!r}: {error}") from error
        jobs = [job for _, job in _jobs()]
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
        return f"{name}: next on {self._shown(first)}"

    @respond("list jobs", help="those of this room, or yours", effect=False)
    async def show(self, message: Message) -> str:
        """In private those of the asker, wherever."""
        lines = []
        for name, job in _jobs():
            if _is_here(job, message):
                due = self._schedule(job).after(bot.now())
                state = "suspended" if job["suspended"] else f"next on {self._shown(due)}"
                where = "" if message.is_public else f" in {job['room'] or 'private'}"
                lines.append(f'{name}: "{job["when"]}" {job["text"]} ({state}{where})')
        return "\n".join(lines) or "There are none."

    @respond(
        r"(?P<what>delete|suspend|resume) job (?P<number>[0-9]{1,9})",
        usage="delete|suspend|resume job NUMBER",
        help="do it no more, or not for now, or again",
    )
    async def change(self, message: Message, what: str, number: str) -> str:
        """By its author anywhere, and by whoever may use jobs in its room."""
        name = f"job {int(number)}"
        job = brain.get(name)
        if job is None or not _is_here(job, message):
            raise Failed(f"There is no {name} here.")
        if what.casefold() == "delete":
            del brain[name]
            return f"{name} is deleted."
        brain[name] = {**job, "suspended": what.casefold() == "suspend"}
        return f"{name} is {what.casefold().removesuffix('e')}ed."

    def _schedule(self, job: Job) -> Schedule:
        return Schedule(job["when"], self._zone)

    def _shown(self, due: datetime | None) -> str:
        return f"{due.astimezone(self._zone):%a %Y-%m-%d %H:%M %Z}" if due else "no day"


def _jobs() -> Iterator[tuple[str, Job]]:
    return ((name, job) for name, job in brain.items() if name != "last")


def _is_here(job: Job, message: Message) -> bool:
    if message.is_public:
        return bool(job["room"] == message.room)
    return message.identity is not None and bool(job["author"] == message.identity)
