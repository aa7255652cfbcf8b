"""Presence stanzas from a room, and its occupants."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import parse_node
from xbot.chat.xmpp.stanzas.occupants import (
    MAX_NUMBERED,
    MAX_OCCUPANT_ID,
    MAX_OUTCASTS,
    NEW_FOR,
    NOBODY,
    Occupant,
    Occupants,
)
from xbot.chat.xmpp.stanzas.presence import MAX_REASON, RoomPresence, read_presence
from xbot.chat.xmpp.stanzas.stanza import StanzaError

ITEM = "<item role='moderator' affiliation='owner' jid='Alice@example.org/pda'/>"
ALICE = Occupant("moderator", "owner", "Alice@example.org/pda")


def read(content, kind="", nick="alice", more=""):
    x = f"<x xmlns='http://jabber.org/protocol/muc#user'>{content}</x>" if content else ""
    return read_presence(parse_node(f"<presence {kind}>{more}{x}</presence>"), nick)


def occupant(id=None, address=None):
    return Occupant("participant", address=address, id=id)


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


class OccupantIdTests(unittest.TestCase):
    def setUp(self):
        self.occupants = Occupants()

    def test_one_person(self):
        """Where the room announces ids, one id is one person: all nicks, all stays, any time."""
        occupants = self.occupants
        occupants.vouch(True)
        occupants.keep("a", occupant("x"))
        occupants.keep("b", occupant("x"))
        occupants.keep("c", occupant("y"))
        number = occupants.number("a")
        self.assertEqual(occupants.number("b"), number)
        self.assertNotEqual(occupants.number("c"), number)
        self.assertTrue(occupants.is_certain(number))
        occupants.forget("b")
        self.assertEqual(occupants.nick_of(number), "a")
        occupants.rename("a", "d")
        self.assertEqual((occupants.number("d"), occupants.nick_of(number)), (number, "d"))
        occupants.clear()
        self.assertIsNone(occupants.nick_of(number))
        occupants.keep("e", occupant("x"))
        self.assertIsNone(occupants.nick_of(number))
        occupants.vouch(True)
        self.assertEqual(occupants.nick_of(number), "e")
        self.assertEqual(occupants.affiliation_of(number, None), "none")

    def test_a_claim(self):
        """If the room does not announce them, an id is a client's own, and counts for nothing."""
        occupants = self.occupants
        for vouches in False, None:
            occupants.vouch(vouches)
            occupants.keep("a", occupant("x"))
            occupants.keep("b", occupant("x"))
            self.assertNotEqual(occupants.number("a"), occupants.number("b"))
            holder, number = occupants.speaker("b", "another")
            self.assertEqual((holder, number), (occupant("x"), occupants.number("b")))
            self.assertFalse(occupants.is_certain(number))

    def test_late(self):
        """A number from before the room's announcement is the person's from then on."""
        occupants = self.occupants
        occupants.vouch(None)
        occupants.keep("a", occupant("x"))
        occupants.keep("z", occupant())
        number, other = occupants.number("a"), occupants.number("z")
        occupants.vouch(True)
        self.assertEqual((occupants.number("a"), occupants.number("z")), (number, other))
        self.assertTrue(occupants.is_certain(number))
        self.assertFalse(occupants.is_certain(other))
        occupants.forget("a")
        occupants.keep("b", occupant("x"))
        self.assertEqual(occupants.number("b"), number)
        occupants.clear()
        occupants.keep("c", occupant("x"))
        occupants.vouch(None)
        self.assertTrue(occupants.may_tell_later(number))
        self.assertFalse(occupants.may_tell_later(other))
        self.assertFalse(occupants.may_tell_later(None))
        occupants.vouch(True)
        self.assertFalse(occupants.may_tell_later(number))
        self.assertEqual(occupants.nick_of(number), "c")
        # They wrote in that time again, in the next stay.
        occupants.clear()
        occupants.keep("d", occupant("x"))
        occupants.vouch(None)
        again = occupants.number("d")
        occupants.vouch(True)
        occupants.rename("d", "e")
        self.assertEqual([occupants.nick_of(each) for each in (number, again)], ["e", "e"])
        self.assertEqual(occupants.speaker("e", "x")[1], again)
        self.assertTrue(occupants.is_certain(again))

    def test_no_longer(self):
        """If the room stops to announce them, all numbers are new."""
        occupants = self.occupants
        occupants.vouch(True)
        occupants.keep("a", occupant("x"))
        number = occupants.number("a")
        occupants.vouch(False)
        self.assertIsNone(occupants.nick_of(number))
        self.assertNotEqual(occupants.number("a"), number)

    def test_another_person_without_a_goodbye(self):
        """A nick whose presence has another id is another person."""
        occupants = self.occupants
        occupants.vouch(True)
        occupants.keep("a", occupant("x"))
        number = occupants.number("a")
        occupants.keep("a", occupant("y"))
        self.assertNotEqual(occupants.number("a"), number)
        self.assertIsNone(occupants.nick_of(number))

    def test_speakers(self):
        """A message's id says who wrote it: of another person than the holder nothing is known."""
        occupants = self.occupants
        occupants.vouch(True)
        alice = occupant("x", "alice@example.org/pda")
        occupants.keep("a", alice)
        occupants.keep("n", occupant())
        number = occupants.number("a")
        for id in "x", None, "x" * (MAX_OCCUPANT_ID + 1):
            self.assertEqual(occupants.speaker("a", id), (alice, number))
        holder, other = occupants.speaker("a", "y")
        self.assertEqual(holder, NOBODY)
        self.assertEqual(occupants.speaker("not seen", "y"), (NOBODY, other))
        self.assertEqual(occupants.speaker("n", "y"), (occupant(), other))
        self.assertEqual(len({number, other, occupants.number("n")}), 3)
        self.assertEqual(occupants.speaker("not seen", None), (NOBODY, None))

    def test_bounded(self):
        """Of the numbers from before the announcement, the oldest are forgotten first."""
        occupants = self.occupants
        numbers = []
        for count in range(MAX_NUMBERED + 1):
            occupants.keep(f"{count}", occupant(f"id {count}"))
            numbers.append(occupants.number(f"{count}"))
        occupants.vouch(True)
        self.assertFalse(occupants.is_certain(numbers[0]))
        self.assertTrue(occupants.is_certain(numbers[1]))


