"""Tests of :mod:`xbot.matching.shadowed`: no reachable command is reported (no false positives)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from tests.effort import examples
from tests.matching.patterns import patterns
from xbot.matching.pattern import Pattern
from xbot.matching.shadowed import Taken, never_asked, samples, taken


def everywhere(one: str, other: str) -> bool:
    return True


def found(*texts: str, example: str | None = None) -> list[Taken[str]]:
    return taken([(text, Pattern.match(text), example) for text in texts], everywhere)


class TakenTests(TestCase):
    def test_never_reached(self) -> None:
        """Commands that an earlier pattern takes whole are named, with a text and its taker."""
        for earlier, later, text in (
            ("ping", "Ping", "Ping"),
            ("(?:start|stop)", "stop", "stop"),
            ("deploy .*", r"deploy (?P<app>\w+)( to (?P<env>\w+))?", "deploy x"),
            (r"roll (?P<what>\w+)", r"roll (?P<n>\d+)", "roll 7"),
            (".*", "help", "help"),
            (r"\w+", "(?:tea|coffee|milk|juice|water|beer|wine)", "tea"),
        ):
            self.assertEqual(found(earlier, later), [Taken(later, earlier, text)])

    def test_no_false_alarm(self) -> None:
        """What something is left of is not named: the special before the general, and the like."""
        for earlier, later in (
            ("deploy now", r"deploy (?P<app>\w+)"),
            (r"\d+", r"\w+"),
            (r"\w{1,3}", r"\w+"),
            ("[a-z0-9]+", r"\w+"),
            (r"say \w+", "say .+"),
            ("(?:tea|coffee|milk|juice|water|beer)", "(?:tea|coffee|milk|juice|water|beer|wine)"),
            ("(?-i:PING)", "ping"),
            (r"(a*)*\1", "a"),
            ("a", r"(a*)*\1"),
            ("a", "(?=a)a"),
            ("pong", "ping"),
        ):
            self.assertEqual(found(earlier, later), [], (earlier, later))

    def test_where(self) -> None:
        """What is taken in some places only is not named."""
        entries = [("a", Pattern.match("x"), None), ("b", Pattern.match("x"), None)]
        self.assertEqual(taken(entries, lambda one, other: False), [])
        self.assertEqual(taken(entries, everywhere), [Taken("b", "a", "x")])

    def test_examples(self) -> None:
        """An example that still gets there shows that not everything is taken."""
        entries = [
            ("a", Pattern.match("set [a-zéж 0-9_\n-]+"), None),
            ("b", Pattern.match("set [^!]+"), "set ß"),
        ]
        self.assertEqual(taken(entries, everywhere), [])

    def test_what_is_heard_takes_nothing(self) -> None:
        """Whoever hears something leaves it to the others."""
        entries = [("a", Pattern.hear("x"), None), ("b", Pattern.match("x"), None)]
        self.assertEqual(taken(entries, everywhere), [])

    def test_fallbacks(self) -> None:
        """Of two that take everything the second is never asked, where the first answers too."""
        self.assertEqual(never_asked(["a", "b"], everywhere), [("b", "a")])
        self.assertEqual(never_asked(["a", "b"], lambda one, other: False), [])


class SamplesTests(TestCase):
    @settings(max_examples=examples(150))
    @given(patterns, st.none() | st.text(max_size=3))
    def test_fit(self, text: str, example: str | None) -> None:
        """Every sample fits its pattern."""
        pattern = Pattern.match(text)
        for sample in samples(pattern, example):
            self.assertIsNotNone(pattern.find(sample), (text, sample))
