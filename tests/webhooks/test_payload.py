"""Tests of :mod:`xbot.webhooks.payload`."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.effort import examples
from xbot.webhooks.payload import (
    MAX_FIELD,
    MAX_LINK,
    MAX_NAMES,
    MAX_PARTS,
    Part,
    WrongPayload,
    line,
    parse,
)

#: Anything that JSON can say, and a little more.
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)

ACTING = "\x00\x07\x1b\x7f\x85\u061c\u200b\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069\ufeff"


class LineTests(SynchronousTestCase):
    def test_nothing_acts(self):
        """Controls, line ends, bidi overrides, byte order marks and lone surrogates are gone."""
        shown = line(f"a{ACTING}b\r\nc\td\ud800\ufffe")
        self.assertEqual(shown.replace(" ", ""), "abcd")
        self.assertTrue(shown.isprintable())

    def test_people_are_not_touched(self):
        """Letters of all scripts, emoji that are joined and marks stay as they are."""
        text = "Zoë 日本 שלום 👩\u200d💻"
        self.assertEqual(line(text), text)

    def test_bounds(self):
        """A text has no more characters than it may, and tells that it was cut."""
        self.assertEqual(line("x" * 10, 10), "x" * 10)
        self.assertEqual(line("x" * 11, 10), "x" * 9 + "…")
        self.assertEqual(len(line("x" * 1_000_000)), MAX_FIELD)
        self.assertTrue(line(" " * 10_000 + "x", 10).endswith("…"))

    @given(st.text(st.characters()), st.integers(1, 50))
    def test_any(self, text, limit):
        """Whatever it was, it is one line within the limit, and can be written."""
        shown = line(text, limit)
        self.assertLessEqual(len(shown), limit)
        self.assertEqual(shown.splitlines(), [shown] if shown else [])
        shown.encode()


class PartTests(SynchronousTestCase):
    def test_paths(self):
        """What lies in objects and lists is found by its path; what is not there is nothing."""
        part = Part({"a": [{"b": "c"}], "d": {"e": 1}})
        self.assertEqual(part.at("a.0.b").text(), "c")
        for nothing in ("a.1.b", "a.b", "a.-1", "d.e.f", "x", "a.99999999999", "a.٠"):
            self.assertEqual(part.at(nothing).text(), "", nothing)

    def test_texts(self):
        """Numbers and truths are texts, too; lists and objects tell the plain things in them."""
        for value, told in (
            (26.5, "26.5"),
            (True, "true"),
            (0, "0"),
            (None, ""),
            (["a", 1, None, ["b"], {"c": 1}], "a, 1"),
            ({"a": "b", "c": None, "d": [1], "e": 2}, "a=b, e=2"),
        ):
            self.assertEqual(Part(value).text(), told)

    def test_many(self):
        """Of a list or an object without end only the first are looked at, and all are counted."""
        part = Part({"a": [1] * 500_000, "b": dict.fromkeys(map(str, range(100_000)))})
        self.assertEqual((len(part["a"].parts()), len(part["a"])), (MAX_PARTS, 500_000))
        self.assertEqual((len(list(part["b"].items())), len(part["b"])), (MAX_NAMES, 100_000))
        self.assertTrue(part["c"])

    def test_first_line(self):
        """Of a text of several lines the first that says something stands for all of it."""
        self.assertEqual(Part("\n\n one\ntwo").first_line(), "one")
        self.assertEqual(Part({"a": 1}).first_line(), "")

    def test_links(self):
        """Only links to the web, of a bearable length and without tricks, are links."""
        good = "https://example.org/a?b=c#d"
        self.assertEqual(Part(good).link(), good)
        for bad in (
            "javascript:alert(1)", "xmpp:a@b", "https://", "//a/b", "https://a b", "https://a\n",
            "https://ä.example", "https://[::1", f"https://a/{'x' * MAX_LINK}", 1, None, ["https://a"],
        ):  # fmt: skip
            self.assertEqual(Part(bad).link(), "", bad)

    def test_needs(self):
        """What has to be there and is not is named, with what it should be."""
        part = Part({"a": {"b": 1}})
        for call, told in (
            (part["a"]["b"].needed, "a.b is missing, or not a text"),
            (part["a"]["b"].an_object, "a.b is missing, or not an object"),
            (part["a"].parts, "a is missing, or not a list"),
        ):
            self.assertEqual(self.assertRaises(WrongPayload, call).reason, told)


class ParseTests(SynchronousTestCase):
    def test_object(self):
        """An object is read, with or without a byte order mark."""
        self.assertEqual(parse(b'{"a": 1}').value, {"a": 1})
        self.assertEqual(parse(b'\xef\xbb\xbf{"a": 1}').value, {"a": 1})

    def test_wrong(self):
        """All else is refused with a reason on one line that repeats nothing of it."""
        for body, told in (
            (b"", "this is no JSON: Expecting value (line 1, column 1)"),
            (b"{", "this is no JSON: Expecting property name enclosed in double quotes"),
            (b"[1]", "this is no JSON object"),
            (b'"a"', "this is no JSON object"),
            (b"\xff", "this is not UTF-8"),
            (b'{"a": NaN}', "this is no JSON: NaN is no number"),
            (b'{"a": ' + b"[" * 200_000, "this is nested too deeply"),
        ):
            reason = self.assertRaises(WrongPayload, parse, body).reason
            self.assertTrue(reason.startswith(told), reason)

    def test_huge_numbers(self):
        """A number of any length is a text, and takes no time."""
        part = parse(b'{"a": ' + b"9" * 900_000 + b', "b": 1e999, "c": 12345678901234567890}')
        self.assertEqual(len(part["a"].text()), MAX_FIELD)
        self.assertEqual(part["b"].text(), "inf")
        self.assertEqual(part["c"].text(), "12345678901234567890")

    @given(anything)
    @settings(max_examples=examples(200))
    def test_any(self, value):
        """Whatever JSON says, each part of it is a harmless line."""
        try:
            part = parse(json.dumps({"a": value}).encode())
        except WrongPayload as wrong:
            self.assertTrue(wrong.reason.isprintable())
            return
        for each in (part, part["a"], part.at("a.0"), part.at("a.a.b")):
            for text in (each.text(), each.first_line(), each.link()):
                self.assertTrue(
                    all(c.isprintable() or c in "\u200d\u200c" or ord(c) > 0xA0 for c in text)
                )
                text.encode()
