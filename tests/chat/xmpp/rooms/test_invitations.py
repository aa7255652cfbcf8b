"""Invitations to rooms: which are accepted, and the stored rooms."""

from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    Receipts,
    in_thread,
    lowest,
    parse,
    shape,
)
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms import invited_rooms
from xbot.chat.xmpp.rooms.invitations import NoInvitation, read_invitation
from xbot.chat.xmpp.rooms.invited_rooms import MAX_ROOMS, Invited, InvitedRooms
from xbot.chat.xmpp.rooms.room import State
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.model.errors import TooManyRooms
from xbot.model.jid import Jid
from xbot.model.people import People

INI_ROOM = "ops@rooms.example.net"
SETTINGS = XmppSettings(
    JID,
    accept_invites=People.parse(["alice@example.org", "@friends.example", "@rooms.example.net"]),
)
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>"


def direct(sender="alice@example.org/pda", room="new@muc.example.org", more="", kind="normal"):
    return (
        f"<message from='{sender}' type='{kind}'><x xmlns='{ns.CONFERENCE}'"
        f" jid='{room}' reason='come' continue='true' thread='t' {more}/></message>"
    )


def mediated(
    room="new@conference.example.org", inviter="alice@example.org", more="", kind="normal"
):
    return (
        f"<message from='{room}' type='{kind}'><body>come</body><x xmlns='{ns.MUC_USER}'>"
        f"<invite from='{inviter}'><reason>come</reason></invite>{more}</x>"
        f"<x xmlns='{ns.CONFERENCE}' jid='{room}'>come</x></message>"
    )


class ReadTests(unittest.TestCase):
    def test_both_kinds(self):
        """Room, inviter and password are read from either kind; what is for people is not."""
        for xml, is_mediated in (
            (direct(room="r@muc.example.org", more="password='p'"), False),
            (mediated("r@muc.example.org", "alice@example.org/x", "<password>p</password>"), True),
        ):
            found = read_invitation(parse(xml))
            self.assertEqual(str(found.room), "r@muc.example.org")
            self.assertEqual(str(found.inviter), "alice@example.org")
            self.assertEqual(found.password.reveal(), "p")
            self.assertEqual(found.is_mediated, is_mediated)
            self.assertNotIn("'p'", repr(found))

    def test_others(self):
        """What invites nobody is no invitation."""
        for xml in (
            "<message from='a@b'><body>x</body></message>",
            f"<message from='a@b/c'><x xmlns='{ns.MUC_USER}'/></message>",
            f"<message from='a@b'><x xmlns='{ns.MUC_USER}'><decline from='c@d'/></x></message>",
        ):
            self.assertIsNone(read_invitation(parse(xml)))

    def test_hostile(self):
        """What could be read in two ways, or names no room, is refused by a fixed word."""
        invite = f"<x xmlns='{ns.MUC_USER}'><invite from='alice@example.org'/></x>"
        table = {
            direct(kind="groupchat"): "type",
            direct(kind="error"): "type",
            mediated(kind="groupchat"): "type",
            mediated(room="new@conference.example.org/alice"): "not-from-a-room",
            mediated(room="conference.example.org"): "not-from-a-room",
            mediated(inviter="@"): "bad-jid",
            mediated(inviter=""): "bad-jid",
            mediated(room="@"): "bad-jid",
            mediated(more="<invite from='bob@example.org'/>"): "ambiguous",
            f"<message from='a@b'>{invite}{invite}</message>": "ambiguous",
            direct(room="muc.example.org"): "bad-jid",
            direct(room="a@b/c"): "bad-jid",
            direct(room=""): "bad-jid",
            direct(room="x" * 4000): "bad-jid",
            direct(more=f"password='{'x' * 1025}'"): "bad-password",
        }
        for xml, reason in table.items():
            with self.assertRaises(NoInvitation) as caught:
                read_invitation(parse(xml))
            self.assertEqual(caught.exception.reason, reason, xml)


