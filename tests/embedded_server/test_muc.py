"""The embedded server's rooms: stanzas that clients get, and their order."""

from __future__ import annotations

from typing import Any

from tests.embedded_server.test_server import ServerCase, Wire, condition
from xbot.embedded_server.history import MAX_HISTORY

ROOM = "lounge@conference.localhost"
MUC = "http://jabber.org/protocol/muc"
JOIN = f"<presence to='%s'><x xmlns='{MUC}'>%s</x></presence>"
NO_HISTORY = "<history maxstanzas='0'/>"
SAY = f"<message type='groupchat' to='{ROOM}' id='m1'><body>%s</body></message>"


def codes(presence: Any) -> list[str]:
    """The status codes of an occupant's presence."""
    return [str(item["code"]) for item in presence.x.elements() if item.name == "status"]


def summary(stanza: Any) -> str:
    """What a stanza is, in a word or two."""
    nick = stanza["from"].partition("/")[2]
    if stanza.name == "presence":
        return f"{nick}:{stanza.getAttribute('type', 'here')}{codes(stanza)}"
    if stanza.body is not None:
        return f"{nick}{' (past)' if stanza.delay is not None else ''}> {stanza.body}"
    return f"subject> {stanza.subject}"


class RoomCase(ServerCase):
    """Two clients and an existing room."""

    def setUp(self) -> None:
        super().setUp()
        self.room = self.server.room("lounge")
        self.alice = self.enter("alice", "tea")
        self.bob = self.enter("bob", "pot")

    def join(self, wire: Wire, nick: str, wish: str = "") -> list[Any]:
        return wire.ask(JOIN % (f"{ROOM}/{nick}", wish))

    def both(self) -> None:
        """Both are in, and have heard all there was."""
        self.join(self.alice, "al")
        self.join(self.bob, "bo")
        self.alice.said()


class JoinTests(RoomCase):
    """Joining a room (XEP-0045 7.2)."""

    def test_order(self) -> None:
        """Others' presence, one's own, history, subject: in this order, and then live."""
        self.room.put("ghost")
        self.server.room("lounge").say("ghost", "old", ago=60)
        self.room.subject = "tea"
        heard = self.join(self.alice, "al")
        self.assertEqual(
            [summary(stanza) for stanza in heard],
            ["ghost:here[]", "al:here['100', '110']", "ghost (past)> old", "subject> tea"],
        )
        self.assertEqual(heard[2].delay["from"], ROOM)

    def test_others_are_told(self) -> None:
        """Those who are in see the newcomer with the real JID, without the join's own child."""
        self.join(self.alice, "al")
        self.join(self.bob, "bo")
        [presence] = self.alice.heard()
        self.assertEqual(presence.x.item["jid"], "bob@localhost/pot")
        self.assertEqual(presence["to"], "alice@localhost/tea")
        self.assertNotIn(MUC, [child.uri for child in presence.elements()])

    def test_created(self) -> None:
        """Whoever comes first owns a room, which is usable at once; its form is accepted."""
        heard = self.alice.ask(JOIN % ("new@conference.localhost/al", ""))
        self.assertEqual(codes(heard[0]), ["100", "201", "110"])
        self.assertEqual(heard[0].x.item["affiliation"], "owner")
        form = (
            "<iq type='set' id='c' to='new@conference.localhost'>"
            f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>"
        )
        self.assertEqual(self.alice.ask(form)[0]["type"], "result")
        self.assertEqual(condition(self.bob.ask(form)[0]), "forbidden")

    def test_refusals(self) -> None:
        """Each reason to refuse a join has its condition, and nobody else hears of it."""
        self.room.put("taken")
        self.join(self.alice, "al")
        self.assertEqual(condition(self.join(self.bob, "taken")[0]), "conflict")
        self.assertEqual(condition(self.bob.ask(JOIN % (ROOM, ""))[0]), "jid-malformed")
        self.room.password = "sesame"
        self.assertEqual(condition(self.join(self.bob, "bo")[0]), "not-authorized")
        self.room.members_only = True
        self.assertEqual(condition(self.join(self.bob, "bo")[0]), "registration-required")
        self.room.banned.add("bob@localhost")
        self.assertEqual(condition(self.join(self.bob, "bo")[0]), "forbidden")
        self.room.banned.clear()
        self.room.affiliations["bob@localhost"] = "member"
        self.assertEqual(self.alice.said(), "")
        heard = self.join(self.bob, "bo", "<password>sesame</password>")
        self.assertEqual(summary(heard[-1]), "subject> ")

    def test_nicks_are_opaque(self) -> None:
        """Quotes, slashes and new emoji are nicks like any other."""
        for number, nick in enumerate(("o&apos;clock", "a/b/c", '"]//x', "🫠", "&lt;b&gt;")):
            wire = self.enter("alice", str(number))
            heard = self.join(wire, nick)
            self.assertIn("110", codes(heard[number]))
        self.assertIn("<b>", self.room.occupants)

    def test_history_bounds(self) -> None:
        """A room remembers so much and no more, and gives as much as is asked for."""
        for number in range(MAX_HISTORY + 5):
            self.room.say("ghost", str(number), ago=1000 - number)
        wishes = {
            "": MAX_HISTORY,
            NO_HISTORY: 0,
            "<history maxchars='0'/>": 0,
            "<history maxstanzas='3'/>": 3,
            "<history maxstanzas='x'/>": MAX_HISTORY,
            "<history seconds='900'/>": 5,
        }
        for wish, expected in wishes.items():
            heard = self.join(self.alice, "al", wish)
            past = [stanza for stanza in heard if stanza.delay is not None]
            self.assertEqual(len(past), expected, wish)

    def test_joining_again(self) -> None:
        """A client that forgot that it is in gets the whole welcome again."""
        self.both()
        heard = self.join(self.alice, "al")
        self.assertEqual(
            [summary(stanza) for stanza in heard],
            ["bo:here[]", "al:here['100', '110']", "subject> "],
        )

    def test_anonymous(self) -> None:
        """An anonymous room shows real JIDs to moderators alone."""
        self.room.anonymous = True
        self.room.affiliations["alice@localhost"] = "owner"
        self.join(self.alice, "al")
        heard = self.join(self.bob, "bo")
        self.assertFalse(any(item.x.hasAttribute("jid") for item in heard[:2]))
        self.assertFalse(heard[0].x.item.hasAttribute("jid"))
        self.assertNotIn("100", codes(heard[1]))
        self.assertEqual(self.alice.heard()[0].x.item["jid"], "bob@localhost/pot")


