"""Tests of :mod:`xbot.runtime.answers`."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from twisted.internet import defer
from twisted.trial.unittest import TestCase

from xbot.model.message import Message
from xbot.runtime.answers import MAX_ANSWERS, MAX_LENGTH, collect

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")


class CollectTests(TestCase):
    def said(self, result: object) -> list[Any]:
        answers = collect(result)
        self.assertIsNone(answers.failure)
        return list(answers.said)

    def test_what_may_be_said(self) -> None:
        """Nothing, a text, or several of them; blanks are silence."""
        for result in (None, "", " \n", [], (), iter(()), ["", " "]):
            self.assertEqual(self.said(result), [])
        for result in ("a", ["a"], ("a", ""), iter(["a"]), (c for c in "a")):
            self.assertEqual(self.said(result), ["a"])

    def test_what_may_not(self) -> None:
        """Anything else is a failure that names what was returned."""
        for result, name in (
            (b"x", "bytes"),
            (3, "int"),
            ({"a": 1}, "dict"),
            ({"a"}, "set"),
            ([b"x"], "bytes"),
            (MESSAGE, "Message"),
            (object, "type"),
        ):
            failure = collect(result).failure
            assert failure is not None
            self.assertEqual(
                str(failure.value),
                f"returned {name}: an answer is a str, a list of them, or None",
            )

    def test_half_way(self) -> None:
        """What was said before a failure is kept; no exception escapes."""
        for error in (ValueError, SystemExit, GeneratorExit, defer.CancelledError):

            def generator(error: type[BaseException] = error) -> Iterator[str]:
                yield "first"
                raise error

            answers = collect(generator())
            self.assertEqual(answers.said, ("first",))
            assert answers.failure is not None
            self.assertIsInstance(answers.failure.value, (error, RuntimeError))

    def test_too_many(self) -> None:
        """An iterator is read to its end; the mark that it is cut stands on the first page."""
        done = []

        def generator() -> Iterator[str]:
            yield from map(str, range(1000))
            done.append(True)

        for result in (generator(), list(map(str, range(1000)))):
            answers = collect(result)
            self.assertEqual(len(answers.said), MAX_ANSWERS)
            self.assertEqual(answers.said[0], "[cut after 10 messages]\n0")
            self.assertEqual(answers.said[1:], tuple(map(str, range(1, 10))))
            self.assertEqual(answers.cut, "only the first 10 messages")
        self.assertEqual(done, [True])
        exact = collect([*map(str, range(10)), " "])
        self.assertEqual((exact.said[0], exact.cut), ("0", ""))

    def test_endless(self) -> None:
        """An endless iterator, also of blanks, is read until it is over, and closed."""
        closed = []
        is_over = threading.Event()

        def generator(value: str) -> Iterator[str]:
            try:
                for number in itertools.count():
                    if number == 500:
                        is_over.set()
                    yield value
            finally:
                closed.append(value)

        for value, count in (("x", MAX_ANSWERS), ("", 0)):
            is_over.clear()
            self.assertEqual(len(collect(generator(value), is_over).said), count)
        self.assertEqual(closed, ["x", ""])

    def test_long(self) -> None:
        """A megabyte is cut, with a mark on its first page."""
        answers = collect("x" * 2**20)
        (text,) = answers.said
        self.assertEqual(len(text), MAX_LENGTH)
        self.assertTrue(text.startswith("[cut at 65,536 characters]\nx"))
        self.assertEqual(answers.cut, "only the first 65,536 characters")

    def test_control_characters(self) -> None:
        """What no stanza can hold is the adapter's business, and passes."""
        self.assertEqual(self.said("a\0\x1b\ud800"), ["a\0\x1b\ud800"])
