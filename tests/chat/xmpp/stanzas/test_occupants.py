"""Presence stanzas from a room, and its occupants."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import parse_node
from xbot.chat.xmpp.stanzas.occupants import MAX_OUTCASTS, Occupant, Occupants
from xbot.chat.xmpp.stanzas.presence import MAX_REASON, RoomPresence, read_presence

ITEM = "<item role='moderator' affiliation='owner' jid='Alice@example.org/pda'/>"
ALICE = Occupant("moderator", "owner", "Alice@example.org/pda")


def read(content, kind="", nick="alice"):
    x = f"<x xmlns='http://jabber.org/protocol/muc#user'>{content}</x>" if content else ""
    return read_presence(parse_node(f"<presence {kind}>{x}</presence>"), nick)


class OccupantsTests(unittest.TestCase):
    def test_a_nick_that_changes_hands(self):
        """A number is one occupant's for one stay, and nobody has it after that one."""
        occupants = Occupants()
        seen = []

        def look(nick="a"):
            seen.append(occupants.number(nick))

        occupants.keep("a", ALICE)
        look()
        occupants.keep("a", Occupant("visitor"))
        self.assertEqual(occupants.number("a"), seen[0])
        occupants.forget("a")
        self.assertIsNone(occupants.number("a"))
        occupants.keep("a", ALICE)
        look()
        occupants.keep("b", ALICE)
        look("b")
        occupants.rename("b", "a")
        self.assertEqual(occupants.number("a"), seen[2])
        self.assertIsNone(occupants.number("b"))
        occupants.clear()
        self.assertIsNone(occupants.number("a"))
        occupants.keep("a", ALICE)
        look()
        self.assertEqual(len(set(seen)), 4)

    def test_a_new_nick(self):
        """A number leads to its occupant under each nick, until that one leaves."""
        occupants = Occupants()
        occupants.keep("a", Occupant("visitor"))
        number = occupants.number("a")
        occupants.rename("a", "b")
        occupants.keep("a", Occupant("visitor"))
        self.assertEqual(occupants.nick_of(number), "b")
        self.assertNotEqual(occupants.number("a"), number)
        occupants.forget("b")
        self.assertIsNone(occupants.nick_of(number))
        self.assertIsNone(occupants.nick_of(None))

    def test_another_person_without_a_goodbye(self):
        """A nick that one presence gives to another address is another occupant."""
        occupants = Occupants()
        occupants.keep("a", ALICE)
        number = occupants.number("a")
        occupants.keep("a", Occupant("moderator", "owner", "alice@example.org/phone"))
        self.assertEqual(occupants.number("a"), number)
        occupants.keep("a", Occupant("visitor", "none", "eve@example.org/pda"))
        self.assertNotEqual(occupants.number("a"), number)
        self.assertIsNone(occupants.nick_of(number))

    def test_affiliation_of_now(self):
        """It is that of the occupant, or of the person; "none" if gone, "outcast" if banned."""
        occupants = Occupants()
        occupants.keep("a", ALICE)
        number = occupants.number("a")
        self.assertEqual(occupants.affiliation_of(number, None), "owner")
        occupants.keep("a", Occupant("participant", "member", ALICE.address))
        self.assertEqual(occupants.affiliation_of(number, None), "member")
        occupants.forget("a")
        self.assertEqual(occupants.affiliation_of(number, ALICE.identity), "none")
        occupants.keep("b", Occupant("participant", "admin", ALICE.address))
        self.assertEqual(occupants.affiliation_of(number, ALICE.identity), "admin")
        self.assertEqual(occupants.affiliation_of(number, None), "none")
        occupants.forget("b")
        occupants.ban(ALICE.identity)
        occupants.ban(None)
        self.assertEqual(occupants.affiliation_of(number, ALICE.identity), "outcast")

    def test_bans_are_bounded(self):
        """Of the banned the oldest are forgotten first."""
        occupants = Occupants()
        for number in range(MAX_OUTCASTS + 1):
            occupants.ban(f"{number}@example.org")
        told = [occupants.affiliation_of(None, f"{n}@example.org") for n in (0, 1, MAX_OUTCASTS)]
        self.assertEqual(told, ["none", "outcast", "outcast"])


