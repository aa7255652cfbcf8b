"""Tests of :mod:`xbot.model.status`."""

from attrs import evolve
from twisted.trial import unittest

from xbot.model.status import Link, Overview, Phase, Place

ONLINE = Link("online", 10.0, "connection refused")


def room(name="a", state="joined"):
    return Place(f"{name}@rooms.example", "xbot", state, "it said so", 5.0)


def words(link=ONLINE, *rooms, phase=Phase.RUNNING):
    return Overview(phase, link, rooms).in_words()


class WordsTests(unittest.TestCase):
    def test_rooms(self):
        """Online, the rooms are counted, and those that refuse us are named, some of them."""
        self.assertEqual(words(), "logged in, to no room")
        self.assertEqual(words(ONLINE, room(), room("b", "joining")), "in 1 of 2 rooms")
        refused = [room(name, "refused") for name in "bcdef"]
        self.assertEqual(
            words(ONLINE, room(), *refused),
            "in 1 of 6 rooms, refused by"
            " b@rooms.example c@rooms.example d@rooms.example and 2 others",
        )

    def test_mute(self):
        """Rooms in which the bot may not speak are named; of the ini, they keep it from ready."""
        mute = evolve(room("b"), mute="may not speak there: forbidden")
        self.assertEqual(
            words(ONLINE, room(), mute), "in 2 of 2 rooms, may not speak in b@rooms.example"
        )
        self.assertEqual((room().problem, mute.problem), ("", "may not speak there: forbidden"))
        for is_named in True, False:
            rooms = room(), evolve(mute, is_named=is_named)
            overview = Overview(Phase.RUNNING, ONLINE, rooms)
            self.assertEqual((overview.is_ready, overview.mute), (not is_named, 1))

    def test_no_connection(self):
        """Offline, it is told what comes next, and why."""
        for state, next_try, told in (
            ("waiting", 39.2, "next try in 40 s: connection refused"),
            ("waiting", 300.0, "next try in 5m: connection refused"),
            ("waiting", 0.2, "next try in 0 s: connection refused"),
            ("waiting", 7.6, "next try in 8 s: connection refused"),
            ("waiting", 58.0, "next try in 1m: connection refused"),
            ("waiting", 299.9, "next try in 5m: connection refused"),
            ("waiting", 3600.0, "next try in 1h: connection refused"),
            ("connecting", None, "connecting: connection refused"),
            ("negotiating", None, "logging in: connection refused"),
            ("failed", None, "given up: connection refused"),
        ):
            link = Link(state, 1.0, "connection refused", next_try)
            self.assertEqual(words(link, room(state="absent")), told)
        self.assertEqual(words(Link("connecting", 1.0)), "connecting")
        self.assertEqual(len(words(Link("connecting", 1.0, "x" * 1000))), 212)

    def test_phases(self):
        """Starting, reloading and stopping are told as well."""
        self.assertEqual(words(ONLINE, phase=Phase.STARTING), "starting")
        self.assertEqual(
            words(ONLINE, room(), phase=Phase.RELOADING), "reading the ini again, in 1 of 1 rooms"
        )
        self.assertEqual(words(ONLINE, room(), phase=Phase.STOPPING), "stopping, in 1 of 1 rooms")


class ReadyTests(unittest.TestCase):
    def test_ready(self):
        """Ready is who is logged in and in every room."""
        for link, rooms, is_ready in (
            (ONLINE, (), True),
            (ONLINE, (room(), room("b")), True),
            (ONLINE, (room(), room("b", "stale")), False),
            (Link("waiting", 1.0), (), False),
            (Link("waiting", 1.0), (room(),), False),
        ):
            self.assertIs(Overview(Phase.RUNNING, link, rooms).is_ready, is_ready)
