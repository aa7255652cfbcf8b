"""Schedule: a cron expression of five fields, as in crontab(5), in a time zone."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from cronsim import CronSim, CronSimError

#: Minimum interval between two due times.
SHORTEST = timedelta(minutes=5)

#: Maximum length in characters, and number of due times and period that ``check`` examines.
LONGEST, LOOKED_AT = 100, 500
WEEK = timedelta(days=8)


class Schedule:
    """The schedule ``when``, such as ``0 9 * * 1-5``; ValueError if it is invalid.

    Daylight saving time as in Debian's cron: a repeated time of day is due once, the
    first time; a skipped one right after the change.
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
        """The first due time after ``moment``, in UTC; None if there is none in 50 years."""
        for due in CronSim(self._when, moment.astimezone(self._zone)):
            # In a repeated hour CronSim finds the first occurrence again: skip it.
            if due > moment:
                return due.astimezone(UTC)
        return None

    def check(self, now: datetime) -> datetime:
        """The first due time after ``now``; ValueError if there is none, or if too frequent."""
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
