"""Tests of :mod:`xbot.model.people`."""

from twisted.trial import unittest

from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People


class PeopleTests(unittest.TestCase):
    def test_includes(self):
        """JIDs are compared as JIDs, and a domain is exactly that one."""
        people = People.parse(["Alice@Example.org", "@friends.example"])
        table = {
            "alice@example.org": True,
            "ALICE@EXAMPLE.ORG/phone": True,
            "bob@example.org": False,
            "example.org": False,
            "anyone@friends.example/x": True,
            "friends.example": False,
            "anyone@sub.friends.example": False,
            "anyone@notfriends.example": False,
        }
        for jid, included in table.items():
            self.assertIs(people.includes(Jid.parse(jid)), included, jid)
            self.assertFalse(NOBODY.includes(Jid.parse(jid)), jid)

    def test_mistakes(self):
        """What names nobody is told with its name."""
        for name in (
            "example.org",
            "@",
            "@@b",
            "a@b/c",
            "@b/c",
            "@a@b",
            "a@",
            "x" * 4000,
            "*@b",
            "@*.b",
        ):
            with self.assertRaises(ValueError) as caught:
                People.parse(["a@b", name])
            self.assertIn(name[:10], str(caught.exception))