class InsideTests(RoomCase):
    """Stanzas of occupants."""

    def setUp(self) -> None:
        super().setUp()
        self.both()

    def test_groupchat(self) -> None:
        """Everyone gets what is said, its sender too, with its id and the room's own."""
        [echo] = self.alice.ask(SAY % "hi")
        [message] = self.bob.heard()
        for stanza in (echo, message):
            self.assertEqual(summary(stanza), "al> hi")
            self.assertEqual(stanza["id"], "m1")
        ids = [c for c in message.elements() if c.name == "stanza-id"]
        self.assertEqual([(item.uri, item["by"]) for item in ids], [("urn:xmpp:sid:0", ROOM)])
        self.assertEqual(len(self.room.history), 1)

    def test_forged_stanza_id(self) -> None:
        """Nobody else gives ids in the room's name."""
        forged = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='evil'/>"
        self.alice.say(SAY.replace("<body>", forged + "<body>") % "hi")
        self.assertNotIn("evil", self.bob.said())

    def test_outsiders_are_not_heard(self) -> None:
        """Only occupants speak."""
        outsider = self.enter("bob", "outside")
        self.assertEqual(condition(outsider.ask(SAY % "hi")[0]), "not-acceptable")
        private = f"<message type='chat' to='{ROOM}/al'><body>psst</body></message>"
        self.assertEqual(condition(outsider.ask(private)[0]), "not-acceptable")
        self.assertEqual(self.alice.said(), "")

    def test_private_message(self) -> None:
        """A private message reaches one occupant, from the sender's room address."""
        self.assertEqual(
            self.alice.say(f"<message type='chat' to='{ROOM}/bo'><body>psst</body></message>"), ""
        )
        [message] = self.bob.heard()
        self.assertEqual(message["from"], f"{ROOM}/al")
        [error] = self.alice.ask(f"<message type='chat' to='{ROOM}/no'><body>x</body></message>")
        self.assertEqual(condition(error), "item-not-found")

    def test_subject(self) -> None:
        """Moderators change the subject, and all are told; others may not."""
        change = f"<message type='groupchat' to='{ROOM}'><subject>tea</subject></message>"
        self.assertEqual(condition(self.alice.ask(change)[0]), "forbidden")
        self.room.occupants["al"].role = "moderator"
        self.alice.say(change)
        self.assertEqual(summary(self.bob.heard()[0]), "subject> tea")
        self.assertEqual((self.room.subject, self.room.subject_nick), ("tea", "al"))

    def test_new_nick(self) -> None:
        """A nick change is an unavailable with 303, and then the new nick's presence."""
        heard = self.alice.ask(f"<presence to='{ROOM}/ally'/>")
        expected = ["al:unavailable['303', '110']", "ally:here['110']"]
        self.assertEqual([summary(item) for item in heard], expected)
        self.assertEqual(heard[0].x.item["nick"], "ally")
        self.assertEqual(
            [summary(item) for item in self.bob.heard()], ["al:unavailable['303']", "ally:here[]"]
        )
        taken = self.alice.ask(f"<presence to='{ROOM}/bo'/>")
        self.assertEqual(condition(taken[0]), "conflict")
        self.assertEqual(set(self.room.occupants), {"ally", "bo"})

    def test_status_change(self) -> None:
        """An occupant's new state reaches everyone."""
        self.alice.say(f"<presence to='{ROOM}/al'><show>away</show></presence>")
        self.assertEqual(str(self.bob.heard()[0].show), "away")

    def test_leaving(self) -> None:
        """Who leaves is told so, and so are the others."""
        [own] = self.alice.ask(f"<presence type='unavailable' to='{ROOM}/al'/>")
        self.assertEqual(summary(own), "al:unavailable['110']")
        self.assertEqual(own.x.item["role"], "none")
        self.assertEqual(summary(self.bob.heard()[0]), "al:unavailable[]")

    def test_going_is_leaving(self) -> None:
        """A closed stream, a cut connection and going offline all leave the room."""
        ends = (
            lambda wire: wire.say("</stream:stream>"),
            lambda wire: self.server.sessions[wire.jid].stream.abort(),
            lambda wire: wire.say("<presence type='unavailable'/>"),
        )
        for end in ends:
            wire = self.enter("alice")
            self.join(wire, "passing")
            self.bob.said()
            end(wire)
            self.assertEqual(summary(self.bob.heard()[0]), "passing:unavailable[]")
            self.assertNotIn("passing", self.room.occupants)

    def test_self_ping(self) -> None:
        """XEP-0410: the room answers for an occupant; who is none any more learns it."""
        ping = f"<iq type='get' id='p' to='{ROOM}/al'><ping xmlns='urn:xmpp:ping'/></iq>"
        [pong] = self.alice.ask(ping)
        self.assertEqual((pong["type"], pong["from"]), ("result", f"{ROOM}/al"))
        self.room.kick("al")
        self.alice.said()
        self.assertEqual(condition(self.alice.ask(ping)[0]), "not-acceptable")

    def test_iq_to_an_occupant(self) -> None:
        """Requests between occupants travel under their room addresses."""
        self.alice.say(f"<iq type='get' id='q' to='{ROOM}/bo'><q xmlns='x'/></iq>")
        self.assertEqual(self.bob.heard()[0]["from"], f"{ROOM}/al")
        self.bob.say(f"<iq type='result' id='q' to='{ROOM}/al'/>")
        self.assertEqual(self.alice.heard()[0]["from"], f"{ROOM}/bo")

    def test_kick(self) -> None:
        """A kick tells the one and the others, with its code and reason."""
        self.room.kick("al", reason="out")
        own = self.alice.heard()[0]
        self.assertEqual(summary(own), "al:unavailable['307', '110']")
        self.assertEqual(str(own.x.item.reason), "out")
        self.assertEqual(set(self.room.occupants), {"bo"})

    def test_ban(self) -> None:
        """Whoever is put out with 301 does not come in again."""
        self.room.kick("al", 301)
        self.assertEqual(self.alice.heard()[0].x.item["affiliation"], "outcast")
        self.assertEqual(condition(self.join(self.alice, "al")[0]), "forbidden")

    def test_destroy(self) -> None:
        """A destroyed room tells each occupant, who is out of it."""
        self.room.destroy("closed")
        own = self.alice.heard()[0]
        self.assertEqual(str(own.x.destroy.reason), "closed")
        self.assertEqual(self.room.occupants, {})

    def test_disco(self) -> None:
        """A room says what it is, and the service which rooms there are."""
        ask = "<iq type='get' id='d' to='%s'><query xmlns='http://jabber.org/protocol/disco#%s'/></iq>"
        [info] = self.alice.ask(ask % (ROOM, "info"))
        features = {item.getAttribute("var") for item in info.query.elements()}
        self.assertLessEqual({MUC, "muc_nonanonymous", "muc_open", "urn:xmpp:sid:0"}, features)
        [items] = self.alice.ask(ask % ("conference.localhost", "items"))
        self.assertEqual(items.query.item["jid"], ROOM)
        [missing] = self.alice.ask(ask % ("no@conference.localhost", "info"))
        self.assertEqual(condition(missing), "item-not-found")

    def test_said_by_nobody(self) -> None:
        """A test can speak as any nick, occupant or not; it is live, and then history."""
        self.server.room("lounge").say("oracle", "beware")
        self.assertEqual(summary(self.alice.heard()[0]), "oracle> beware")
        self.assertEqual(len(self.room.history), 1)
