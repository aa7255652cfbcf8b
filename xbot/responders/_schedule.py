"""When a job is due: five fields as in crontab(5), in a time zone."""

import os
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: Jobs are due no more often than that.
SHORTEST = timedelta(minutes=5)

#: The longest schedule, in characters, and how many of its times, of how long, are looked at.
LONGEST, LOOKED_AT = 100, 500
WEEK = timedelta(days=8)


class Schedule:
    """``when``, such as ``0 9 * * 1-5``; a ValueError says what is wrong with it.

    Times of day that a change of the clocks repeats are due the first time, and
    those that it leaves out right after it, as Debian's cron has it.
    """

    def __init__(self, when: str, zone: tzinfo) -> None:
        if len(when) > LONGEST or len(when.split()) != 5:
            raise ValueError("it has five fields: minute, hour, day, month, day of the week")
        self._when = when
        self._zone = zone
        try:
            CronSim(when, datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(str(error).lower()) from error

    def after(self, moment: datetime) -> datetime | None:
        """The first time that is later, in UTC; None when there is none in 50 years."""
        for due in CronSim(self._when, moment.astimezone(self._zone)):
            # In an hour that comes twice it finds the first one again.
            if due > moment:
                return due.astimezone(UTC)
        return None

    def check(self, now: datetime) -> datetime:
        """The first time after ``now``. A ValueError if there is none, or they come too often."""
        first = earlier = None
        for due in islice(CronSim(self._when, now.astimezone(UTC)), LOOKED_AT):
            if earlier is not None and due - earlier < SHORTEST:
                raise ValueError(f"that is too often: {SHORTEST.seconds // 60} minutes at least")
            first = first or due
            if due - first > WEEK:
                break
            earlier = due
        soonest = self.after(now)
        if soonest is None:
            raise ValueError("that is never")
        return soonest


def local_zone() -> tzinfo:
    """The machine's: of $TZ, else of /etc/localtime, else UTC."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return ZoneInfo(name)
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file, "local time")
    except (OSError, ValueError):
        return UTC
