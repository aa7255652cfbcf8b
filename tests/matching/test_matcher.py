"""Tests of :mod:`xbot.matching.matcher`: the same results as trying each pattern in turn."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from tests.effort import examples
from tests.matching.patterns import patterns, texts
from xbot.matching.breaker import UNKNOWN, Asker
from xbot.matching.guarded_search import OwnedPattern, Searched
from xbot.matching.matcher import Found, Matcher
from xbot.matching.pattern import MAX_SEARCHED, Pattern

#: Nobody knows that this is quick, however short the text.
GUARDED = r"(?P<a>.)\1(?:x?){50}"


class HereAndNow:
    """A fake guarded search without a thread."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(
        self, text: str, asked: list[OwnedPattern], asker: Asker = UNKNOWN
    ) -> Deferred[list[Searched]]:
        self.asked += [each.owner for each in asked]
        return succeed([each.pattern.find(text) for each in asked])


def naive(entries: list[tuple[Any, Pattern]], kind: str, text: str) -> list[Found[Any]]:
    found: dict[Any, Found[Any]] = {}
    for key, pattern in entries:
        groups = pattern.find(text) if pattern.kind == kind else None
        if groups is not None:
            found.setdefault(key, Found(key, groups))
    return list(found.values())


class SameAsEachTests(TestCase):
    @settings(max_examples=examples(150))
    @given(
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from(("match", "hear")), patterns)),
        st.lists(texts, min_size=1),
    )
    def test_any(self, given: list[tuple[int, str, str]], bodies: list[str]) -> None:
        """Whatever the patterns and the texts, it finds what each pattern finds, in order."""
        entries = [(key, getattr(Pattern, kind)(text)) for key, kind, text in given]
        matcher = Matcher(entries, HereAndNow())
        for body in bodies:
            for kind, asked in (("match", matcher.commands), ("hear", matcher.heard)):
                found = asked(body)
                if isinstance(found, Deferred):
                    found = self.successResultOf(found)
                self.assertEqual(found, naive(entries, kind, body))

    def test_many(self) -> None:
        """Among thousands each is found by its own words, and by them alone."""
        words = [f"word{number}" for number in range(3000)]
        entries = [(word, Pattern.match(rf"{word} (?P<x>\w+)")) for word in words]
        entries += [(word, Pattern.hear(rf"\b{word}\b")) for word in words]
        matcher = Matcher(entries)
        self.assertEqual(matcher.commands("Word7 a"), [Found("word7", {"x": "a"})])
        self.assertEqual(matcher.commands("word7"), [])
        self.assertEqual(
            matcher.heard("WORD2000, or word29; not word3001"),
            [Found("word29", {}), Found("word2000", {})],
        )

    def test_words_in_words(self) -> None:
        """A word that begins, ends or lies in another one is found with it, wherever both are."""
        words = ["tea", "team", "steam", "eat", "at", "t.a", "mate"]
        matcher = Matcher([(word, Pattern.hear(word)) for word in words])
        for body in ("teamate", "steam", "xtea", "teat", "t.a", "tEa tea TEAM", "mat", "t", ""):
            found = matcher.heard(body)
            assert isinstance(found, list)
            expected = [word for word in words if re.search(word, body, re.IGNORECASE)]
            self.assertEqual([each.key for each in found], expected, body)

    def test_long_texts(self) -> None:
        """A command that is too long is none; of other texts the beginning is heard."""
        matcher = Matcher([("a", Pattern.match(".*")), ("b", Pattern.hear("xy"))])
        self.assertEqual(matcher.commands("x" * MAX_SEARCHED), [Found("a", {})])
        self.assertEqual(matcher.commands("x" * (MAX_SEARCHED + 1)), [])
        self.assertEqual(matcher.heard("x" * (MAX_SEARCHED - 1) + "y"), [Found("b", {})])
        self.assertEqual(matcher.heard("x" * MAX_SEARCHED + "y"), [])


class GuardedTests(TestCase):
    def setUp(self) -> None:
        self.worker = HereAndNow()

    def test_only_what_needs_it(self) -> None:
        """The worker is asked only for guarded patterns that the text may fit."""
        matcher = Matcher(
            [
                ("a", Pattern.hear(rf"tea{GUARDED}")),
                ("b", Pattern.hear("tea")),
                ("c", Pattern.hear(r"tea\w+ with \w+")),
            ],
            self.worker,
        )
        self.assertEqual(matcher.heard("coffee"), [])
        self.assertEqual(self.worker.asked, [])
        self.assertIsInstance(matcher.heard("teas"), Deferred)
        self.assertEqual(self.worker.asked, ["a"])
        self.assertEqual(matcher.guarded, 2)

    def test_only_long_texts(self) -> None:
        """A pattern that is slow on long texts only is run at once on the others."""
        matcher = Matcher([("a", Pattern.hear(r"tea\w+ with (?P<a>\w+)"))], self.worker)
        self.assertEqual(matcher.heard("teas with milk"), [Found("a", {"a": "milk"})])
        self.assertEqual(self.worker.asked, [])
        found = matcher.heard("teas with milk" + " " * 3000)
        assert isinstance(found, Deferred)
        self.assertEqual(self.successResultOf(found), [Found("a", {"a": "milk"})])

    def test_many_that_are_quick(self) -> None:
        """Of so many patterns that they take long together the last ones wait for the worker."""
        entries = [(n, Pattern.hear(rf"(?P<a>[A-Z]+)-\d+x{{{n}}}")) for n in range(1, 201)]
        matcher = Matcher(entries, self.worker)
        found = matcher.heard("deploy " * 20 + "AB-7x")
        assert isinstance(found, Deferred)
        self.assertEqual(self.successResultOf(found), [Found(1, {"a": "AB"})])
        self.assertTrue(100 < len(self.worker.asked) < 200, len(self.worker.asked))
        self.assertEqual(matcher.heard("AB-7x"), [Found(1, {"a": "AB"})])

    def test_order(self) -> None:
        """Guarded or not, the order is that of the patterns."""
        entries = [
            ("a", Pattern.hear("tea")),
            ("b", Pattern.hear(GUARDED)),
            ("c", Pattern.hear("e")),
            ("d", Pattern.hear(rf"{GUARDED}.*")),
        ]
        found = Matcher(entries, self.worker).heard("teaa")
        assert isinstance(found, Deferred)
        keys = [each.key for each in self.successResultOf(found)]
        self.assertEqual(keys, ["a", "b", "c", "d"])

    def test_a_key_once(self) -> None:
        """A key is found by its first pattern that fits, guarded or not."""
        entries = [
            ("a", Pattern.hear(GUARDED)),
            ("a", Pattern.hear("(?P<b>t)")),
            ("c", Pattern.hear("(?P<b>e)")),
            ("c", Pattern.hear(GUARDED)),
        ]
        matcher = Matcher(entries, self.worker)
        for body, groups in (("teaa", {"a": "a"}), ("tea", {"b": "t"})):
            found = matcher.heard(body)
            assert isinstance(found, Deferred)
            self.assertEqual(
                self.successResultOf(found), [Found("a", groups), Found("c", {"b": "e"})]
            )
        self.assertEqual(self.worker.asked, ["a", "a"])

    def test_without_worker(self) -> None:
        """Tools have no worker: there everything is found at once."""
        self.assertEqual(
            Matcher([("a", Pattern.hear(GUARDED))]).heard("xx"), [Found("a", {"a": "x"})]
        )
