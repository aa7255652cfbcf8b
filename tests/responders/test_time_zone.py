"""Tests of the time zone in which ``jobs`` counts: every form of ``TZ`` that libc takes."""

import os
import time
from datetime import UTC, datetime, timedelta

from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from xbot.responders import _time_zone
from xbot.responders._time_zone import UnknownTimeZone, local_zone
from xbot.responders.jobs import Jobs

#: One of each form, and what libc does without dates, with quotes, and with other offsets.
FORMS = (
    "Europe/Berlin",
    ":America/New_York",
    "/usr/share/zoneinfo/Asia/Kathmandu",
    ":/usr/share/zoneinfo/Australia/Lord_Howe",
    "UTC",
    "UTC0",
    "JST-9",
    "CET-1CEST",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT4,M3.2.0/2,M11.1.0/2",
    "<+0330>-3:30",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "",
)


class TimeZoneTests(TestCase):
    def libc(self, named: str, when: datetime) -> timedelta:
        """The offset that libc has for this ``TZ``."""
        before = os.environ.get("TZ")
        os.environ["TZ"] = named
        time.tzset()
        try:
            return timedelta(seconds=time.localtime(when.timestamp()).tm_gmtoff)
        finally:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()

    def test_forms(self) -> None:
        """Whatever libc takes means what it means to libc, in every month."""
        for named in FORMS:
            zone = local_zone({"TZ": named})
            for month in range(1, 13):
                when = datetime(2027, month, 15, 12, tzinfo=UTC)
                expected = self.libc(named, when)
                self.assertEqual(when.astimezone(zone).utcoffset(), expected, (named, month))

    def test_machine(self) -> None:
        """Without ``TZ`` the machine's zone counts, and UTC where there is none."""
        self.assertIsNotNone(local_zone({}).utcoffset(datetime(2027, 1, 1)))
        self.patch(_time_zone, "_from_file", _missing)
        self.assertIs(local_zone({}), UTC)

    def test_other_forms(self) -> None:
        """What libc does not take either is told, and jobs count in UTC then."""
        for named in ("nonsense", "Mars/Olympus", "/no/such/file", "../etc", "CET-1CEST,x", "A\0"):
            self.assertRaises(UnknownTimeZone, local_zone, {"TZ": named})
        self.patch(os, "environ", os.environ | {"TZ": "nonsense"})
        self.patch(_time_zone.local_zone, "__defaults__", (os.environ,))
        with capturedLogs() as events:
            jobs = Jobs()
        self.assertIs(jobs._zone, UTC)
        self.assertIn("no rule of POSIX", events[0]["reason"])


def _missing(*_: object) -> object:
    raise FileNotFoundError
