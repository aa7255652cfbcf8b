"""Tests of :mod:`xbot.matching.required_literals`: no false negatives."""

import re
import sys

from hypothesis import given, settings
from twisted.trial.unittest import TestCase

from tests.effort import examples
from tests.matching.patterns import patterns, texts
from xbot.matching.required_literals import beginnings, folded, is_plain, required
from xbot.matching.tree import Node, parse


def tree(text: str) -> Node:
    return parse(re.compile(text, re.IGNORECASE))


class FoldedTests(TestCase):
    def test_as_re_ignores_case(self) -> None:
        """All characters that re takes for the same when it ignores case fold to the same."""
        everything = map(chr, range(sys.maxunicode + 1))
        cased = "".join(c for c in everything if c.lower() != c or c.upper() != c)
        for character in cased:
            same = re.findall(re.escape(character), cased, re.IGNORECASE)
            self.assertEqual({folded(each) for each in same}, {folded(character)}, character)

    def test_only_cased_characters_have_others(self) -> None:
        """What has no case is, to re, itself alone: the test above has seen them all."""
        everything = list(map(chr, range(sys.maxunicode + 1)))
        uncased = "".join(c for c in everything if c.lower() == c and c.upper() == c)
        cased = "".join(c for c in everything if c.lower() != c or c.upper() != c)
        members = re.compile(f"[{re.escape(cased)}]", re.IGNORECASE)
        self.assertEqual(members.findall(uncased), [])

    @given(texts, texts)
    def test_letter_by_letter(self, one: str, other: str) -> None:
        """A part of a text folds to a part of the folded text."""
        self.assertEqual(folded(one + other), folded(one) + folded(other))


class NothingMissedTests(TestCase):
    @settings(max_examples=examples(250))
    @given(patterns, texts)
    def test_any(self, text: str, body: str) -> None:
        """Every text that fits begins with one of the beginnings and holds one required."""
        parsed = tree(text)
        starts, held = beginnings(parsed), required(parsed)
        if starts is not None and re.compile(text, re.IGNORECASE).match(body):
            self.assertTrue(folded(body).startswith(tuple(starts)), (text, starts))
        if is_plain(parsed) and re.compile(text, re.IGNORECASE).fullmatch(body):
            self.assertIn(folded(body), starts or {folded(body)}, text)
        if held is not None and re.compile(text, re.IGNORECASE).search(body):
            self.assertTrue(any(each in folded(body) for each in held), (text, held))


class FoundTests(TestCase):
    def test_beginnings(self) -> None:
        """Commands begin with their words, each alternative with its own."""
        for text, starts in (
            (r"deploy (?P<app>\w+)", {"deploy "}),
            ("^ping$", {"ping"}),
            ("(?:Go|stop) now.*", {"go now", "stop now"}),
            ("deploys?", {"deploy", "deploys"}),
            (r"(say|tell)\s+", {"say", "tell"}),
            (r"\w+", None),
            ("(ab|b)?c", {"abc", "bc", "c"}),
            ("a*b", None),
            ("(?=x)abc", {"abc"}),
        ):
            self.assertEqual(beginnings(tree(text)), starts, text)

    def test_is_plain(self) -> None:
        """Some patterns are nothing but their words."""
        for text, expected in (
            ("ping", True), ("^ping$", True), ("deploys?", True), ("(?P<what>tea|coffee)", True),
            (r"ping\b", True), (r"deploy \w+", False), ("pings*", False), (".", False),
        ):  # fmt: skip
            self.assertEqual(is_plain(tree(text)), expected, text)

    def test_required(self) -> None:
        """What is heard holds its rarest word; single letters say too little."""
        for text, held in (
            (r"\bhi\b", {"hi"}),
            ("tea|coffee", {"tea", "coffee"}),
            (r"(\w+) is (down|broken) again", {" is down again", " is broken again"}),
            (r"\d+", None),
            (r"a.*b", None),
            ("(?:ab)+", {"ab"}),
            ("(?:ab)*", None),
            ("\N{PARTY POPPER}", {"\N{PARTY POPPER}"}),
            (r"(ab)\1", {"ab"}),
        ):
            self.assertEqual(required(tree(text)), held, text)