class InvitationsCase(unittest.TestCase):
    def setUp(self):
        self.path = Path(self.mktemp()) / "rooms.json"
        self.clock = Clock()
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.begin()

    def begin(self, settings=SETTINGS, rooms=(INI_ROOM,)):
        """A new process, logged in."""
        self.endpoint = FakeEndpoint(self.clock)
        self.heard = []
        self.adapter = XmppAdapter(
            settings,
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            tuple(RoomSettings(Jid.parse(room), "bot") for room in rooms),
            self.heard.append,
            Receipts(),
            self.fail,
            clock=self.clock,
            uniform=lowest,
            in_thread=in_thread,
            invited=InvitedRooms(self.path),
            nick="robo",
        )
        self.adapter.start()
        self.peer = self.endpoint.accept()
        self.peer.log_in(str(JID))
        self.joined = self.joins()

    def joins(self):
        """Where we asked to be let in since the last call."""
        return [
            each["to"]
            for each in self.peer.stanzas()
            if each.name == "presence" and each.hasAttribute("to") and not each.hasAttribute("type")
        ]

    def remembered(self):
        return [str(each.room) for each in InvitedRooms(self.path)]

    def count(self, reason):
        return self.adapter.invitations.counts[reason]

    def logged(self, text):
        return [each for each in self.events if text in (each.get("log_format") or "")]

    def presence(self, room, content, kind="", nick="robo"):
        content = f"<x xmlns='{ns.MUC_USER}'>{content}</x>"
        self.peer.feed(f"<presence from='{room}/{nick}' {kind}>{content}</presence>")


