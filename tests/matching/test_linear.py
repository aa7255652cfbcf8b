"""What :mod:`xbot.matching.linear` promises: re's meaning, in linear time."""

import re

from hypothesis import example, given, settings
from twisted.trial.unittest import TestCase

from tests.matching.patterns import patterns, texts
from xbot.matching.linear import Linear, NotLinear
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.tree import parse


def linear(pattern: Pattern) -> Linear:
    return Linear(pattern, parse(pattern.regex))


class SameMeaningTests(TestCase):
    @settings(max_examples=250, deadline=None)
    @given(patterns, texts)
    @example(r"(?P<a>a|ab)(?P<b>c|bcd)(?P<c>d*)", "abcd")
    @example(r"(?P<a>a)?(?P<b>a??)(?P<c>.*)", "aaa")
    @example(r"(?:(?P<a>a)|ab)c", "abc")
    @example(r"(?P<a>|a)b", "ab")
    def test_as_re(self, text: str, body: str) -> None:
        """Whatever re2 is used for, it finds what re finds, and the same groups."""
        for pattern in (Pattern.match(text), Pattern.hear(text)):
            try:
                found = linear(pattern).find(body)
            except NotLinear:
                continue
            self.assertEqual(found, pattern.find(body), pattern)

    def test_where_re2_alone_would_differ(self) -> None:
        """Case, classes, borders, ends and odd characters are re's, not re2's."""
        for text, body, fits in (
            ("k", "\N{KELVIN SIGN}", True),
            ("s", "\N{LATIN SMALL LETTER LONG S}", True),
            ("i", "\N{LATIN SMALL LETTER DOTLESS I}", True),
            ("i", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", True),
            ("ß", "ẞ", True),
            ("ß", "ss", False),
            ("σ", "ς", True),
            ("(?-i:k)", "K", False),
            ("[^k]", "\N{KELVIN SIGN}", False),
            (r"\w", "é", True),
            (r"(?a)\w", "é", False),
            (r"\d", "\N{ARABIC-INDIC DIGIT THREE}", True),
            (r"\s", "\N{EM SPACE}", True),
            (r"\s", "\x1f", True),
            (r"\w", "\N{SUPERSCRIPT TWO}", True),
            (r"\bé\b", "é", True),
            (r"\bx\b", "éx", False),
            (r"(?a)\bx", "éx", True),
            ("x$", "x\n", True),
            (r"x\Z", "x\n", False),
            ("x$", "x\n\n", False),
            ("(?m:x$)", "x\n\n", True),
            ("(?m:^)x", "\nx", True),
            ("^x", "\nx", False),
            (".", "\n", False),
            ("(?s:.)", "\n", True),
            (".", "\r", True),
            ("\x00", "\x00", True),
            ("\ud800", "\ud800", True),
            (".", "\ud800", True),
            ("^.$", "\N{ROBOT FACE}", True),
        ):
            pattern = Pattern.hear(text)
            found = linear(pattern).find(body)
            self.assertEqual((found is not None, found), (fits, pattern.find(body)), (text, body))

    def test_groups_are_cut_from_the_text(self) -> None:
        """Groups hold the text as it was said, in any script."""
        pattern = Pattern.match(r"deploy (?P<app>[\w-]+)( to (?P<env>.+))?")
        found = linear(pattern).find("Deploy Größe to \N{ROBOT FACE} Ж")
        self.assertEqual(found, {"app": "Größe", "env": "\N{ROBOT FACE} Ж"})
        self.assertEqual(linear(pattern).find("deploy x"), {"app": "x"})

    def test_kinds_met_later(self) -> None:
        """A character of a kind that no text had before is taken as re takes it."""
        pattern = Pattern.match("(?P<a>[\u3041-\u3050]+)(?P<b>[\u3046-\u3060]+)")
        tried = linear(pattern)
        for body in (
            "\u3042\u3058",
            "\u3048\u3048",
            "\u3058",
            "\u3042\u3048\u3058x",
            "\u3045\u3046",
        ):
            self.assertEqual(tried.find(body), pattern.find(body), body)

    def test_many_characters(self) -> None:
        """However many different characters come, the answers stay right."""
        pattern = Pattern.match(r"(?P<first>\w+)\W(?P<rest>.*)")
        tried = linear(pattern)
        for start in range(0x100, 0x6000, MAX_SEARCHED):
            body = "".join(map(chr, range(start, start + MAX_SEARCHED)))
            self.assertEqual(tried.find(body), pattern.find(body), hex(start))


class RefusedTests(TestCase):
    def test_what_might_differ(self) -> None:
        """What re2 lacks, or might take otherwise, is refused, with the construct's name."""
        for text, construct in (
            ("(?=a)b", "a look-ahead"),
            ("(?<!a)b", "a look-behind"),
            (r"(a)\1", "a backreference"),
            ("(a)?(?(1)b|c)", "a condition on a group"),
            ("(?>a+)b", "an atomic group"),
            ("a++b", "a possessive repeat"),
            ("(?:a*)*", "repeat nothing"),
            ("(?P<x>a|b)+", "captures again"),
            (r"\B", r"\B"),
            (r"(?a:\W)", "a change between ASCII"),
            ("a$b|(?:c$)+", "$"),
            ("(?P<x>a$)", "$"),
            ("a{1001}", "size"),
            ("(?:a{1,30}){1,30}", "size"),
            ("(" * 60 + "a" + ")" * 60, "nested too deeply"),
            (r"\b" + "".join(map(chr, range(0x4E00, 0x4E50))), "characters"),
        ):
            with self.assertRaises(NotLinear) as caught:
                linear(Pattern.hear(text))
            self.assertIn(construct, str(caught.exception), text)

    def test_too_many_kinds_in_a_text(self) -> None:
        """A text that tells more kinds apart than there are bytes is refused, not misread."""
        starts = range(0x4E00, 0x4E00 + 300)
        # Each set leaves out one character more: as many kinds as characters.
        with self.assertRaises(NotLinear):
            tried = linear(Pattern.hear("|".join(f"[{chr(start)}-\u6000]Q" for start in starts)))
            tried.find("".join(map(chr, starts)))

    def test_re_agrees_that_names_matter_only(self) -> None:
        """Groups without a name do not keep a pattern from re2."""
        self.assertEqual(linear(Pattern.match(r"(\w+\s?)*")).find("a b c"), {})
        self.assertIsNone(linear(Pattern.match(r"(\w+\s?)*")).find("a" * 4000 + "!"))
        self.assertIsNotNone(re.compile(r"(\w+\s?)*").fullmatch("a b c"))
