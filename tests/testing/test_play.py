"""Tests of played transcripts."""

from pathlib import Path

from twisted.trial import unittest

from xbot.testing import Bot
from xbot.testing.play import Difference, play
from xbot.testing.report import as_text, summary, unfinished
from xbot.testing.transcript import Step, parse

PATH = Path("talk.txt")
INI = """
[responder deploy]
match = deploy (?P<app>\\w+)
reply = {app} is out
allow = alice@example.org

[responder count]
use = tests.testing.shop:count

[responder fallback]
enabled = no

[responder remember]
enabled = no
"""


def played(text: str) -> list[Difference]:
    return list(play(parse(text, PATH), lambda limits: Bot.from_ini(INI, limits=limits)))


class PlayTests(unittest.TestCase):
    def test_all_right(self) -> None:
        """What is said as expected is right; where nothing is expected, silence is."""
        self.assertEqual(
            played(
                "alice = alice@example.org\neve = hidden\nin ops@conference.example.org\n"
                "alice> xbot: deploy web\nxbot to ops@conference.example.org< web is out\n"
                "eve privately> deploy web\nxbot< deploy is not for everyone...\n"
                "alice> nothing\ndirect\nalice> help\n...\nalice> ping\nxbot< p...\n"
            ),
            [],
        )

    def test_differences(self) -> None:
        """Too little, too much, something else, elsewhere: each is told, and the play goes on."""
        differences = played(
            "a@x> ping\n"
            "a@x> deploy web\nxbot< web is out\n"
            "a@x> ping\nxbot< pong\nxbot< pong\n"
            "a@x> ping\nxbot to b@x< pong\n"
            "wait 1s\nxbot< x\n"
            "a@x> ping\nxbot< x\n...\n"
            "a@x> ping\nxbot< pong\n"
        )
        self.assertEqual([each.step.line for each in differences], [1, 2, 4, 7, 9, 11])
        self.assertEqual(differences[0].said, ("pong",))
        self.assertIn("denied deploy to a@x", differences[1].why)

    def test_scenes(self) -> None:
        """Each scene has a bot of its own, on which nothing from before has an influence."""
        talk = "a@x> count\nxbot< 1\na@x> count\nxbot< 2\n"
        self.assertEqual(played(f"{talk}---\n{talk}"), [])

    def test_limits(self) -> None:
        """The rates of the bot hold in scenes that say so."""
        talk = "a@x> ping\nxbot< pong\n" * 11
        self.assertEqual(played(talk), [])
        self.assertEqual(len(played(f"limits\n{talk}")), 1)

    def test_each_bot_is_closed(self) -> None:
        """The bot of a scene is closed after it, though a step was wrong."""
        closed: list[Bot] = []
        self.patch(Bot, "close", lambda bot: closed.append(bot))
        self.assertEqual(len(played("a@x> ping\n---\na@x> ping\nxbot< pong\n")), 1)
        self.assertEqual(len(closed), 2)

    def test_unfinished(self) -> None:
        """What still runs at the end of a scene is told with its line and name."""
        told: list[str] = []
        ini = "[responder ship]\nmatch = ship\nreply = out\neffect = yes\nconfirm = yes\n"

        def got_unfinished(step: Step, names: list[str]) -> None:
            told.append(unfinished(PATH, step, names))

        scenes = parse("a@x> ship\n...\n---\na@x> ping\nxbot< pong\n", PATH)
        differences = play(scenes, lambda limits: Bot.from_ini(ini), got_unfinished)
        self.assertEqual(list(differences), [])
        self.assertEqual(len(told), 1)
        self.assertIn("talk.txt:1: note: ship still runs at the end", told[0])

    def test_report(self) -> None:
        """The report names the line, what was expected, what was said, and why."""
        (difference,) = played("a@x> deploy \x1bweb\nxbot to b@x< web\n  is out\n...\n")
        self.assertEqual(
            as_text(PATH, difference).splitlines(),
            [
                "talk.txt:1: a> deploy \ufffdweb",
                "  expected: web",
                "            is out (to b@x)",
                "  expected: ...",
                "  got:      (nothing)",
                "  because:  said to the bot: deploy \ufffdweb",
                "  because:  no responder answers",
            ],
        )
        scenes = parse("a@x> 1\nwait 1s\n", PATH)
        self.assertEqual(summary([scenes], 0), "1 transcript, 2 steps: all right")
        self.assertEqual(summary([scenes, scenes], 1), "2 transcripts, 4 steps: 1 wrong")
