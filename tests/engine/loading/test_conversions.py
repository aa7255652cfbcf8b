"""Tests of :mod:`xbot.engine.loading.conversions`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, NewType, Optional
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from xbot import Jid, Message
from xbot.engine.loading.conversions import MAX_ITEMS, UnknownAnnotation, converter


class Size(enum.Enum):
    SMALL = "s"
    LARGE = 2


FOLDER = Path("/etc/xbot")

RIGHT: list[tuple[Any, str, Any]] = [
    (str, " as it is ", " as it is "),
    (Any, "x", "x"),
    (int, "-12", -12),
    (int, "٣", 3),
    (float, "1.5e3", 1500.0),
    (bool, "Yes", True),
    (bool, "off", False),
    (Size, "small", Size.SMALL),
    (Size, "S", Size.SMALL),
    (Size, "2", Size.LARGE),
    (timedelta, "1h30m", timedelta(minutes=90)),
    (date, "2030-02-28", date(2030, 2, 28)),
    (time, "18:30", time(18, 30)),
    (datetime, "2030-02-28 18:30", datetime(2030, 2, 28, 18, 30)),
    (ZoneInfo, "Europe/Berlin", ZoneInfo("Europe/Berlin")),
    (Jid, "Alice@Example.org", Jid("alice", "example.org")),
    (Literal["a", 1], "A", "a"),
    (Literal["a", 1], "1", 1),
    (int | None, "3", 3),
    (Optional[int], "3", 3),  # noqa: UP045
    (int | str, "3", 3),
    (int | str, "three", "three"),
    (NewType("Id", int), "7", 7),
    (list[int], "1, 2\n3", [1, 2, 3]),
    (list, "a b", ["a", "b"]),
    (Sequence[Size], "s 2", [Size.SMALL, Size.LARGE]),
    (tuple[int, ...], "1 2", (1, 2)),
    (set[str], "a a", {"a"}),
    (frozenset[int], "", frozenset()),
    (Path, "a/b", FOLDER / "a/b"),
    (Path, "/a", Path("/a")),
]

WRONG: list[tuple[Any, str, str]] = [
    (int, "ten", "is no whole number"),
    (int, "1_000", "is no whole number"),
    (int, "", "is no whole number"),
    (int, "9" * 4096, "is no whole number"),
    (float, "nan", "is no number"),
    (float, "1e999", "is no number"),
    (float, "1" * 4096, "is no number"),
    (bool, "perhaps", "is neither yes nor no"),
    (Size, "medium", "is none of small, large"),
    (Literal["a", 1], "b", "is none of a, 1"),
    (timedelta, "9999d", "is no duration such as 90s, 5m, 1h30m or 2d"),
    (date, "yesterday", "is no date such as 2030-12-31"),
    (ZoneInfo, "Mars/Base", "is no time zone such as Europe/Berlin"),
    (ZoneInfo, "Europe", "is no time zone such as Europe/Berlin"),
    (ZoneInfo, "../../etc/passwd", "is no time zone such as Europe/Berlin"),
    (Jid, "a@@b", "is no address: it has more than one @"),
    (int | bool, "x", "is no whole number, and is neither yes nor no"),
    (list[int], "1 x", "has an item (number 2) that is no whole number"),
    (list[str], "x " * (MAX_ITEMS + 1), f"has more than {MAX_ITEMS} items"),
]


class ConverterTests(TestCase):
    def test_right(self) -> None:
        """Each type has its way to be written, whatever its case."""
        for annotation, text, value in RIGHT:
            found = converter(annotation, FOLDER)(text)
            self.assertEqual((type(found), found), (type(value), value), annotation)

    def test_wrong(self) -> None:
        """What is no such value is refused with what it should be, without repeating it."""
        for annotation, text, reason in WRONG:
            with self.assertRaises(ValueError) as caught:
                converter(annotation, FOLDER)(text)
            self.assertEqual(str(caught.exception), reason)

    def test_unknown(self) -> None:
        """An annotation that nothing can be converted to is found before anybody says anything."""
        for annotation in (Message, dict[str, str], bytes, list[bytes], int | bytes, "x", None):
            self.assertRaises(UnknownAnnotation, converter, annotation, FOLDER)
        # What people say must not name files.
        self.assertRaises(UnknownAnnotation, converter, Path)

    @given(st.text(max_size=50))
    def test_any_text(self, text: str) -> None:
        """Whatever is said is a value, or a ValueError."""
        for annotation, *_ in RIGHT:
            try:
                converter(annotation, FOLDER)(text)
            except ValueError as error:
                self.assertTrue(str(error).isprintable(), annotation)