class PresenceTests(unittest.TestCase):
    def test_occupants(self):
        """An occupant is known by one item that can be read, and by nothing else."""
        table = {
            "": Occupant(),
            ITEM: ALICE,
            "<status code='110'/>" + ITEM: ALICE,
            ITEM + ITEM: Occupant(),
            ITEM + "<item jid='mallory@example.net'/>": Occupant(),
            "<item/>": Occupant(),
            "<item role='god' affiliation='emperor' jid='a@b'/>": Occupant(address="a@b"),
            "<item role='Moderator' affiliation=''/>": Occupant(),
            "<item role='visitor' affiliation='outcast'/>": Occupant("visitor", "outcast"),
            "<item role='visitor' jid=''/>": Occupant("visitor"),
            "<item role='visitor' jid='@'/>": Occupant("visitor", address="@"),
            f"<item role='visitor' jid='{'a' * 200_000}@b'/>": Occupant("visitor"),
            "<item xmlns='urn:x' jid='a@b'/>": Occupant(),
        }
        for content, occupant in table.items():
            self.assertEqual(read(content).occupant, occupant, content[:80])

    def test_two_answers(self):
        """A presence that tells twice who it is tells nothing: one may be the occupant's own."""
        x = f"<x xmlns='http://jabber.org/protocol/muc#user'>{ITEM}<status code='110'/></x>"
        for kind in "", "type='unavailable'":
            presence = read_presence(parse_node(f"<presence {kind}>{x}{x}</presence>"), "alice")
            self.assertEqual(presence, RoomPresence("alice", not kind))

    def test_real_jids(self):
        """The real JID is bare, and none where what the room shows is none."""
        self.assertEqual(ALICE.identity, "alice@example.org")
        for address in None, "@", "a@b@c", "a@b/":
            self.assertIsNone(Occupant(address=address).identity)

    def test_kinds(self):
        """Only presence, its end and errors tell anything."""
        self.assertTrue(read(ITEM).available)
        self.assertFalse(read(ITEM, "type='unavailable'").available)
        for kind in "subscribe", "subscribed", "probe", "odd", "available", "":
            self.assertIsNone(read(ITEM, f"type='{kind}'"), kind)

    def test_errors(self):
        """An error tells its condition and is no presence, whatever else it holds."""
        error = (
            "<presence type='error'><x xmlns='http://jabber.org/protocol/muc#user'>"
            "<status code='110'/></x><error><conflict"
            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        )
        self.assertEqual(
            read_presence(parse_node(error), "bot"), RoomPresence("bot", False, error="conflict")
        )
        self.assertEqual(read("", "type='error'").error, "undefined-condition")

    def test_codes(self):
        """All status codes are told, and 110 alone says that it is about us."""
        presence = read("<status code='110'/><status code='210'/><status/>" + ITEM)
        self.assertEqual(presence.codes, {"110", "210", ""})
        self.assertTrue(presence.is_self)
        self.assertFalse(read("<status code='100'/>").is_self)
        self.assertFalse(read("<status xmlns='urn:x' code='110'/>").is_self)

    def test_reasons(self):
        """A removal's reason is told, cut; a destroyed room's before an item's."""
        self.assertEqual(read("<item><reason>because</reason></item>").reason, "because")
        self.assertEqual(
            len(read(f"<item><reason>{'x' * 5000}</reason></item>").reason), MAX_REASON
        )
        presence = read(
            "<item><reason>other</reason></item>"
            "<destroy jid='new@muc.example.org'><reason>moved</reason></destroy>",
            "type='unavailable'",
        )
        self.assertTrue(presence.destroyed)
        self.assertEqual((presence.reason, presence.alternative), ("moved", "new@muc.example.org"))
        self.assertFalse(read(ITEM).destroyed)
