"""Tests of the transcript parser and its error messages."""

from pathlib import Path

from twisted.trial import unittest

from xbot.model.errors import InvalidConfig
from xbot.testing.transcript import MAX_SIZE, Expected, Person, Scene, Step, parse, read

PATH = Path("talk.txt")
ROOM = "ops@conference.example.org"


def steps(text: str) -> tuple[Step, ...]:
    (scene,) = parse(text, PATH)
    return scene.steps


class ParseTests(unittest.TestCase):
    def test_who_is_who(self) -> None:
        """Names are those of real addresses, of people in rooms, or of hidden ones."""
        (alice, eve, bob) = (
            step.person
            for step in steps(
                "alice = al@example.org owner\neve=hidden\n"
                "alice> a\neve> b\nbob@example.org/x in r@y> c\n"
            )
        )
        self.assertEqual(alice, Person("alice", "al@example.org", "owner"))
        self.assertEqual(eve, Person("eve", None))
        self.assertEqual(bob, Person("bob", "bob@example.org/x"))

    def test_where(self) -> None:
        """What is said is said to the bot alone, in the room above, or where its line says."""
        found = steps(
            f"a@x> 1\nin {ROOM}\na@x> 2\na@x in other@x> 3\na@x privately> 4\ndirect\na@x> 5\n"
        )
        self.assertEqual([step.room for step in found], [None, ROOM, "other@x", ROOM, None])
        self.assertEqual([step.private for step in found], [False, False, False, True, False])

    def test_answers(self) -> None:
        """Answers belong to what stands before them; ... alone is all the rest."""
        said, waited = steps("a@x> hi\nxbot< one\nxbot to b@x< two\nwait 1m30s\n...\n")
        self.assertEqual(said.expected, (Expected(2, "one"), Expected(3, "two", "b@x")))
        self.assertEqual((waited.wait, waited.and_more, waited.expected), (90.0, True, ()))

    def test_several_lines(self) -> None:
        """Indented lines go on with what is above, as the terminal shows it."""
        (step,) = steps("a@x> one\n  two\nxbot< name   help\n      ping     x\n        y\n")
        self.assertEqual(step.text, "one\ntwo")
        self.assertEqual(step.expected[0].text, "name   help\nping     x\n  y")

    def test_texts_with_signs(self) -> None:
        """What is said may have the signs that lines are told apart by."""
        (step,) = steps("a@x> a < b = c > d # e\nxbot< x > y = z < w\n")
        self.assertEqual(step.text, "a < b = c > d # e")
        self.assertEqual(step.expected[0].text, "x > y = z < w")

    def test_scenes(self) -> None:
        """--- begins anew, with the same people; limits hold in their own scene."""
        first, second, third = parse("a = a@x\na> 1\n---\nlimits\na> 2\n---\na> 3\n", PATH)
        self.assertEqual((first.limits, second.limits, third.limits), (False, True, False))
        self.assertEqual((first.steps[0].text, second.steps[0].text), ("1", "2"))
        self.assertIsInstance(first, Scene)

    def test_comments(self) -> None:
        """Empty lines and lines that begin with # say nothing."""
        self.assertEqual(len(steps("# x> y\n\n  # z\na@x> 1\r\n\n")), 1)

    def test_mistakes(self) -> None:
        """Every mistake is told, with its line."""
        for text, line, reason in (
            ("what is this", 1, "is none of"),
            ("a@x> 1\nalice> 2", 2, "who is alice"),
            ("alice = @", 1, "no JID"),
            ("alice = a@x king", 1, "'king' is none of owner"),
            ("alice = localhost", 1, "not NAME@DOMAIN"),
            ("xbot< x", 1, "nothing was said"),
            ("wait soon", 1, "no duration"),
            ("  x", 1, "is indented"),
            ("a@x> 1\n\n  x", 3, "is indented"),
            ("in here", 1, "not NAME@DOMAIN"),
            ("a@x privately> x", 1, "through a room"),
            ("a@x> 1\n...\nxbot< x", 3, "stands for all the rest"),
            ("# nothing", 0, "has no steps"),
        ):
            with self.assertRaises(InvalidConfig, msg=text) as caught:
                parse(text, PATH)
            problem = caught.exception.problems[0]
            self.assertEqual(problem.line, line, text)
            self.assertIn(reason, problem.reason)

    def test_fits(self) -> None:
        """... is anything, also over several lines; all else is compared as it is."""
        for text, said, is_right in (
            ("a.c", "abc", False),
            ("a.c", "a.c", True),
            ("...", "", True),
            ("a...", "a\nb", True),
            ("a...c...e", "abcde", True),
            ("a", "ab", False),
        ):
            self.assertEqual(Expected(1, text).fits(said, "x@y"), is_right, (text, said))
        self.assertFalse(Expected(1, "a", "z@y").fits("a", "x@y"))


class ReadTests(unittest.TestCase):
    def test_files(self) -> None:
        """What is no text, too long, or not there is told with its path."""
        path = Path(self.mktemp())
        path.write_text("a@x> 1\n")
        self.assertEqual(len(read(path)), 1)
        for data, reason in ((b"a\n\xff", "not UTF-8"), (b"#" * (MAX_SIZE + 1), "is longer than")):
            path.write_bytes(data)
            with self.assertRaises(InvalidConfig) as caught:
                read(path)
            self.assertIn(reason, str(caught.exception))
        with self.assertRaises(InvalidConfig) as caught:
            read(path / "none")
        self.assertIn("cannot be read", str(caught.exception))
