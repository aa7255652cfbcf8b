"""Tests of :mod:`xbot.model.access`."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import TestCase

from xbot.model.access import EVERYONE, ROOM_WORDS, Access, AccessList, refusal
from xbot.model.message import Message
from xbot.model.people import People

ROOM = "ops@rooms.example"
STRANGER = Message(f"{ROOM}/alice", f"{ROOM}/xbot", "go", {"type": "groupchat"}, ROOM, "alice")
ALICE = evolve(STRANGER, identity="alice@example.org")
MALLORY = evolve(STRANGER, identity="mallory@example.org")
PRIVATE = evolve(ALICE, payload={"type": "chat"})
DIRECT = Message("alice@example.org/x", "me", "go", {"type": "chat"}, identity="alice@example.org")


def whom(*names: str, words: frozenset[str] = frozenset()) -> AccessList:
    return AccessList(People.parse(names), words)


class WhoTests(TestCase):
    def test_everyone(self) -> None:
        """Without rules everyone may, known or not."""
        for message in (STRANGER, ALICE, PRIVATE, DIRECT):
            self.assertTrue(EVERYONE.allows(message))

    def test_allow(self) -> None:
        """Only the real address counts: neither a nick nor the address written from."""
        access = Access(allow=whom("alice@example.org"))
        self.assertTrue(access.allows(ALICE))
        self.assertTrue(access.allows(DIRECT))
        for message in (STRANGER, MALLORY, evolve(DIRECT, identity=None)):
            self.assertFalse(access.allows(message))
        for identity in ("@@", "", "example.org", "alice@example.org.evil.example"):
            self.assertFalse(access.allows(evolve(ALICE, identity=identity)))

    def test_domain(self) -> None:
        """A domain is everyone there, not of its subdomains, and not the domain itself."""
        access = Access(allow=whom("@example.org"))
        self.assertTrue(access.allows(MALLORY))
        for identity in ("alice@sub.example.org", "example.org", None):
            self.assertFalse(access.allows(evolve(ALICE, identity=identity)))

    def test_deny(self) -> None:
        """deny goes before allow, and whoever is not known might be meant."""
        access = Access(allow=whom("@example.org"), deny=whom("mallory@example.org"))
        self.assertTrue(access.allows(ALICE))
        self.assertFalse(access.allows(MALLORY))
        self.assertFalse(Access(deny=whom("mallory@example.org")).allows(STRANGER))

    def test_banned(self) -> None:
        """A person whom the room has banned may use nothing there, by no rule."""
        banned = evolve(ALICE, affiliation="outcast")
        for access in EVERYONE, Access(allow=whom("alice@example.org")):
            self.assertEqual(access.objection(banned), "the room has banned alice@example.org")

    def test_objections(self) -> None:
        """What keeps somebody out is told in words, with who it is where that is known."""
        access = Access(allow=whom("@example.org"), deny=whom("mallory@example.org"))
        elsewhere = evolve(ALICE, identity="alice@elsewhere.example")
        self.assertIsNone(access.objection(ALICE))
        self.assertEqual(access.objection(MALLORY), "deny includes mallory@example.org")
        self.assertEqual(
            access.objection(elsewhere), "allow does not include alice@elsewhere.example"
        )
        for rules in (access, Access(allow=whom("@example.org"))):
            self.assertIn("real address is hidden", rules.objection(STRANGER) or "")

    def test_affiliations(self) -> None:
        """What the room says of somebody counts by these words alone, and in a room alone."""
        expected = {
            "room-owners": {"owner"},
            "room-admins": {"owner", "admin"},
            "room-members": {"owner", "admin", "member"},
        }
        for word, included in expected.items():
            access = Access(allow=whom(words=ROOM_WORDS[word]))
            for affiliation in ("owner", "admin", "member", "outcast", "none", "Owner", ""):
                message = evolve(STRANGER, affiliation=affiliation)
                self.assertEqual(access.allows(message), affiliation in included, word)
                self.assertFalse(access.allows(evolve(DIRECT, affiliation=affiliation)))
        for message in (STRANGER, DIRECT):
            owner = evolve(message, affiliation="owner", identity=None)
            self.assertFalse(Access(allow=whom("alice@example.org")).allows(owner))

    def test_refusal(self) -> None:
        """Who is refused is told why."""
        self.assertIn("cannot see here who you are", refusal("go", STRANGER))
        self.assertEqual(refusal("go", MALLORY), "go is not for you, alice.")


class WhereTests(TestCase):
    def test_rooms(self) -> None:
        """rooms restricts which rooms, publicly and privately; direct chat is another matter."""
        here, elsewhere = Access(rooms=frozenset({ROOM})), Access(rooms=frozenset({"a@b"}))
        for message in (ALICE, PRIVATE):
            self.assertTrue(here.is_here(message))
            self.assertFalse(elsewhere.is_here(message))
        self.assertTrue(elsewhere.is_here(DIRECT))

    def test_direct(self) -> None:
        """direct = no wants everything said where all can read it."""
        access = Access(direct=False)
        self.assertTrue(access.is_here(ALICE))
        self.assertFalse(access.is_here(PRIVATE))
        self.assertFalse(access.is_here(DIRECT))
