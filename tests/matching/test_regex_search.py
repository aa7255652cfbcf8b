"""Tests of :mod:`xbot.matching.regex_search`, with real threads."""

import time
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from tests.effort import examples
from tests.matching.patterns import patterns, texts
from xbot.matching import regex_search
from xbot.matching.guarded_search import GuardedSearch, Unsearched, Why
from xbot.matching.matcher import Found, Matcher
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.regex_search import LIMIT, Search, as_regex_reads_it, compiled, find, run
from xbot.process.threads import InThread

EVIL = r"^(?!x)(\w+\s?)*$"
TEXT = "a" * (MAX_SEARCHED - 1) + "!"


def is_told_apart(text: str) -> bool:
    """Whether re and regex may hold a character of it for different things."""
    # Letters of i without or with a dot; what is a letter, a number or a mark to one alone.
    return any(
        char in "\u0130\u0131"
        or unicodedata.category(char) in ("Cn", "No", "Nl", "Mn", "Mc", "Me")
        or unicodedata.category(char)[0] == "S"
        for char in text
    )


class MeaningTests(TestCase):
    # Python's own doubts about [[ and the like.
    suppress = ((["ignore"], {"category": FutureWarning}),)

    @settings(max_examples=examples(250))
    @given(patterns, texts.filter(lambda text: text and not is_told_apart(text)))
    def test_as_re(self, text: str, body: str) -> None:
        """Every pattern that re takes is taken, and fits what it fits."""
        if is_told_apart(text):
            return
        for pattern in (Pattern.match(text), Pattern.hear(text)):
            found, expected = find(pattern, body), pattern.find(body)
            self.assertEqual(found is None, expected is None, (pattern, body))

    def test_where_regex_alone_would_differ(self) -> None:
        """Braces that are no repeat, and brackets in sets, are what they are to re."""
        for text, body in (
            ("a{e}", "a{e}"),
            ("(?:color){s<=2}", "color{s<=2}"),
            (r"a\{e}{2}", "a{e}}"),
            ("a{}{,2}", "a{}}"),
            ("[[:digit:]]", ":]"),
            ("[a[]b{e}", "[b{e}"),
            (r"[\]{]{i}", "]{i}"),
            ("[]a]{2}", "]a"),
            ("(?#[)x{e}", "x{e}"),
            ("(?x) a b # [ {e}\n{e}", "ab{e}"),
            (r"\N{SOLIDUS}{e}", "/{e}"),
            ("a{,2}", "aa"),
            ("[a&&b]", "&"),
            ("[a||b~~c]", "~"),
        ):
            pattern = Pattern.match(text)
            self.assertEqual((find(pattern, body), pattern.find(body)), ({}, {}), text)
            self.assertEqual(find(pattern, "4"), pattern.find("4"), text)

    @settings(max_examples=examples(150))
    @given(st.text("ab[]{}^\\,-1", max_size=12))
    def test_what_is_escaped(self, text: str) -> None:
        """Nothing that re takes means something else once it is escaped for regex."""
        try:
            pattern = Pattern.match(text)
        except (regex_search.re.error, OverflowError):
            return
        escaped = Pattern.match(as_regex_reads_it(text))
        for body in ("", "a", "ab", text, "[", "{", "a{1}", "^", "\\", "]"):
            self.assertEqual(escaped.find(body), pattern.find(body), text)

    def test_flags_and_groups(self) -> None:
        """Case is ignored unless the pattern says otherwise; groups hold what they captured."""
        pattern = Pattern.match(r"(?s)deploy (?P<app>(?-i:[a-z])+)(?P<rest>.*)(?P<no>\d)?")
        for body in ("Deploy web\n1", "deploy Web", "deploy Größe"):
            self.assertEqual(find(pattern, body), pattern.find(body), body)

    def test_long_texts(self) -> None:
        """Of long texts as much is searched as by the pattern itself."""
        for pattern in (Pattern.match("x*y"), Pattern.hear("xy")):
            for length in (MAX_SEARCHED - 1, MAX_SEARCHED):
                body = "x" * length + "y"
                self.assertEqual(find(pattern, body), pattern.find(body), (pattern, length))


class LimitTests(TestCase):
    def test_several(self) -> None:
        """Each pattern has its time; once all had much of it the rest is not tried."""
        evil, good = Pattern.hear(EVIL), Pattern.hear("!")
        self.patch(regex_search, "LIMIT", 0.001)
        search = run(Search(TEXT, [good, evil, good]))
        self.assertEqual((search.found, search.too_long), ([{}, None, {}], [1]))
        times = iter((0.0, 0.0, 0.1, regex_search.LIMIT_OF_ALL, 1.0))
        search = run(Search(TEXT, [good] * 4), lambda: next(times))
        self.assertEqual(search.found, [{}, {}, None, None])

    def test_out_of_memory(self) -> None:
        """A search that runs out of memory counts as one that takes too long."""

        def fill(pattern: Pattern, text: str) -> None:
            raise MemoryError

        self.patch(regex_search, "find", fill)
        search = run(Search("x", [Pattern.hear("x")]))
        self.assertEqual((search.found, search.too_long), ([None], [0]))

    def test_evil_patterns(self) -> None:
        """Patterns that are known to explode end, whether they fit or not."""
        self.patch(regex_search, "LIMIT", 0.005)
        for text in (
            EVIL,
            r"(a+)+$",
            r"([a-z]+)*$",
            r"(a|aa)+$",
            r"(.*a){12}b",
            r"(a?){40}a{40}b",
            r"(.*)(.*)\1b",
            r"\s+$",
        ):
            pattern = Pattern.hear(text)
            compiled(pattern)
            for body in (TEXT, "a" * 40 + "!", " " * 4000 + "x"):
                start = time.process_time()
                run(Search(body, [pattern]))
                self.assertLess(time.process_time() - start, 1, (text, body[:3]))


class ReactorTests(TestCase):
    timeout = 60

    async def test_explosion(self) -> None:
        """A pattern that explodes is cut short, and the reactor goes on turning meanwhile."""
        guarded = GuardedSearch(reactor, InThread(reactor))
        matcher = Matcher(
            [("good", Pattern.hear(r"(?P<a>!)\w*\s*\w*")), ("evil", Pattern.hear(EVIL))], guarded
        )
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1

        turning = LoopingCall(turn)
        turning.start(LIMIT / 50)
        found = await matcher.heard(TEXT)
        turning.stop()
        unknown = Found("evil", {}, Unsearched(Why.TOO_LONG))
        self.assertEqual(found, [Found("good", {"a": "!"}), unknown])
        self.assertEqual(guarded.counts, {"timed-out": 1})
        # Once at once, and once again at least before the pattern's time was over.
        self.assertGreater(turns, 2)
        found = await matcher.heard("fine \ud800 \N{ROBOT FACE}\x00\n!" + " " * 1000)
        self.assertEqual(found, [Found("good", {"a": "!"})])
        found = await matcher.heard("fine " * 200)
        self.assertEqual(found, [Found("evil", {})])
        guarded.stop()
