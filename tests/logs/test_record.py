"""Tests of :mod:`xbot.logs.record`."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.python import log as legacy
from twisted.trial import unittest

from xbot.logs.record import MAX_RECORD, MAX_TRACEBACK, PRIORITIES, Record
from xbot.logs.text import cut, escape

NOON = 1_700_000_000.25


class RecordCase(unittest.TestCase):
    def record(self, emit) -> Record:
        """What becomes of the event that ``emit`` makes with a logger."""
        events = []
        emit(Logger("xbot.test", observer=events.append))
        return Record.of(events[0])

    def failed(self, reason: str) -> Record:
        def emit(log):
            try:
                raise ValueError(reason)
            except ValueError:
                log.failure("it failed")

        return self.record(emit)


class PeopleTests(RecordCase):
    def test_record(self):
        """A record has a time, a level, whose it is, and its text."""
        record = self.record(lambda log: log.warn("{who} is late", who="alice"))
        self.assertRegex(
            record.for_people(NOON),
            r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d warn     xbot\.test: alice is late\n$",
        )

    def test_nothing_acts(self):
        """What people say stays on its line, in its direction, and is not evaluated."""
        text = "a\r\n2026 info: forged\x1b[2J\u2028\u202e\x9b\ud800{who.__class__}%s"
        record = self.record(lambda log: log.info("said {text}", text=text, who=self))
        told = r"said a\r\n2026 info: forged\x1b[2J\u2028\u202e\x9b\ud800{who.__class__}%s"
        for line in (record.for_people(NOON), record.for_journal()):
            self.assertTrue(line.endswith(f"{told}\n"), line)
            self.assertEqual(len(line.splitlines()), 1)

    def test_traceback(self):
        """A failure brings its traceback, indented, each line of it escaped."""
        first, *rest = self.failed("\x1bevil\nsecond").for_people(NOON).splitlines()
        self.assertTrue(first.endswith("xbot.test: it failed"))
        self.assertTrue(all(line.startswith("\t") for line in rest))
        self.assertIn("\t" r"builtins.ValueError: \x1bevil", rest)

    def test_nothing_to_say(self):
        """An event without text and without a failure is no record."""
        self.assertIsNone(self.record(lambda log: log.info("")))

    def test_the_older_log(self):
        """What Twisted's older log is told becomes a record too."""
        events = []
        legacy.addObserver(events.append)
        self.addCleanup(legacy.removeObserver, events.append)
        legacy.msg("old\x1b", system="x")
        self.assertEqual(Record.of(events[0]).text, r"old\x1b")
        self.assertEqual(dict(Record.of(events[0]).fields), {})

    def test_what_cannot_be_formatted(self):
        """An event that cannot be made a text is told as such; nothing is raised."""

        class Odd:
            def __str__(self):
                raise ZeroDivisionError

        record = self.record(lambda log: log.info("{odd}", odd=Odd()))
        self.assertIn("Unable to format event", record.text)
        self.assertEqual(dict(record.fields)["odd"], "(cannot be shown)")


class JournalTests(RecordCase):
    def test_priorities(self):
        """Each line for journald begins with its priority; it has the time itself."""
        for level, priority in PRIORITIES.items():
            record = self.record(lambda log, level=level: getattr(log, level)("x"))
            self.assertEqual(record.for_journal(), f"<{priority}>xbot.test: x\n")

    def test_traceback(self):
        """A traceback's lines are as grave as what they belong to."""
        lines = self.failed("no").for_journal().splitlines()
        self.assertEqual({line[:3] for line in lines}, {"<2>"})


class MachineTests(RecordCase):
    def test_record(self):
        """A record is one JSON object with the fields that the text was made of."""
        record = self.record(lambda log: log.info("{who}: {n}", who="al\u202eice", n=3, x=None))
        self.assertEqual(
            json.loads(record.for_machines(NOON)),
            {
                "time": "2023-11-14T22:13:20.250+00:00",
                "level": "info",
                "namespace": "xbot.test",
                "text": r"al\u202eice: 3",
                "fields": {"who": r"al\u202eice", "n": 3, "x": None},
            },
        )

    def test_traceback(self):
        """A failure's traceback is one more member."""
        record = json.loads(self.failed("no").for_machines(NOON))
        self.assertTrue(record["traceback"].endswith("ValueError: no"))


class BoundTests(RecordCase):
    @given(st.text(), st.integers(1, 3000))
    def test_bounded(self, text, times):
        """Any text makes a record of at most 2 KiB in each form, on one line of valid text."""
        record = self.record(lambda log: log.info("{text}", text=text * times, more=text * times))
        if record is None:
            return
        for line in (record.for_people(NOON), record.for_journal(), record.for_machines(NOON)):
            self.assertLessEqual(len(line.encode()), MAX_RECORD)
            self.assertEqual(len(line.splitlines()), 1)
        json.loads(record.for_machines(NOON))

    def test_long_tracebacks(self):
        """Of a long traceback the end is told."""
        for reason in ("x" * 100_000, "é\n" * 100_000, "\U0001f600" * 100_000):
            record = self.failed(reason)
            limit = MAX_RECORD + MAX_TRACEBACK
            self.assertLess(len(record.for_people(NOON).encode()), limit)
            self.assertLess(len(record.for_machines(NOON)), limit)
            json.loads(record.for_machines(NOON))

    def test_many_fields(self):
        """An event with many fields is told with some of them, or without."""
        fields = {f"field{number}": "\x01" * 1000 for number in range(100)}
        record = self.record(lambda log: log.info("short", **fields))
        told = record.for_machines(NOON)
        self.assertLessEqual(len(told), MAX_RECORD)
        self.assertEqual(json.loads(told)["text"], "short")


class TextTests(unittest.TestCase):
    @given(st.text())
    def test_one_line(self, text):
        """Any text is one line, and plain text stays as it is."""
        self.assertEqual(len((escape(text) + ".").splitlines()), 1)
        if text.isalnum():
            self.assertEqual(escape(text), text)

    @given(st.text(), st.integers(6, 50))
    def test_cut(self, text, limit):
        """What is cut fits, says so, and begins as it did."""
        short = cut(text, limit)
        self.assertLessEqual(len(short.encode("utf-8", "surrogatepass")), limit)
        if short != text:
            self.assertTrue(short.endswith(" [cut]"))
            self.assertTrue(text.startswith(short.removesuffix(" [cut]")))
