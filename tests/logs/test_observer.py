"""Tests of :mod:`xbot.logs.observer`."""

import io
import json
import os
import tempfile

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial import unittest

from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter, is_journal
from xbot.logs.repeats import BURST, WINDOW


class WriterTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.stream = io.StringIO()

    def log(self, level="info", form="text", **more):
        """A logger whose events end in our stream."""
        self.writer = LogWriter(self.stream, Levels(level), form, clock=self.clock.seconds, **more)
        return Logger("xbot.test", observer=self.writer)

    def lines(self):
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text.splitlines()

    def test_levels(self):
        """What is not grave enough is not written; a change of that holds at once."""
        log = self.log("warn")
        log.info("no")
        self.assertEqual(self.lines(), [])
        self.writer.change(Levels("debug"), "json")
        log.debug("yes")
        self.assertEqual([json.loads(line)["text"] for line in self.lines()], ["yes"])

    def test_forms(self):
        """The same event in each form, with journald's priority where that reads it."""
        for form, for_journal, told in (
            ("text", False, "warn     xbot.test: late"),
            ("text", True, "<4>xbot.test: late"),
            ("json", False, '"level": "warn", "namespace": "xbot.test", "text": "late"}'),
            ("json", True, '<4>{"time": '),
        ):
            self.log(form=form, for_journal=for_journal).warn("late")
            (line,) = self.lines()
            self.assertIn(told, line)

    def test_repeats(self):
        """A flood of one line is written some times, then as a number, with the next or in time."""
        log = self.log()
        for _ in range(BURST + 7):
            log.info("again")
        self.assertEqual(len(self.lines()), BURST)
        self.clock.advance(WINDOW)
        log.info("other")
        more, other = self.lines()
        self.assertTrue(more.endswith("xbot.test: again [7 more like this within 10 s]"), more)
        self.assertTrue(other.endswith("other"))
        for _ in range(BURST + 1):
            log.info("again")
        self.lines()
        self.writer.flush()
        self.assertEqual(self.lines(), [])
        self.clock.advance(WINDOW)
        self.writer.flush()
        self.assertIn("[1 more like this", self.lines()[0])

    def test_logging_while_logging(self):
        """What a signal's handler logs while a record is written follows it; nobody waits."""
        log = self.log()

        class Interrupted(io.StringIO):
            signals = 2

            def write(self, text):
                if self.signals:
                    self.signals -= 1
                    log.info("Received SIGTERM")
                return super().write(text)

        self.stream = self.writer._stream = Interrupted()
        log.info("first")
        texts = [line.partition("xbot.test: ")[2] for line in self.lines()]
        self.assertEqual(texts, ["first", "Received SIGTERM", "Received SIGTERM"])

    def test_a_stream_that_fails(self):
        """A stream that cannot be written for a while costs the records of that while, no more."""
        log = self.log()
        stream, self.writer._stream = self.writer._stream, None
        with self.assertRaises(AttributeError):
            log.info("lost")
        self.writer._stream = stream
        log.info("back")
        self.assertEqual(len(self.lines()), 1)

    def test_the_end(self):
        """What was only counted is told at the end."""
        log = self.log()
        for _ in range(BURST + 1):
            log.info("again")
        self.lines()
        self.writer.flush(everything=True)
        self.assertIn("[1 more like this", self.lines()[0])


class JournalTests(unittest.TestCase):
    def test_is_journal(self):
        """The journal is where JOURNAL_STREAM says, and nowhere else."""
        with tempfile.TemporaryFile("w") as file, tempfile.TemporaryFile("w") as other:
            status = os.fstat(file.fileno())
            environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            self.assertTrue(is_journal(file, environ))
            self.assertFalse(is_journal(other, environ))
            self.assertFalse(is_journal(file, {}))
        self.assertFalse(is_journal(io.StringIO(), environ))
