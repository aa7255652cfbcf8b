"""Tests of :mod:`xbot.state.brain.portable`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.effort import examples
from tests.state.brain.test_brain import JSON
from xbot.model.file_state import UnusableFile
from xbot.state.brain.brain import FILE_NAME
from xbot.state.brain.contents import Bounds, Row
from xbot.state.brain.errors import BrainFull
from xbot.state.brain.file import BrainFile, Content, Stamp, read_content
from xbot.state.brain.lasting import Clocks, Moment
from xbot.state.brain.portable import Exported, InvalidExport, as_json, import_into, parse
from xbot.state.brain.values import frozen
from xbot.state.sqlite.file import BrokenFile, take_lock

# 2001-09-09T01:46:40Z
CLOCKS = Clocks("boot", lambda: 100.0, lambda: 1e9)
STAMP = Stamp(7.0, Moment("boot", 90.0, 5.0))


def content(*rows: Row) -> Content:
    """A file's content; on its own time it is 17.0 now."""
    return Content(list(rows), STAMP, 0)


class ExportTests(SynchronousTestCase):
    def test_readable(self) -> None:
        """By responder and key: the value, and the time at which it expires, if it does."""
        text = as_json(
            content(
                Row("b", "z", "[1]", None, 1),
                Row("a", "over", "1", 17.0, 2),
                Row("b", "é\x1b", '"\\u00e9"', 17.0 + 3600.5, 3),
                Row("b", "nonsense", "[", None, 4),
            ),
            CLOCKS,
        )
        self.assertTrue(text.isascii())
        self.assertNotIn("\x1b", text)
        self.assertEqual(text.count("\n"), len(text.splitlines()))
        self.assertEqual(
            json.loads(text),
            {
                "version": 1,
                "namespaces": {
                    "b": {
                        "z": {"value": [1]},
                        "é\x1b": {"value": "é", "expires": "2001-09-09T02:46:40.500Z"},
                    }
                },
            },
        )

    def test_nothing(self) -> None:
        """A brain without anything in it is a whole export, too."""
        self.assertEqual(parse(as_json(Content([], None, 0), CLOCKS)), [])

    def test_for_ever(self) -> None:
        """A time later than any calendar goes is the latest that it has."""
        [found] = parse(as_json(content(Row("a", "x", "1", 1e300, 1)), CLOCKS))
        self.assertGreater(found.expires or 0.0, 2e11)

    @settings(max_examples=examples(60))
    @given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
    def test_round(self, values: dict[str, Any]) -> None:
        """Whatever is exported is parsed as it was."""
        rows = [Row("a", key, frozen(value), None, 1) for key, value in values.items()]
        found = {each.key: each.value for each in parse(as_json(content(*rows), CLOCKS))}
        self.assertEqual(repr(found), repr(values))


class ParseTests(SynchronousTestCase):
    def refused(self, text: str | bytes) -> str:
        return str(self.assertRaises(InvalidExport, parse, text))

    def test_all_mistakes(self) -> None:
        """Every mistake is told with its place."""
        entries = {
            "a": 1,
            "b": {},
            "c": {"value": 1, "expires": "soon"},
            "d": {"value": 1, "expires": "2031-05-17T09:30:00"},
            "e": {"value": 1, "ttl": 5},
            "f": {"value": 2**5000},
            "g": {"value": 1, "expires": 5},
            "good": {"value": 1, "expires": "2031-05-17T09:30:00+02:00"},
        }
        text = json.dumps({"version": 1, "namespaces": {"n": entries, "": {}, "m": []}, "x": 1})
        lines = self.refused(text).splitlines()
        places = ["'x'", *(f"'n': '{key}'" for key in "abcdefg"), "''", "'m'"]
        self.assertEqual([line.rsplit(": ", 1)[0] for line in lines][:3], places[:3])
        for line, place in zip(lines, places, strict=True):
            self.assertTrue(line.startswith(place), line)
        many = {"version": 1, "namespaces": {"n": dict.fromkeys(map(str, range(100)), 1)}}
        self.assertEqual(self.refused(json.dumps(many)).splitlines()[20:], ["and 80 more"])

    def test_something_else(self) -> None:
        """What is no export is refused in words."""
        for text, word in (
            ("", "no JSON"),
            ("{", "no JSON"),
            (b"\xff\xfe\xfd", "no JSON"),
            ("[]", "no namespaces"),
            ('{"version": 1}', "no namespaces"),
            ('{"version": 1, "namespaces": []}', "no namespaces"),
            ('{"version": 2, "namespaces": {}}', "version is 2, not 1"),
            ('{"version": true, "namespaces": {}}', "version is True"),
            ('{"namespaces": {}}', "version is None"),
            ('{"version": 1, "namespaces": {"a": {"x": {"value": NaN}}}}', "NaN"),
            ('{"version": 1, "namespaces": {"a": {}, "a": {}}}', "'a' stands in one object twice"),
            ('{"version": 1, "namespaces": {"\\ud800": {}}}', "no name"),
            ('{"version": 1, "namespaces": {"a": {"\\ud800": {"value": 1}}}}', "no key"),
            ("[" * 100_000, "deeply"),
        ):
            self.assertIn(word, self.refused(text))


class ImportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / FILE_NAME

    def found(self) -> dict[tuple[str, str], tuple[str, float | None]]:
        return {
            (row.namespace, row.key): (row.text, row.expires)
            for row in read_content(self.path).rows
        }

    def test_into_nothing_and_again(self) -> None:
        """It makes the file, replaces what has the same key, and leaves out what has expired."""
        done = import_into(
            self.path,
            [
                Exported("a", "x", [1], None),
                Exported("a", "y", 2, 1e9 + 60),
                Exported("b", "old", 3, 1e9 - 60),
            ],
            CLOCKS,
        )
        self.assertEqual(str(done), "imported: 2 new, 0 replaced; 1 had expired and were left out")
        again = import_into(
            self.path, [Exported("a", "x", 3, None), Exported("c", "z", 4, None)], CLOCKS
        )
        self.assertEqual(str(again), "imported: 1 new, 1 replaced")
        now = read_content(self.path).stamp
        assert now is not None
        self.assertEqual(
            self.found(),
            {
                ("a", "x"): ("3", None),
                ("a", "y"): ("2", now.now + 60),
                ("c", "z"): ("4", None),
            },
        )
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_while_the_bot_runs(self) -> None:
        """While a bot has the file nothing is changed; after it, the next may import."""
        lock = take_lock(self.path)
        with self.assertRaisesRegex(UnusableFile, "the bot is running; stop it first"):
            import_into(self.path, [], CLOCKS)
        self.assertFalse(self.path.exists())
        os.close(lock)
        for _ in range(2):
            import_into(self.path, [], CLOCKS)

    def test_no_room(self) -> None:
        """Without room for all of it, none of it is there."""
        import_into(self.path, [Exported("a", "x", 1, None)], CLOCKS)
        more = [Exported("a", str(number), 1, None) for number in range(3)]
        with self.assertRaises(BrainFull):
            import_into(self.path, more, CLOCKS, Bounds(keys=3))
        self.assertEqual(set(self.found()), {("a", "x")})

    def test_broken(self) -> None:
        """A broken file is an error, and is left as it is."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"no such thing" * 100)
        self.assertRaises(BrokenFile, import_into, self.path, [], CLOCKS)
        self.assertEqual(self.path.read_bytes(), b"no such thing" * 100)
        self.path.unlink()
        BrainFile(self.path).close()
