"""JobClock: runs jobs at their times with their author's rights; missed times are skipped."""

from datetime import UTC, datetime, timedelta, tzinfo

from twisted.logger import Logger

from xbot import bot, say

from ._kept_jobs import Job, got_done, kept, next_time
from ._schedule import Schedule

#: A job that is later than this is skipped: the bot was away, or the clock was set.
LATE = timedelta(seconds=60)


class JobClock:
    """Runs due jobs whenever :meth:`look` is called. Schedules are in the time zone ``zone``."""

    _log = Logger()

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._next: dict[str, tuple[Job, datetime | None]] = {}
        self._seen: datetime | None = None

    def begin(self) -> None:
        """Start; log the jobs that became due while the bot was away as skipped."""
        self._seen = bot.now()
        for name, job in kept():
            last = datetime.fromtimestamp(max(job["ran"], default=job["added"]), UTC)
            due = Schedule(job["when"], self._zone).after(last)
            if due is not None and due <= self._seen and not job["suspended"]:
                self._skip(name, due, "I was away")

    def look(self) -> None:
        """Run the jobs that became due since the last call; after a clock jump, skip them.

        At most once: each run is recorded before it begins.
        """
        now = bot.now()
        since, self._seen = self._seen or now, now
        is_jump = not timedelta(0) <= now - since <= LATE
        if is_jump:
            self._log.warn(
                "the clock jumped by {step}; due jobs are skipped", step=str(now - since)
            )
            self._next.clear()
            since = min(since, now)
        for name, job in list(kept()):
            due = self._due(name, job, since, now)
            if due is None or due > now or job["suspended"]:
                continue
            if is_jump:
                self._skip(name, due, "the clock was set")
                self._next.pop(name)
            elif due.timestamp() in job["ran"]:
                self._next.pop(name)
            else:
                got_done(name, job, due)
                self._do(name, job, due)

    def _due(self, name: str, job: Job, since: datetime, now: datetime) -> datetime | None:
        """The next due time of the job, cached until the job changes."""
        known = self._next.get(name)
        if known is None or known[0] != job:
            known = self._next[name] = job, next_time(job, self._zone, since, now)
        return known[1]

    def _do(self, name: str, job: Job, due: datetime) -> None:
        """Send the job's text, or obey its command with the author's rights; else log why not."""
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
