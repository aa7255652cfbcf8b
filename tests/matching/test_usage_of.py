"""Tests of :mod:`xbot.matching.usage_of`."""

from twisted.trial.unittest import TestCase

from xbot.matching.usage_of import readable


class ReadableTests(TestCase):
    def test_simple(self) -> None:
        """Words, named groups and optional parts become a usage line."""
        for pattern, usage in {
            "uptime": "uptime",
            "^uptime$": "uptime",
            r"deploy (?P<app>[\w-]+)( to (?P<env>\w+))?": "deploy APP [to ENV]",
            r"say (?P<what>.*)": "say WHAT",
            r"roll ?(?P<n>\d+)?": None,
            r"\bhi\b": None,
            "(a|b)": None,
            "x[ab]": None,
            "": None,
        }.items():
            self.assertEqual(readable(pattern), usage, pattern)
