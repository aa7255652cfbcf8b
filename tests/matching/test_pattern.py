"""Tests of :mod:`xbot.matching.pattern`."""

from twisted.trial.unittest import TestCase

from xbot.matching.pattern import MAX_SEARCHED, Pattern


class PatternTests(TestCase):
    def test_match_is_the_whole_text(self) -> None:
        """A match pattern fits the whole text or not at all."""
        self.assertEqual(Pattern.match("ping").find("ping"), {})
        self.assertIsNone(Pattern.match("ping").find("ping me"))

    def test_hear_is_anywhere(self) -> None:
        """A hear pattern fits anywhere."""
        self.assertEqual(Pattern.hear(r"\bhi\b").find("oh hi there"), {})

    def test_groups_that_took_no_part_are_left_out(self) -> None:
        """Only groups that took part are given, so that defaults apply."""
        pattern = Pattern.match(r"deploy (?P<app>\w+)( to (?P<env>\w+))?")
        self.assertEqual(pattern.find("deploy web"), {"app": "web"})
        self.assertEqual(pattern.find("deploy web to QA"), {"app": "web", "env": "QA"})
        self.assertEqual(pattern.groups, {"app", "env"})

    def test_case(self) -> None:
        """Case is ignored unless the pattern minds it."""
        self.assertEqual(Pattern.match("ping").find("Ping"), {})
        self.assertIsNone(Pattern.match("(?-i:ping)").find("Ping"))

    def test_long_texts(self) -> None:
        """What is too long does not match, and is heard at its beginning only."""
        long = "x" * MAX_SEARCHED
        self.assertIsNone(Pattern.match("x*").find(long + "x"))
        self.assertIsNone(Pattern.hear("y").find(long + "y"))
        self.assertEqual(Pattern.hear("x").find(long + "y"), {})
