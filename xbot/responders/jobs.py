"""``jobs``: scheduled messages and commands. Needs ``allow`` in the ini."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from twisted.logger import Logger

from xbot import Failed, Message, Misused, bot, brain, every, respond

from ._job_clock import JobClock
from ._kept_jobs import is_here, keep, kept
from ._schedule import Schedule
from ._time_zone import UnknownTimeZone, local_zone


class Jobs:
    """The commands for jobs. ``timezone`` is that of the schedules, by default the machine's."""

    _log = Logger()

    def __init__(self, *, timezone: ZoneInfo | None = None) -> None:
        self._zone = timezone or self._local_zone()
        self._clock = JobClock(self._zone)

    def _local_zone(self) -> tzinfo:
        try:
            return local_zone()
        except UnknownTimeZone as unknown:
            self._log.warn("jobs count in UTC: {reason}", reason=str(unknown))
            return UTC

    async def start(self) -> None:
        self._clock.begin()

    @every("5s")
    async def look(self) -> None:
        self._clock.look()

    @respond(
        r'add job ["“](?P<when>[^"“”]+)["”] (?P<text>\S.*)',
        usage='add job "WHEN" TEXT',
        help="say TEXT here, or do it if it is said to me (WHEN as in a crontab)",
        example=('add job "0 9 * * 1-5" standup time!', "job 1: next on"),
    )
    async def add(self, message: Message, when: str, text: str) -> str:
        """Add a job; it runs with the rights of its author, known by the real address."""
        if message.identity is None:
            raise Failed("I cannot see who you are, and jobs are done in your name.")
        if message.room and not message.is_public:
            raise Failed("Say that for all in the room to read, or to me directly.")
        now = bot.now()
        try:
            first = Schedule(when, self._zone).check(now)
        except ValueError as error:
            raise Misused(f"{when!r}: {error}") from error
        return f"{keep(message, when, text, now)}: next on {self._shown(first)}"

    @respond("list jobs", help="those of this room, or yours", effect=False)
    async def show(self, message: Message) -> str:
        """List the jobs of this room; in private, the sender's own jobs everywhere."""
        lines = []
        for name, job in kept():
            if is_here(job, message):
                due = Schedule(job["when"], self._zone).after(bot.now())
                state = "suspended" if job["suspended"] else f"next on {self._shown(due)}"
                where = "" if message.is_public else f" in {job['room'] or 'private'}"
                lines.append(f'{name}: "{job["when"]}" {job["text"]} ({state}{where})')
        return "\n".join(lines) or "There are none."

    @respond(
        r"(?P<what>delete|suspend|resume) job (?P<number>[0-9]{1,9})",
        usage="delete|suspend|resume job NUMBER",
        help="do it no more, or not for now, or again",
    )
    async def change(self, message: Message, what: str, number: int) -> str:
        """Delete, suspend or resume a job: for its author, or for any user of jobs in its room."""
        name, what = f"job {number}", what.casefold()
        job = brain.get(name)
        if job is None or not is_here(job, message):
            raise Failed(f"There is no {name} here.")
        if what == "delete":
            del brain[name]
        else:
            brain[name] = {**job, "suspended": what == "suspend"}
        return f"{name} is {what.removesuffix('e')}ed."

    def _shown(self, due: datetime | None) -> str:
        return f"{due.astimezone(self._zone):%a %Y-%m-%d %H:%M %Z}" if due else "no day"