class InvitationsTests(InvitationsCase):
    def test_whose_count(self):
        """Only who is named, under a real address, vouched for by whom we may believe."""
        other, known = "new@conference.example.org", "new@rooms.example.net"
        table = [
            (direct(), "accepted"),
            (direct("Alice@Example.org"), "accepted"),
            (direct("someone@friends.example/x"), "accepted"),
            (direct("bob@example.org/x"), "stranger"),
            (direct("friends.example"), "stranger"),
            (direct("alice@example.org.evil/x"), "stranger"),
            # A nick: though the ini names that whole domain, people there have no name.
            (direct("ops@rooms.example.net/alice"), "nick"),
            (direct("other@rooms.example.net"), "nick"),
            # No rooms: us, and the inviter.
            (direct(room=str(JID.bare)), "no-room"),
            (direct(room="alice@example.org"), "no-room"),
            (direct(room=INI_ROOM), "there-already"),
            # The service lies below the inviter's domain, or has a room of the ini.
            (mediated(other), "accepted"),
            (mediated(known), "accepted"),
            (mediated(other, "bob@example.org"), "stranger"),
            (mediated(known, f"{known}/alice"), "nick"),
            (mediated(known, "ops@rooms.example.net/alice"), "unknown-service"),
            # Anyone may say anything in a domain of their own.
            (mediated("new@evil.example"), "unknown-service"),
            (mediated("new@evilexample.org"), "unknown-service"),
            (mediated("new@conference.friends.example"), "unknown-service"),
            # An account of the inviter's domain is no room.
            (mediated("mallory@example.org"), "unknown-service"),
            (direct().replace("</message>", f"{DELAY}</message>"), "delayed"),
            (mediated().replace("</message>", f"{DELAY}</message>"), "delayed"),
            (direct(kind="groupchat"), "type"),
            (mediated(f"{INI_ROOM}/mallory"), "not-from-a-room"),
        ]
        for xml, reason in table:
            self.path.unlink(missing_ok=True)
            self.begin()
            self.peer.feed(xml)
            self.assertEqual(self.adapter.invitations.counts, {reason: 1}, xml)
            stanzas = len(self.joins())
            self.assertEqual(stanzas, reason == "accepted", xml)
            self.assertEqual(len(self.remembered()), reason == "accepted", xml)
            self.assertEqual(self.heard, [], xml)

    def test_by_default_nobody(self):
        """Where the ini names nobody, no invitation is accepted."""
        self.begin(XmppSettings(JID))
        for xml in (direct(), mediated()):
            self.peer.feed(xml)
        self.assertEqual(self.adapter.invitations.counts, {"stranger": 2})

    def test_a_room_of_an_invitation_vouches_for_nobody(self):
        """The service of a room that we were only invited to is not believed as the ini's are."""
        self.peer.feed(direct(room="a@evil.example"))
        self.peer.feed(mediated("b@evil.example"))
        self.assertEqual(self.adapter.invitations.counts, {"accepted": 1, "unknown-service": 1})

    def test_join(self):
        """We enter with the password that came, under our name."""
        self.peer.feed(direct(room="r@muc.example.org", more="password='p&amp;q'"))
        join = self.peer.stanza()
        self.assertEqual(join["to"], "r@muc.example.org/robo")
        self.assertIn((ns.MUC, "password", {}, ["p&q"]), shape(join.firstChildElement())[3])
        self.assertNotIn("p&q", str(list(self.events)))

    def test_restart(self):
        """A restart leads back into the room, with its password; the file is ours alone."""
        self.peer.feed(direct(room="r@muc.example.org", more="password='pw'"))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.begin()
        self.assertEqual(self.joined, [f"{INI_ROOM}/bot", "r@muc.example.org/robo"])
        room = self.adapter.rooms.get(Jid.parse("r@muc.example.org"))
        self.assertEqual(room.settings.password, Secret("pw"))

    def test_restart_with_another_ini(self):
        """A room that the ini has by now is the ini's; who is no longer named invited to none."""
        self.peer.feed(direct(room="a@muc.example.org"))
        self.peer.feed(direct("x@friends.example/y", room="b@muc.example.org"))
        people = People.parse(["alice@example.org"])
        self.begin(evolve(SETTINGS, accept_invites=people), rooms=("a@muc.example.org",))
        self.assertEqual(self.joined, ["a@muc.example.org/bot"])
        self.assertEqual(self.remembered(), [])

    def test_leave(self):
        """Left by command it is forgotten; a room of the ini is left and nothing else."""
        room = "r@muc.example.org"
        self.peer.feed(direct(room=room))
        self.peer.sent()
        self.presence(room, "<status code='110'/>")
        self.adapter.leave(room)
        self.assertEqual(self.peer.stanza()["type"], "unavailable")
        self.assertEqual(self.remembered(), [])
        self.presence(room, "<status code='110'/>", "type='unavailable'")
        self.adapter.leave(INI_ROOM)
        self.assertIsNone(self.adapter.rooms.get(Jid.parse(INI_ROOM)))
        self.begin()
        self.assertEqual(self.joined, [f"{INI_ROOM}/bot"])

    def test_ordered(self):
        """Where somebody ordered us we are, by that name, whoever may invite; until we leave."""
        room = "r@muc.example.org"
        self.adapter.join(RoomSettings(Jid.parse(room), "bobby"), "op@example.net")
        self.assertEqual(self.peer.stanza()["to"], f"{room}/bobby")
        self.begin(evolve(SETTINGS, accept_invites=People()))
        self.assertEqual(self.joined, [f"{INI_ROOM}/bot", f"{room}/bobby"])
        self.adapter.change(evolve(SETTINGS, accept_invites=People()), "robbie")
        self.assertEqual(self.remembered(), [room])
        self.adapter.leave(room)
        self.assertEqual(self.remembered(), [])

    def test_ordered_by_our_name(self):
        """Without a name of its own there, an ordered room follows ours."""
        room = "r@muc.example.org"
        self.adapter.join(RoomSettings(Jid.parse(room), "robo"), "op@example.net")
        self.presence(room, "<status code='110'/>")
        self.peer.sent()
        self.adapter.change(SETTINGS, "robbie")
        self.assertEqual(self.peer.stanza()["to"], f"{room}/robbie")

    def test_ordered_too_often(self):
        """No more rooms are taken by order than by invitation; one of them can be ordered again."""
        for number in range(MAX_ROOMS):
            self.adapter.join(RoomSettings(Jid.parse(f"r{number}@muc.example.org"), "x"), "a@b")
        one_more = RoomSettings(Jid.parse("more@muc.example.org"), "x")
        self.assertRaises(TooManyRooms, self.adapter.join, one_more, "a@b")
        self.assertNotIn(one_more.jid, [room.jid for room in self.adapter.rooms])
        self.adapter.join(RoomSettings(Jid.parse("r1@muc.example.org"), "y"), "a@b")
        self.assertEqual(len(self.remembered()), MAX_ROOMS)

    def test_refused_for_good(self):
        """A room that bans us, is destroyed, or never lets us in is forgotten; a kick is less."""
        room = "r@muc.example.org"
        error = f"<error type='auth'><{{}} xmlns='{ns.STANZA_ERRORS}'/></error>"
        table = [
            (None, "<status code='110'/><status code='301'/>", True),
            (None, "<status code='110'/><destroy/>", True),
            (None, "<status code='110'/><status code='307'/>", False),
            ("forbidden", "", True),
            ("registration-required", "", True),
            ("not-authorized", "", True),
            ("service-unavailable", "", False),
        ]
        for condition, content, forgotten in table:
            self.path.unlink(missing_ok=True)
            self.begin()
            self.peer.feed(direct(room=room))
            if condition is not None:
                refusal = error.format(condition)
                self.peer.feed(f"<presence from='{room}/robo' type='error'>{refusal}</presence>")
            else:
                self.presence(room, "<status code='110'/>")
                self.presence(room, content, "type='unavailable'")
            self.assertEqual(self.remembered(), [] if forgotten else [room], (condition, content))
            present = self.adapter.rooms.get(Jid.parse(room)) is not None
            self.assertEqual(present, not forgotten)

    def test_an_ini_room_that_refuses(self):
        """A room of the ini is never forgotten."""
        self.presence(INI_ROOM, "<status code='110'/>", nick="bot")
        self.presence(
            INI_ROOM, "<status code='110'/><status code='301'/>", "type='unavailable'", "bot"
        )
        self.assertIsNotNone(self.adapter.rooms.get(Jid.parse(INI_ROOM)))

    def test_invited_to_an_ini_room_that_refused(self):
        """A room of the ini that refused us is tried at once when it, or a friend, invites us."""
        removal = "<status code='110'/><status code='321'/>"
        for invitation, is_tried in (
            (mediated(INI_ROOM, "bob@example.org"), True),
            (direct(room=INI_ROOM), True),
            (direct("bob@example.org/x", room=INI_ROOM), False),
        ):
            self.begin()
            room = self.adapter.rooms.get(Jid.parse(INI_ROOM))
            self.presence(INI_ROOM, "<status code='110'/>", nick="bot")
            self.presence(INI_ROOM, removal, "type='unavailable'", "bot")
            self.assertIs(room.state, State.REFUSED)
            self.peer.feed(invitation)
            self.assertEqual(room.state is State.JOINING, is_tried, invitation)
            self.peer.feed(invitation)
        self.assertEqual(self.remembered(), [])
        self.assertEqual(len(self.logged("tried again")), 2)

    def test_flood(self):
        """A flood of invitations costs a counter, a bounded number of rooms, and few lines."""
        for number in range(1000):
            self.peer.feed(direct("mallory@example.net/x", room=f"r{number}@muc.example.org"))
        self.assertEqual(self.count("stranger"), 1000)
        self.assertEqual(len(self.logged("was not accepted")), 1)
        for number in range(300):
            self.peer.feed(direct(f"m{number}@example.net/x"))
        self.assertEqual(len(self.logged("was not accepted")), 50)
        for number in range(MAX_ROOMS // 2 + 10):
            self.peer.feed(direct(room=f"r{number}@muc.example.org"))
        self.assertEqual((self.count("accepted"), self.count("full")), (MAX_ROOMS // 2, 10))
        self.assertEqual(len(self.remembered()), MAX_ROOMS // 2)
        self.assertEqual(self.peer.stream.problem, None)

    def test_invited_and_forgotten_again_and_again(self):
        """A room that lets us in and throws us out costs one write a minute, not one each time."""
        room = "r@muc.example.org"
        for _ in range(10):
            self.peer.feed(direct(room=room))
            self.presence(room, "<status code='110'/>")
            self.presence(room, "<status code='110'/><status code='301'/>", "type='unavailable'")
        self.assertEqual((self.count("accepted"), self.count("too-often")), (1, 9))
        self.clock.advance(60)
        self.peer.feed(direct(room=room))
        self.assertEqual(self.count("accepted"), 2)

    def test_change(self):
        """Other settings hold at once: another name, and inviters who are no longer named."""
        self.peer.feed(direct(room="a@muc.example.org"))
        self.peer.feed(direct("x@friends.example/y", room="b@muc.example.org"))
        for room in "a", "b":
            self.presence(f"{room}@muc.example.org", "<status code='110'/>")
        self.peer.sent()
        people = People.parse(["alice@example.org"])
        self.adapter.change(evolve(SETTINGS, accept_invites=people), "robbie")
        sent = sorted((each["to"], each.getAttribute("type")) for each in self.peer.stanzas())
        self.assertEqual(
            sent, [("a@muc.example.org/robbie", None), ("b@muc.example.org/robo", "unavailable")]
        )
        self.assertEqual(self.remembered(), ["a@muc.example.org"])
        self.adapter.join(RoomSettings(Jid.parse("a@muc.example.org"), "robbie"))
        self.assertEqual(self.remembered(), [])


class MemoryTests(unittest.TestCase):
    def test_what_cannot_be_read(self):
        """A file that holds something else is told in the log, without what it holds."""
        path = Path(self.mktemp())
        entry = '{"inviter": "a@b", "password": "hunter2"'
        table = [
            b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a@b": 1}', b'{"a@b": {"inviter": 1}}',
            f'{{"hunter2": {entry}}}}}'.encode(), f'{{"a@b/c": {entry}}}}}'.encode(),
            f'{{"a@b": {entry}1}}}}'.encode(), b'{"a@b": {"inviter": "@"}}',
            f'{{"a@b": {entry}, "nick": 1}}}}'.encode(),
            f'{{"a@b": {entry}, "nick": ""}}}}'.encode(),
        ]  # fmt: skip
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for data in table:
            path.write_bytes(data)
            events.clear()
            self.assertEqual(list(InvitedRooms(path)), [], data)
            (event,) = events
            self.assertNotIn("hunter2", str(event))

    def test_what_may_not_be_read(self):
        """A file that we may not read is told in words, and no room is known."""
        path = Path(self.mktemp())
        path.write_text("{}")

        def refuse(*arguments):
            raise PermissionError(13, "Permission denied", str(path))

        self.patch(invited_rooms, "read_file", refuse)
        with capturedLogs() as events:
            self.assertEqual(list(InvitedRooms(path)), [])
        (told,) = (formatEvent(event) for event in events)
        self.assertTrue(told.endswith(f" do not join them: {path}: Permission denied"), told)

    def test_what_cannot_be_written(self):
        """Where nothing can be written, rooms are remembered for as long as we live."""
        path = Path(self.mktemp())
        path.write_text("in the way")
        rooms = InvitedRooms(path / "rooms.json")
        self.assertFalse(rooms.forget(Jid.parse("a@b")))
        invitation = read_invitation(parse(direct()))
        rooms.add(Invited(invitation.room, invitation.inviter))
        self.assertIn(invitation.room, rooms)
        self.assertTrue(rooms.forget(invitation.room))
