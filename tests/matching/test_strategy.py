"""Tests of :mod:`xbot.matching.strategy`: no pattern that may be slow is run unguarded."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from tests.effort import examples
from tests.matching.patterns import patterns
from xbot.matching.cost import ENDLESS, HARMLESS, steps
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.strategy import Strategy

#: Texts that make bad patterns explode.
WORST = ("a" * MAX_SEARCHED, "a" * (MAX_SEARCHED - 1) + "!", "a " * (MAX_SEARCHED // 2 - 1) + "!")


class WayTests(TestCase):
    def test_which(self) -> None:
        """Plain patterns are harmless; others are so on short texts; what explodes is guarded."""
        for pattern, quick in (
            (Pattern.match("ping"), MAX_SEARCHED),
            (Pattern.hear(r"\b(hi|hello)\b"), MAX_SEARCHED),
            (Pattern.match("say (?P<what>.*)"), MAX_SEARCHED),
            (Pattern.match(r"remind (?P<who>\w+) to (?P<what>.+)"), MAX_SEARCHED),
            (Pattern.match("(?!x).*"), MAX_SEARCHED),
            (Pattern.hear("(?<!x)y"), MAX_SEARCHED),
            (Pattern.hear(r"(?P<key>[A-Z]+-\d+)"), 150),
            (Pattern.hear(r"\bticket-(?P<number>\d+)"), 250),
            (Pattern.match(r"deploy (?P<app>\w+)( to (?P<env>\w+))?"), MAX_SEARCHED),
            (Pattern.match(r"deploy (?P<app>\w+)( ?to (?P<env>\w+))?"), 200),
            (Pattern.hear(r"(.*)(.*)\1"), 15),
            (Pattern.hear(r"(?=.*a)(?=.*b).*"), 150),
            (Pattern.match(r"(?!x)(\w+\s?)*"), 3),
            (Pattern.match(r"(a*)*b"), 3),
            (Pattern.match("(?:a?){40}a{40}"), -1),
            (Pattern.match("(?:(?:a?){10}){3}a{30}"), -1),
            (Pattern.match("(" * 60 + "a" + ")" * 60), -1),
        ):
            way = Strategy(pattern)
            self.assertEqual(way.name, "harmless" if quick == MAX_SEARCHED else "guarded", pattern)
            self.assertTrue(
                quick <= way.quick_length <= quick * 2 + 10, (pattern, way.quick_length)
            )
            bound = way.bound(max(way.quick_length, 0))
            self.assertLessEqual(bound, HARMLESS if quick > 0 else ENDLESS)
            self.assertEqual(way.bound(way.quick_length + 1), ENDLESS)

    @settings(max_examples=examples(60))
    @given(patterns)
    def test_no_text_is_the_worst(self, text: str) -> None:
        """What is run at once gets through the texts that make bad patterns explode."""
        for pattern in (Pattern.match(text), Pattern.hear(text)):
            length = Strategy(pattern).quick_length
            for body in WORST if length > 0 else ():
                for part in body[:length], body[-length:]:
                    start = time.process_time()
                    pattern.find(part)
                    self.assertLess(time.process_time() - start, 0.1, (pattern, length))

    @settings(max_examples=examples(60))
    @given(patterns, st.integers(0, MAX_SEARCHED))
    def test_longer_is_never_less(self, text: str, length: int) -> None:
        """What may be searched at once may be when it is shorter, too."""
        pattern = Pattern.hear(text)
        tree = Strategy(pattern).tree
        self.assertLessEqual(steps("hear", tree, length // 2), steps("hear", tree, length))


class DangersTests(TestCase):
    def test_named(self) -> None:
        """What makes a guarded pattern slow is named, with the piece of the pattern."""
        for text, danger in (
            (r"(?!x)(\w+\s?)*$", r"a repeat inside a repeat, (\w+\s?)*"),
            (r"(?!x)((\w+)*y)+", r"a repeat inside a repeat, (\w+)*"),
            (r"(?!x)(?:aa|ab?)*", "alternatives that fit the same text, repeated, (a(a|b?))*"),
            (r"(?=x).*foo.*bar", "repeats of the same characters, .* and .*"),
            (r"(?P<a>.*) (?P<b>.*)\1", "repeats of the same characters, .* and .*"),
        ):
            found = Strategy(Pattern.hear(text)).dangers()
            self.assertTrue(any(each.startswith(danger) for each in found), (text, found))

    def test_no_false_alarm(self) -> None:
        """What cannot match one text in many ways is not blamed."""
        for text in (
            r"deploy (?P<app>[\w-]+)( to (?P<env>\w+))?",
            r"(?P<key>[A-Z]+-\d+)",
            r"(?!x)(?:\w+,)*\w*",
            r"(?!x)(?:[a-z]+ )*[0-9]+",
            r"(?<!x)(\d+)-(\d+)",
            r"(?!x)(?:tea|coffee)+",
            r"(?!x)(?:tea|team)+",
            "ping",
        ):
            self.assertEqual(Strategy(Pattern.hear(text)).dangers(), [], text)
