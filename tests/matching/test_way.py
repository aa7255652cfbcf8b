"""What :mod:`xbot.matching.way` promises: nothing that may take long is run unguarded."""

from hypothesis import given, settings
from twisted.trial.unittest import TestCase

from tests.matching.patterns import patterns, texts
from xbot.matching.linear import NotLinear
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.way import Way

#: Texts that make bad patterns explode.
WORST = ("a" * MAX_SEARCHED, "a" * (MAX_SEARCHED - 1) + "!", "a " * (MAX_SEARCHED // 2 - 1) + "!")


class WayTests(TestCase):
    def test_which(self) -> None:
        """Plain patterns are harmless, what re2 can take is linear, the rest is guarded."""
        for pattern, name in (
            (Pattern.match("ping"), "harmless"),
            (Pattern.hear(r"\b(hi|hello)\b"), "harmless"),
            (Pattern.match("say (?P<what>.*)"), "harmless"),
            (Pattern.match("(?!x).*"), "harmless"),
            (Pattern.hear("(?<!x)y"), "harmless"),
            (Pattern.hear(r"(?P<key>[A-Z]+-\d+)"), "linear"),
            (Pattern.match(r"deploy (?P<app>\w+)( to (?P<env>\w+))?"), "linear"),
            (Pattern.hear(r"^(\w+\s?)*$"), "linear"),
            (Pattern.match(r"(a|a)*b"), "linear"),
            (Pattern.match(r"(a*)*b"), "guarded"),
            (Pattern.match(r"(?!x)(\w+\s?)*"), "guarded"),
            (Pattern.hear(r"(.*)(.*)\1"), "guarded"),
            (Pattern.hear(r"(?=.*a)(?=.*b).*"), "guarded"),
            (Pattern.match("(?:a?){40}a{40}(?=)"), "guarded"),
            (Pattern.match("(?:(?:a?){10}){3}a{30}(?=)"), "guarded"),
        ):
            self.assertEqual(Way(pattern).name, name, pattern)

    def test_same_as_the_pattern(self) -> None:
        """Whichever way, the answer is the pattern's own, for long texts too."""
        for text in ("x*", r"x*\w*x*", "xy$", r"\w+y"):
            for pattern in (Pattern.match(text), Pattern.hear(text)):
                way = Way(pattern)
                for body in ("", "x", "x" * MAX_SEARCHED, "x" * MAX_SEARCHED + "y", "xxy", "x\n"):
                    self.assertEqual(way.find(body), pattern.find(body), (text, body[-9:]))

    @settings(max_examples=150, deadline=None)
    @given(patterns, texts)
    def test_guarded_is_never_run(self, text: str, body: str) -> None:
        """What is guarded refuses to run; everything else answers as the pattern does."""
        for pattern in (Pattern.match(text), Pattern.hear(text)):
            way = Way(pattern)
            if way.name == "guarded":
                self.assertRaises(NotLinear, way.find, body)
                self.assertNotEqual(way.construct, "")
            else:
                self.assertEqual(way.find(body), pattern.find(body))

    @settings(max_examples=60, deadline=None)
    @given(patterns)
    def test_no_text_is_the_worst(self, text: str) -> None:
        """What is not guarded gets through the texts that make bad patterns explode."""
        for pattern in (Pattern.match(text), Pattern.hear(text)):
            way = Way(pattern)
            for body in WORST if way.name != "guarded" else ():
                way.find(body)


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
            found = Way(Pattern.hear(text)).dangers()
            self.assertTrue(any(each.startswith(danger) for each in found), (text, found))

    def test_no_false_alarm(self) -> None:
        """What is run in linear time, or cannot match one text in many ways, is not blamed."""
        for text in (
            r"^(\w+\s?)*$",
            r"(?!x)(?:\w+,)*\w*",
            r"(?!x)(?:[a-z]+ )*[0-9]+",
            r"(?<!x)(\d+)-(\d+)",
            r"(?!x)(?:tea|coffee)+",
            r"(?!x)(?:tea|team)+",
            "ping",
        ):
            self.assertEqual(Way(Pattern.hear(text)).dangers(), [], text)
