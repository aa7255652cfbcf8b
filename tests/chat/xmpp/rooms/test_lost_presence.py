"""An unreadable presence revokes the rights of its occupant."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, lowest, session
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from xbot.chat.xmpp.rooms import rooms
from xbot.chat.xmpp.rooms.room import Room
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.wire import elements, ns
from xbot.chat.xmpp.wire.elements import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_VALUES,
)
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid

ROOM = "one@muc.example.org"


def present(nick, affiliation="member", codes="", inside="", more=""):
    status = f"<status code='{codes}'/>" if codes else ""
    item = f"<item affiliation='{affiliation}' role='participant' jid='{nick}@example.org/x'/>"
    x = f"<x xmlns='{ns.MUC_USER}'>{item}{status}</x>"
    return f"<presence{more} from='{ROOM}/{nick}'>{x}{inside}</presence>"


def attributes(count):
    return "".join(f" a{number}='{number}'" for number in range(count))


#: Changes of what Alice is that no parser of ours takes: what a client sent besides is in them.
UNREAD = {
    "elements": present("alice", "none", inside="<a/>" * (MAX_ELEMENTS + 10)),
    "depth": present("alice", "none", inside="<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH),
    "bytes": present(
        "alice", "none", inside=f"<status>{'x' * (elements.MAX_STANZA_BYTES + 300_000)}</status>"
    ),
    "attributes below": present("alice", "none", inside=f"<a{attributes(MAX_ATTRIBUTES + 1)}/>"),
    "attributes": present("alice", "none", more=attributes(MAX_ATTRIBUTES + 1)),
    "values": present("alice", "none", more=attributes(MAX_VALUES + 10)),
    "values below": present("alice", "none", inside=f"<a{attributes(MAX_VALUES + 10)}/>"),
    "a blank below": present("alice", "none", inside="<a xmlns='a b'/>"),
    "a blank": present("alice", "none", more=" xmlns:p='a b' p:a='x'"),
    "a blank in front": present("alice", "none", more=" xmlns:p='a b'"),
    "leaving": present("alice", more=" type='unavailable'", inside="<a xmlns='a b'/>"),
}


class LostPresenceTests(unittest.TestCase):
    def enter(self, make_elements=FastPathElementStream):
        """A room with the bot, Alice and Bob in it."""
        clock = Clock()
        self.rooms = Rooms(
            [RoomSettings(Jid.parse(ROOM), "bot")], iq := Iq(lambda: JID, clock), clock, lowest
        )
        peer = session(iq, self.rooms, clock=clock, make_elements=make_elements)
        for nick, code in (("alice", ""), ("bob", ""), ("bot", "110")):
            peer.feed(present(nick, "admin", code))
        self.assertEqual(self.known(), ["alice", "bob", "bot"])
        return peer

    def known(self):
        (room,) = self.rooms
        return sorted(room.occupants)

    def test_not_read(self):
        """Whatever makes it unreadable, in whatever pieces it comes, and in both parsers."""
        for make in DomishElementStream, FastPathElementStream:
            for what, text in UNREAD.items():
                for piece in 1 << 17, 1 << 12, 500:
                    peer = self.enter(make)
                    dropped = peer.stream.dropped
                    for start in range(0, len(text), piece):
                        peer.feed(text[start : start + piece])
                    self.assertEqual(peer.stream.dropped, dropped + 1, (make, what, piece))
                    self.assertEqual(self.known(), ["bob", "bot"], (make, what, piece))
                    # Once one can be read, all is known again.
                    peer.feed(present("alice"))
                    self.assertEqual(self.known(), ["alice", "bob", "bot"])

    def test_in_the_name_of_others(self):
        """What is no presence, or only speaks of one, takes nobody's."""
        deep = "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH
        many = attributes(MAX_VALUES + 10)
        inner = present("alice", more=many)
        for text in (
            f"<message from='{ROOM}/alice'>{deep}</message>",
            f"<message{many} from='{ROOM}/alice'/>",
            f"<presence x=\" from='{ROOM}/alice'\"{many} from='{ROOM}/eve'/>",
            f"<presence x=\" from='{ROOM}/alice'\" from='{ROOM}/eve'>{deep}</presence>",
            f"<presence{many} from='{ROOM}/eve'>{inner}</presence>",
            f"<presence from='{ROOM}/eve'>{inner}{deep}</presence>",
            f"<presence y='{'x' * (elements.MAX_TAG_BYTES + 10)}'>{inner}</presence>",
            f"<presences{many} from='{ROOM}/alice'/>",
            f"<presence xmlns='other'{many} from='{ROOM}/alice'/>",
            f"<presence from='{ROOM}/alice&#7;'>{deep}</presence>",
            f"<presence from='{ROOM}'>{deep}</presence>",
            f"<presence from='eve@example.org/alice'>{deep}</presence>",
            f"<presence>{deep}</presence>",
        ):
            for make in DomishElementStream, FastPathElementStream:
                for piece in 1 << 20, 1000:
                    peer = self.enter(make)
                    for start in range(0, len(text), piece):
                        peer.feed(text[start : start + piece])
                    if peer.stream.problem is None:
                        self.assertEqual(self.known(), ["alice", "bob", "bot"], text[:200])

    def test_not_taken(self):
        """Where our own code breaks on it, on the short way and on the long one."""
        for place, name in (Room, "heard"), (rooms, "read_presence"):
            peer = self.enter()
            # Two that speak of her are no plain presence: it goes the long way.
            texts = [present("alice", "none", inside=f"<x xmlns='{ns.MUC_USER}'/>")]
            if name == "heard":
                texts.append(present("bob", "none"))

            def broken(*arguments):
                raise ZeroDivisionError

            patch = self.patch(place, name, broken)
            for text in texts:
                peer.feed(text)
            patch.restore()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), len(texts), name)
            self.assertNotIn("alice", self.known(), name)
            self.assertEqual("bob" in self.known(), name != "heard")