class NewcomersTests(unittest.TestCase):
    def test_newcomers(self):
        """A newcomer entered a short while ago, or is not seen; a new nick makes none of others."""
        occupants = Occupants()
        occupants.keep("old", NOBODY)
        occupants.keep("new", NOBODY, 100.0)
        occupants.rename("new", "newer")
        occupants.rename("old", "older")
        occupants.keep("newer", NOBODY, 500.0)
        for nick, now, is_new in (
            ("older", 100.0, False),
            ("newer", 100.0, True),
            ("newer", 99.0 + NEW_FOR, True),
            ("newer", 100.0 + NEW_FOR, False),
            ("new", 100.0, True),
        ):
            self.assertEqual(occupants.is_newcomer(nick, now), is_new, (nick, now))
        occupants.forget("newer")
        occupants.keep("newer", NOBODY)
        self.assertFalse(occupants.is_newcomer("newer", 101.0))
        occupants.keep("late", NOBODY, 10_000.0)
        occupants.clear()
        self.assertEqual(occupants._entered, {})

    def test_bounded(self):
        """Old newcomers are forgotten when others enter."""
        occupants = Occupants()
        for count in range(5):
            occupants.keep(f"{count}", NOBODY, count * NEW_FOR)
        self.assertEqual(list(occupants._entered), ["4"])


class PresenceTests(unittest.TestCase):
    def test_occupant_ids(self):
        """An occupant id is read if there is one that is not too long; two are ambiguous."""
        one = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/>"
        longest = "x" * MAX_OCCUPANT_ID
        for more, id in (
            ("", None),
            (one.format("x"), "x"),
            (one.format(""), None),
            (one.format("x") * 2, None),
            (one.format("x") + one.format("y"), None),
            (one.format(longest), longest),
            (one.format(longest + "x"), None),
            ("<occupant-id xmlns='urn:xmpp:occupant-id:0'/>", None),
            ("<occupant-id xmlns='urn:other' id='x'/>", None),
        ):
            self.assertEqual(read(ITEM, more=more).occupant, ALICE._replace(id=id), more[:60])

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
            read_presence(parse_node(error), "bot"),
            RoomPresence("bot", False, error=StanzaError("cancel", "conflict")),
        )
        self.assertEqual(
            read("", "type='error'").error, StanzaError("cancel", "undefined-condition")
        )

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
