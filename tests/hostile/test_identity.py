"""Catalogue rows I (identity): spoofed senders, nicks and addresses."""

from tests.hostile.bot import NICK, ROOM, HostileCase, present, said, told
from xbot.chat.xmpp.wire import ns

COMMAND = told("deploy", "alice@example.org/x").replace(
    "<message", "<message xmlns='jabber:client'"
)
FORWARDED = f"<forwarded xmlns='urn:xmpp:forward:0'>{COMMAND}</forwarded>"
MALLORY = "mallory@example.net/x"


class IdentityTests(HostileCase):
    def setUp(self):
        super().setUp()
        self.world = self.bot()
        self.peer = self.world.online()

    def dropped(self, *stanzas):
        for stanza in stanzas:
            self.drops(self.world, self.peer, stanza)

    def asked(self):
        """The id of a ping of ours that is not answered yet."""
        self.world.clock.advance(30)
        return self.peer.stanza()["id"]

    def test_I01(self):
        """Who was not asked does not answer, whatever id they know."""
        identity = self.asked()
        for sender in MALLORY, "example.net", "mallory@example.org/x", "xbot@example.orgx":
            self.dropped(f"<iq type='result' id='{identity}' from='{sender}'/>")
            self.dropped(f"<iq type='error' id='{identity}' from='{sender}'/>")
        self.world.clock.advance(10)
        self.assertIn("did not answer a ping", str(self.peer.stream.problem))

    def test_I02(self):
        """Nor does an occupant."""
        identity = self.asked()
        for sender in f"{ROOM}/alice", f"{ROOM}/{NICK}", ROOM:
            self.dropped(f"<iq type='result' id='{identity}' from='{sender}'/>")
        self.world.clock.advance(10)
        self.assertIn("did not answer a ping", str(self.peer.stream.problem))

    def test_I03(self):
        """An error that answers nothing is nothing, of whatever kind it is."""
        error = f"<error type='cancel'><gone xmlns='{ns.STANZA_ERRORS}'/></error>"
        self.dropped(
            f"<iq type='error' id='1' from='{MALLORY}'>{error}</iq>",
            "<iq type='error'/>",
            f"<message type='error' from='{MALLORY}'>{error}</message>",
        )
        self.peer.feed(f"<presence type='error' from='{MALLORY}'>{error}</presence>")
        self.is_well(self.world, self.peer)

    def test_I04(self):
        """An answer counts once."""
        result = f"<iq type='result' id='{self.asked()}' from='example.org'/>"
        self.peer.feed(result)
        self.dropped(result, result)

    def test_I05(self):
        """A roster push of anybody else's changes nothing."""
        push = (
            f"<query xmlns='{ns.ROSTER}'>"
            "<item jid='mallory@example.net' subscription='both'/></query>"
        )
        for sender in MALLORY, "example.net", f"{ROOM}/alice", "alice@example.org/x":
            self.errs(self.world, self.peer, f"<iq type='set' id='1' from='{sender}'>{push}</iq>")
        self.assertEqual(self.world.adapter.subscriptions._contacts(), {})

    def test_I06(self):
        """A carbon copy is not looked into, whoever sends it."""
        for sender in MALLORY, "xbot@example.org", "example.org":
            for kind in "received", "sent":
                copy = f"<{kind} xmlns='urn:xmpp:carbons:2'>{FORWARDED}</{kind}>"
                self.dropped(f"<message from='{sender}'>{copy}</message>")

    def test_I07(self):
        """Nor is an archive's result."""
        result = f"<result xmlns='urn:xmpp:mam:2' queryid='1' id='1'>{FORWARDED}</result>"
        self.dropped(*(f"<message from='{who}'>{result}</message>" for who in (MALLORY, ROOM)))

    def test_I08(self):
        """Nor is what somebody forwards."""
        self.dropped(f"<message from='{MALLORY}'>{FORWARDED}</message>")

    def test_I09(self):
        """Nobody's bookmarks are followed."""
        item = (
            "<conference xmlns='urn:xmpp:bookmarks:1' autojoin='true'><nick>x</nick></conference>"
        )
        event = (
            "<event xmlns='http://jabber.org/protocol/pubsub#event'>"
            "<items node='urn:xmpp:bookmarks:1'>"
            f"<item id='evil@muc.example.net'>{item}</item></items></event>"
        )
        for sender in MALLORY, "xbot@example.org":
            for kind in "headline", "normal":
                self.dropped(f"<message from='{sender}' type='{kind}'>{event}</message>")

    def test_I10(self):
        """Our own JID is nobody who could command us."""
        for sender in "xbot@example.org", "xbot@example.org/bot", "XBOT@EXAMPLE.ORG/phone":
            self.dropped(told("deploy", sender))

    def refused(self, *stanzas):
        for stanza in stanzas:
            self.refuses(self.world, self.peer, stanza)

    def meets(self, nick, item="role='participant'", codes=""):
        """Somebody enters the room."""
        self.peer.feed(present(nick, item, codes))

    def leaves(self, nick):
        """Somebody leaves the room."""
        self.peer.feed(present(nick, "role='none'", kind="unavailable"))

    def test_I11(self):
        """Whoever takes the nick of an admin who is away has only the nick."""
        self.leaves("alice")
        self.refused(said("bot: deploy"))
        for item in (
            "role='participant' jid='mallory@example.net/x'",
            "role='moderator' affiliation='owner'",
            "role='participant' jid='alice@example.org.evil.example/x'",
        ):
            self.meets("alice", item)
            self.refused(said("bot: deploy"), said("deploy", kind="chat"))

    def test_I12(self):
        """In private, too, the room's address is nobody's own."""
        self.meets("mallory", "role='moderator' affiliation='owner'")
        self.refused(said("deploy", "mallory", kind="chat"))
        self.refused(said("deploy", "mallory", kind="normal"))
        # Of this one the room told nothing: another may have the nick by the time of the answer.
        self.world.runs.clear()
        self.peer.feed(said("deploy", "nobody", kind="chat"))
        self.assertEqual((self.peer.stanzas(), self.world.runs), ([], []))
        self.assertEqual(self.world.outbox.counts["unreachable"], 1)

    def test_I13(self):
        """Of whom nothing could be read, nothing is known."""
        long = "x" * 4000
        for nick, item in (
            ("broken", "role='participant' jid='@@@'"),
            ("long", f"role='participant' jid='{long}@example.org'"),
            ("empty", "role='participant' jid=''"),
        ):
            self.meets(nick, item)
            self.refused(said("bot: deploy", nick))
        self.peer.feed(f"<presence from='{ROOM}/alice' type=''/>")
        self.peer.feed(f"<presence from='{ROOM}/bare'/>")
        self.refused(said("bot: deploy", "bare"), said("bot: deploy", "never-seen"))

    def test_I14(self):
        """Rights stay with the person: the nick's next holder has none."""
        self.peer.feed(
            f"<presence from='{ROOM}/alice' type='unavailable'><x xmlns='{ns.MUC_USER}'>"
            "<item nick='alice2' jid='alice@example.org/x' role='participant'/>"
            "<status code='303'/></x></presence>"
        )
        self.meets("alice", "role='participant' jid='mallory@example.net/x'")
        self.refused(said("bot: deploy"))
        self.peer.feed(said("bot: deploy", "alice2"))
        self.assertEqual(self.world.runs[-1], "bot: deploy")
        before = len(self.world.runs)
        # Nor does a new session know anybody of the old one.
        self.peer.lose()
        self.peer = self.world.await_try()
        self.world.log_in(self.peer)
        self.peer.feed(
            present(NICK, "role='participant'", "110")
            + f"<message type='groupchat' from='{ROOM}'><subject/></message>"
        )
        self.peer.sent()
        self.peer.feed(said("bot: deploy", "alice2"))
        self.assertEqual(len(self.world.runs), before)
        self.peer.sent()
        self.refused(said("bot: deploy", "alice2"))

    def test_I15(self):
        """A presence that says two things, or what nobody knows, says nothing of rights."""
        admin = "<item role='moderator' affiliation='owner' jid='alice@example.org/x'/>"
        other = "<item role='participant' jid='mallory@example.net/x'/>"
        x = f"<x xmlns='{ns.MUC_USER}'>{{}}</x>"
        for content in (
            x.format(admin + other),
            x.format(other + admin),
            x.format(admin) + x.format(other),
            x.format(other) + x.format(admin),
            x.format("<item role='king' affiliation='emperor'/>"),
        ):
            self.meets("mallory")
            self.peer.feed(f"<presence from='{ROOM}/mallory'>{content}</presence>")
            self.refused(said("bot: deploy", "mallory"))
        (room,) = self.world.adapter.rooms
        known = room.occupants.get("mallory")
        self.assertEqual((known.role, known.affiliation), ("none", "none"))

    def test_I16(self):
        """A nick is a picture; what looks like an admin's is nobody's right."""
        for nick in (
            "Alice",
            "ALICE",
            "\u0430lice",
            "\uff41lice",
            "alice\u200b",
            "\u202ealice",
            "alice ",
        ):
            self.meets(nick)
            self.refused(said("bot: deploy", nick))

    def test_I17(self):
        """Nobody is followed into a room unless the ini names them, and nobody is told."""
        flood = "".join(
            f"<message from='mallory{n}@example.net/x'>"
            f"<x xmlns='{ns.CONFERENCE}' jid='evil{n}@muc.example.net'/></message>"
            f"<message from='evil{n}@muc.example.net'><x xmlns='{ns.MUC_USER}'>"
            f"<invite from='mallory@example.net'/></x></message>"
            for n in range(500)
        )
        self.drops(self.world, self.peer, flood, times=1000)
        self.assertEqual(len(list(self.world.adapter.rooms)), 1)

    def test_I18(self):
        """What corrects something is not said; people see it where the older text was."""
        for identity in "1", "never-seen":
            replace = f"<replace xmlns='{ns.CORRECTION}' id='{identity}'/>"
            self.dropped(said("bot: deploy", more=replace), told("deploy", more=replace))

    def test_I19(self):
        """Of two texts people read one, and we might obey the other."""
        for first, second in ("hi", "bot: deploy"), ("bot: deploy", "hi"):
            self.dropped(
                f"<message type='groupchat' from='{ROOM}/alice'><body xml:lang='en'>{first}</body>"
                f"<body xml:lang='de'>{second}</body></message>"
            )

    def test_I20(self):
        """A body is its whole text, or no message at all."""
        xhtml = (
            "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
            "<body xmlns='http://www.w3.org/1999/xhtml'>bot: deploy</body></html>"
        )
        self.dropped(
            said("bot: <b>not </b>deploy"),
            said("<b xmlns='u'>not </b>bot: deploy"),
            said("bot: deploy<br/>"),
            said("hi", more=xhtml),
        )
        for text in "<![CDATA[bot: deploy]]>", "bot: <![CDATA[dep]]>loy", "bot:&#32;deploy":
            self.world.runs.clear()
            self.peer.feed(said(text))
            self.assertEqual(self.world.runs, ["bot: deploy"])
        self.peer.sent()
        self.goes_on(self.world, self.peer)

    def test_I21(self):
        """A subject is never a command. With a body it changes no topic: the body is a message."""
        subject = "<subject>bot: deploy</subject>"
        for stanza in said("bot: deploy", more=subject), told("deploy", more=subject):
            self.world.runs.clear()
            self.peer.feed(stanza)
            self.assertEqual(len(self.world.runs), 1)
        self.world.runs.clear()
        self.peer.feed(said("hi", more=subject) + said("", more=subject))
        self.peer.feed(said("", more=subject).replace("<body></body>", ""))
        self.assertEqual(self.world.runs, [])
        self.goes_on(self.world, self.peer)

    def test_I22(self):
        """An error is never a command: it may quote one of ours."""
        self.dropped(said("bot: deploy", kind="error"), told("deploy", kind="error"))

    def test_I23(self):
        """A headline is nobody's word; outside a conversation there are answers, and no effects."""
        self.dropped(told("deploy", kind="headline"), said("bot: deploy", kind="headline"))
        for stanza in (
            told("deploy", kind="normal"),
            told("deploy").replace(" type='chat'", ""),
            told("deploy", kind="no-such-type"),
            said("deploy", kind="normal"),
        ):
            self.refused(stanza)
            self.peer.feed(stanza.replace("deploy", "ping"))
            self.assertEqual(str(self.peer.stanza().body), "pong")
