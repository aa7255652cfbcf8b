"""Tests of the ``status`` responder."""

from tests.responders.talk import ROOM, Talk
from xbot import __version__
from xbot.responders.status import age


class StatusTests(Talk):
    def test_facts(self) -> None:
        """Connection, rooms, how long, and versions; no room is named."""
        self.begin()
        self.clock.advance(7200 + 60)
        (said,) = self.say("status")
        first, second, third = said.splitlines()
        self.assertEqual(first, "I am online, in 1 of 1 rooms.")
        self.assertEqual(second, "Up for 2 h 1 min, connected for 1 min.")
        self.assertTrue(third.startswith(f"xbot {__version__}, Twisted "), third)
        self.assertNotIn(ROOM, said)

    def test_age(self) -> None:
        """The two largest units."""
        for seconds, text in {
            0.4: "0 s",
            59: "59 s",
            60: "1 min",
            3661: "1 h 1 min",
            86400 * 3 + 7: "3 d",
            86400 * 3 + 7200: "3 d 2 h",
        }.items():
            self.assertEqual(age(seconds), text)
