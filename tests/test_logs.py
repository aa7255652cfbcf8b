"""The log for people."""

import io

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel
from twisted.trial import unittest

from xbot.logs import LEVELS, MAX_TEXT, escape, observer
from xbot.repeats import MOST, PERIOD


class LogTests(unittest.TestCase):
    def setUp(self):
        self.stream = io.StringIO()

    def log(self, level="info"):
        """A logger whose events end in our stream, from this level on."""
        return Logger("xbot.test", observer=observer(self.stream, level))

    def lines(self):
        return self.stream.getvalue().splitlines()

    def test_record(self):
        """A record has a time, a level, whose it is, and its text."""
        self.log().warn("{who} is late", who="alice")
        (line,) = self.lines()
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\S+ warn     xbot\.test: alice is late$")

    def test_levels(self):
        """Only what is at least as grave as the level is written."""
        for number, level in enumerate(LEVELS):
            self.setUp()
            log = self.log(level)
            for each in LEVELS:
                getattr(log, each)("x")
            self.assertEqual(len(self.lines()), len(LEVELS) - number, level)

    def test_nothing_acts(self):
        """What people say stays on its line, in its direction, and is not evaluated."""
        text = "a\r\n2026 info: forged\x1b[2J\u2028\u202e\x9b{who.__class__}%s"
        self.log().info("said {text}", text=text, who=self)
        (line,) = self.lines()
        self.assertTrue(
            line.endswith(r"said a\r\n2026 info: forged\x1b[2J\u2028\u202e\x9b{who.__class__}%s"),
            line,
        )

    def test_bounded(self):
        """A text of any length makes a record of at most 2 KiB."""
        self.log().info("{text}", text="x" * 1_000_000)
        self.assertLess(len(self.lines()[0]), MAX_TEXT + 100)

    def test_bounded_in_bytes(self):
        """So does one of the widest characters, or of those that are written as six."""
        for text in "\U0001f600" * 5000, "\u202e" * 5000, "\ud800" * 5000:
            self.setUp()
            self.log().info("{text}", text=text)
            self.assertLess(len(self.stream.getvalue().encode("utf-8", "replace")), 2048)

    def test_repeated(self):
        """The same text many times is counted, not repeated; another one is written."""
        observe = observer(self.stream, "info")

        def log(text, time):
            observe(
                {
                    "log_format": text,
                    "log_time": time,
                    "log_level": LogLevel.info,
                    "log_namespace": "xbot.test",
                }
            )

        for _ in range(1000):
            log("again", 1.0)
        self.assertEqual(len(self.lines()), MOST)
        log("other", 2.0)
        self.assertEqual(len(self.lines()), MOST + 1)
        log("other", 1.0 + PERIOD)
        *_, counted, last = self.lines()
        self.assertTrue(counted.endswith("again (950 times more)"))
        self.assertTrue(last.endswith("other"))

    def test_traceback(self):
        """A failure brings its traceback, indented, each line of it escaped."""
        try:
            raise ValueError("\x1bevil\nsecond")
        except ValueError:
            self.log().failure("it failed")
        first, *rest = self.lines()
        self.assertTrue(first.endswith("xbot.test: it failed"))
        self.assertTrue(all(line.startswith("\t") for line in rest))
        self.assertNotIn("\x1b", self.stream.getvalue())

    @given(st.text())
    def test_one_line(self, text):
        """Any text is one line, and plain text stays as it is."""
        self.assertEqual(len((escape(text) + ".").splitlines()), 1)
        if text.isalnum():
            self.assertEqual(escape(text), text)
