"""Private answers through a room reach the person who asked, whoever has the nick by then."""

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    BIND,
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    features,
    in_thread,
    lowest,
)
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms.private_messages import GONE
from xbot.chat.xmpp.stream.login import Account
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.message import Message, reply_to

ROOM = "room@muc.example.org"
SM = "<sm xmlns='urn:xmpp:sm:3'/>"
USER = "<x xmlns='http://jabber.org/protocol/muc#user'>{}</x>"
ALICE, EVE = "jid='alice@example.org/pda'", "jid='eve@example.org/pda'"


def presence(nick, address="", more="", kind="", new=""):
    """What the room tells about an occupant; ``address`` is the item's attribute ``jid``."""
    item = f"<item role='participant' affiliation='none' {address} {new}/>{more}"
    return f"<presence from='{ROOM}/{nick}' {kind}>{USER.format(item)}</presence>"


def with_id(stanza, id):
    """The same presence or message, to which the room (or its sender) has added an occupant id."""
    head, close, tail = stanza.rpartition("</")
    return f"{head}<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>{close}{tail}"


def pong(ping):
    return f"<iq type='result' from='{ping['to']}' id='{ping['id']}'/>"


def gone(nick, address=""):
    return presence(nick, address, kind="type='unavailable'")


def renamed(nick, new, address=""):
    code = "<status code='303'/>"
    end = presence(nick, address, code, "type='unavailable'", f"nick='{new}'")
    return end + presence(new, address)


class PrivateCase(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.slept = 0.0
        self.endpoint = FakeEndpoint(self.clock)
        self.heard, self.lost, self.events = [], [], []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.outbox = Outbox(
            lambda message: self.adapter.send(message), clock=self.clock, lost=self.lost.append
        )
        self.adapter = XmppAdapter(
            XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse(ROOM), "bot"),),
            self.heard.append,
            self.outbox,
            lambda problem: None,
            clock=self.clock,
            uniform=lowest,
            in_thread=in_thread,
            elapsed=lambda: self.slept,
        )
        self.adapter.start()
        self.peer = self.endpoint.accept()
        self.begin()

    def begin(self):
        self.peer.log_in("xbot@example.org/given")

    def enter(self, *others):
        self.peer.feed(
            "".join(others)
            + presence("bot", more="<status code='110'/>")
            + f"<message type='groupchat' from='{ROOM}'><subject/></message>"
        )
        self.peer.sent()

    def ask(self, nick="alice"):
        """This occupant asks in private; gives the question."""
        self.peer.feed(
            f"<message type='chat' from='{ROOM}/{nick}' id='q'><body>secret?</body></message>"
        )
        return self.heard.pop()

    def answer(self, question, text="42"):
        """The answer is ready; gives the addresses that something leaves to."""
        self.outbox.put(reply_to(question, text))
        return self.said_to()

    def said_to(self):
        return [each["to"] for each in self.peer.stanzas() if each.name == "message"]

    def assert_dropped(self):
        """It went nowhere: one line in the log, and the dispatcher is told."""
        self.assertEqual([message.body for message in self.lost], ["42"])
        self.clock.advance(1)
        (line,) = [each for each in self.events if each.get("reason") == GONE]
        self.assertEqual((line["place"], line["count"]), (ROOM, 1))


class PrivateTests(PrivateCase):
    def test_still_there(self):
        """The occupant who asked is answered under the nick."""
        for address in "", ALICE:
            self.enter(presence("alice", address))
            self.assertEqual(self.answer(self.ask()), [f"{ROOM}/alice"])

    def test_another_has_the_nick(self):
        """Another occupant with the nick reads nothing: it is dropped, with a line in the log."""
        self.enter(presence("alice"))
        question = self.ask()
        self.peer.feed(gone("alice") + presence("alice"))
        self.assertEqual(self.answer(question), [])
        self.assert_dropped()

    def test_another_has_the_nick_and_the_address_is_known(self):
        """Where the room tells real addresses, the answer goes to that of the person who asked."""
        self.enter(presence("alice", ALICE))
        question = self.ask()
        self.peer.feed(gone("alice", ALICE) + presence("alice", EVE))
        self.assertEqual(self.answer(question), ["alice@example.org"])

    def test_another_has_the_nick_without_a_goodbye(self):
        """A nick that another address has, though nobody left, is another person's."""
        self.enter(presence("alice", ALICE))
        question = self.ask()
        self.peer.feed(presence("alice", EVE))
        self.assertEqual(self.answer(question), ["alice@example.org"])

    def test_left(self):
        """A person who left is answered at the real address, or not at all."""
        self.enter(presence("alice", ALICE))
        question = self.ask()
        self.peer.feed(gone("alice", ALICE))
        self.assertEqual(self.answer(question), ["alice@example.org"])
        self.peer.feed(presence("alice"))
        question = self.ask()
        self.peer.feed(gone("alice"))
        self.assertEqual(self.answer(question), [])
        self.assert_dropped()

    def test_came_back(self):
        """The same address under the same nick is the same person, answered there."""
        self.enter(presence("alice", ALICE))
        question = self.ask()
        self.peer.feed(gone("alice", ALICE) + presence("alice", ALICE))
        self.assertEqual(self.answer(question), [f"{ROOM}/alice"])

    def test_another_nick(self):
        """The answer follows an occupant to the new nick, also where the old one is taken."""
        self.enter(presence("alice"))
        question = self.ask()
        self.peer.feed(renamed("alice", "ally") + presence("alice"))
        self.assertEqual(self.answer(question), [f"{ROOM}/ally"])
        self.peer.feed(gone("ally"))
        self.assertEqual(self.answer(question), [])
        self.assert_dropped()

    def test_never_seen(self):
        """An occupant whom the room did not tell of cannot be told from the next: no answer."""
        self.enter()
        self.assertEqual(self.answer(self.ask()), [])
        self.assert_dropped()

    def test_public_answers(self):
        """What was said in public is answered in the room, whoever is there."""
        self.enter(presence("alice"))
        question = self.ask()
        public = Message(question.sender, question.recipient, "x", {"type": "groupchat"}, room=ROOM)
        self.peer.feed(gone("alice"))
        self.assertEqual(self.answer(public), [ROOM])

    def test_after_a_new_join(self):
        """Who is there after our return is known by the real address only."""
        self.enter(presence("alice"), presence("bob", "jid='bob@example.org/x'"))
        questions = [self.ask("alice"), self.ask("bob")]
        self.peer.lose()
        for question in questions:
            self.outbox.put(reply_to(question, "42"))
        self.clock.advance(60)
        self.peer = self.endpoint.accept()
        self.peer.log_in("xbot@example.org/given")
        self.peer.sent()
        self.peer.feed(
            presence("alice") + presence("bob", EVE) + presence("bot", more="<status code='110'/>")
        )
        self.assertEqual(self.said_to(), ["bob@example.org"])
        self.assert_dropped()

    def test_said_to_a_nick(self):
        """What a responder says to a nick goes to whom that nick is at that time."""
        self.enter(presence("alice"))
        self.outbox.put(Message("", f"{ROOM}/alice", "hi", {"type": "chat"}, room=ROOM))
        self.assertEqual(self.said_to(), [f"{ROOM}/alice"])

    def test_while_it_is_not_read(self):
        """After a stop an answer waits until it is read who left meanwhile."""
        self.enter(presence("alice"))
        question = self.ask()
        self.adapter.ping.woke(60.0)
        self.outbox.put(reply_to(question, "42"))
        (ping,) = self.peer.stanzas()
        self.assertEqual(ping.name, "iq")
        self.peer.feed(gone("alice") + presence("alice") + pong(ping))
        self.assertEqual(self.said_to(), [])
        self.assert_dropped()

    def test_before_a_timer_fires(self):
        """An answer that is ready in the first turn after a stop waits in the same way."""
        self.enter(presence("alice"))
        question = self.ask()
        self.slept = 60.0
        self.outbox.put(reply_to(question, "42"))
        (ping,) = self.peer.stanzas()
        self.assertEqual(ping.name, "iq")
        self.peer.feed(gone("alice") + presence("alice") + pong(ping))
        self.assertEqual(self.said_to(), [])
        self.assert_dropped()


class OccupantIdTests(PrivateCase):
    """The room hides addresses, and tells by occupant ids (XEP-0421) who is who."""

    def enter(self, *others, own="us"):
        self.peer.sent()
        own_presence = presence("bot", more="<status code='110'/>")
        self.peer.feed("".join(others) + (with_id(own_presence, own) if own else own_presence))
        self.peer.feed(f"<message type='groupchat' from='{ROOM}'><subject/></message>")

    def announce(self, feature="urn:xmpp:occupant-id:0"):
        """The service announces this feature."""
        for iq in self.peer.stanzas():
            if iq.name == "iq":
                self.peer.feed(
                    f"<iq type='result' from='{iq['to']}' id='{iq['id']}'><query xmlns="
                    f"'http://jabber.org/protocol/disco#info'><feature var='{feature}'/></query>"
                    "</iq>"
                )

    def announce_nothing(self):
        """Neither the service nor the room announces occupant ids."""
        self.announce("urn:other")
        self.announce("urn:other")

    def come_back(self):
        """The session is lost, and there is another one."""
        self.peer.lose()
        self.clock.advance(60)
        self.peer = self.endpoint.accept()
        self.peer.log_in("xbot@example.org/given")
        self.peer.sent()

    def test_after_a_new_join(self):
        """After our return a person is answered, under a new nick; another with the nick is not."""
        self.enter(with_id(presence("alice"), "a"), with_id(presence("bob"), "b"))
        self.announce()
        questions = [self.ask("alice"), self.ask("bob")]
        self.peer.lose()
        for question in questions:
            self.outbox.put(reply_to(question, "42"))
        self.come_back()
        self.enter(
            with_id(presence("alice"), "mallory"),
            with_id(presence("ally"), "a"),
        )
        self.assertEqual(len(self.outbox), 2)
        self.announce()
        self.assertEqual(self.said_to(), [f"{ROOM}/ally"])
        self.assert_dropped()

    def test_another_nick(self):
        """A person who left and came back under another nick is answered there."""
        self.enter(with_id(presence("alice"), "a"))
        self.announce()
        question = self.ask()
        self.peer.feed(gone("alice") + with_id(presence("alice"), "mallory"))
        self.peer.feed(with_id(presence("ally"), "a"))
        self.assertEqual(self.answer(question), [f"{ROOM}/ally"])

    def test_two_nicks(self):
        """One of two nicks of a person is answered that asked, and the other once it left."""
        self.enter(with_id(presence("alice"), "a"), with_id(presence("ally"), "a"))
        self.announce()
        question, other = self.ask("alice"), self.ask("ally")
        self.assertEqual(question.occupant, other.occupant)
        self.assertEqual(self.answer(question), [f"{ROOM}/alice"])
        self.assertEqual(self.answer(other), [f"{ROOM}/ally"])
        self.peer.feed(gone("alice"))
        self.assertEqual(self.answer(question), [f"{ROOM}/ally"])

    def test_claims(self):
        """Where the room does not announce ids, that of a client counts for nothing."""
        for own in "", "us":
            self.lost.clear()
            self.events.clear()
            self.enter(with_id(presence("alice"), "a"), own=own)
            self.announce_nothing()
            question = self.ask()
            self.peer.feed(gone("alice") + with_id(presence("alice"), "a"))
            self.assertEqual(self.answer(question), [])
            self.assert_dropped()
            self.come_back()

    def test_a_return_to_a_room_without_ids(self):
        """A room that no longer announces ids does not tell who is who: nothing is answered."""
        self.enter(with_id(presence("alice"), "a"))
        self.announce()
        question = self.ask()
        self.peer.lose()
        self.outbox.put(reply_to(question, "42"))
        self.come_back()
        self.enter(with_id(presence("alice"), "a"))
        self.announce_nothing()
        self.assertEqual(self.said_to(), [])
        self.assert_dropped()

    def test_a_service_that_does_not_answer(self):
        """The wait for the announcement has an end, and then nothing is answered."""
        self.enter(with_id(presence("alice"), "a"))
        self.announce()
        question = self.ask()
        self.peer.lose()
        self.outbox.put(reply_to(question, "42"))
        self.come_back()
        self.enter(with_id(presence("alice"), "a"))
        self.clock.advance(29)
        self.assertEqual(self.lost, [])
        self.clock.advance(1)
        self.assert_dropped()

    def test_rights(self):
        """An occupant id gives no rights: a person whose address is hidden has no identity."""
        self.enter(with_id(presence("alice"), "a"))
        self.announce()
        self.assertIsNone(self.ask().identity)

    def test_a_message_of_another(self):
        """A message whose id is not that of the nick's holder has no rights of the holder."""
        admin = presence("alice", ALICE).replace("='none'", "='admin'")
        self.enter(with_id(admin, "a"))
        self.announce()
        for id, identity, affiliation in (
            ("a", "alice@example.org", "admin"), ("b", None, "none"),
        ):  # fmt: skip
            said = f"<message type='groupchat' from='{ROOM}/alice'><body>x</body></message>"
            self.peer.feed(with_id(said, id))
            message = self.heard.pop()
            self.assertEqual((message.identity, message.affiliation), (identity, affiliation))

    def test_the_id_of_a_private_message(self):
        """It does not count: not every service checks it there."""
        self.enter(with_id(presence("alice"), "a"), with_id(presence("eve"), "e"))
        self.announce()
        asked = f"<message type='chat' from='{ROOM}/eve'><body>x</body></message>"
        self.peer.feed(with_id(asked, "a"))
        self.assertEqual(self.heard.pop().occupant, self.ask("eve").occupant)


class AffiliationTests(PrivateCase):
    def affiliation(self, message):
        return self.adapter.affiliation(message)

    def test_of_now(self):
        """It is what the room says now; "none" for one who left, "outcast" for one banned."""
        self.enter(presence("alice", ALICE).replace("='none'", "='admin'"))
        question = self.ask()
        self.assertEqual((question.affiliation, self.affiliation(question)), ("admin", "admin"))
        self.peer.feed(presence("alice", ALICE).replace("='none'", "='member'"))
        self.assertEqual(self.affiliation(question), "member")
        self.peer.feed(gone("alice", ALICE))
        self.assertEqual(self.affiliation(question), "none")
        self.peer.feed(presence("alice", EVE).replace("='none'", "='owner'"))
        self.assertEqual(self.affiliation(question), "none")
        self.peer.feed(presence("ally", ALICE).replace("='none'", "='owner'"))
        self.assertEqual(self.affiliation(question), "owner")
        self.peer.feed(gone("ally", ALICE).replace("='none'", "='outcast'"))
        self.assertEqual(self.affiliation(question), "outcast")

    def test_where_we_are_not(self):
        """It is "none" in a room that we are not in."""
        self.enter(presence("alice", ALICE).replace("='none'", "='admin'"))
        question = self.ask()
        self.peer.lose()
        self.assertEqual(self.affiliation(question), "none")


class ResumedTests(PrivateCase):
    def begin(self):
        self.peer.authenticate()
        self.peer.feed(features(BIND + SM))
        self.peer.bind("xbot@example.org/given")
        self.peer.feed("<enabled xmlns='urn:xmpp:sm:3' id='s' resume='true'/>")

    def resume(self, h):
        self.clock.advance(0)
        self.peer = self.endpoint.accept()
        self.peer.authenticate()
        self.peer.feed(features(BIND + SM))
        self.peer.sent()
        self.peer.feed(f"<resumed xmlns='urn:xmpp:sm:3' previd='s' h='{h}'/>")

    def finish(self, meanwhile):
        """The server sends what it kept, and its answer to our ping; gives who is answered."""
        stanzas = self.peer.stanzas()
        self.assertEqual([each for each in stanzas if each.name == "message"], [])
        (ping,) = [each for each in stanzas if each.name == "iq"]
        self.peer.feed(meanwhile)
        self.assertEqual(self.said_to(), [])
        self.peer.feed(pong(ping))
        return self.said_to()

    def test_what_waited(self):
        """On a resumed stream an answer waits for what the server kept for us: who left."""
        self.enter(presence("alice"), presence("bob"))
        sent = self.adapter.managed.unacknowledged
        questions = [self.ask("alice"), self.ask("bob")]
        self.peer.lose(ConnectionLost())
        for question in questions:
            self.outbox.put(reply_to(question, "42"))
        self.resume(sent)
        self.assertEqual(self.finish(gone("alice") + presence("alice")), [f"{ROOM}/bob"])
        self.assert_dropped()

    def test_what_was_under_way(self):
        """An answer that the server had not handled is not written again before that either."""
        self.enter(presence("alice"))
        sent = self.adapter.managed.unacknowledged
        self.assertEqual(self.answer(self.ask()), [f"{ROOM}/alice"])
        self.peer.lose(ConnectionLost())
        self.resume(sent)
        self.assertEqual(self.finish(gone("alice") + presence("alice")), [])
        self.assert_dropped()

    def test_what_was_under_way_to_the_same(self):
        """It is said once to an occupant who is still there."""
        self.enter(presence("alice"))
        sent = self.adapter.managed.unacknowledged
        self.answer(self.ask())
        self.peer.lose(ConnectionLost())
        self.resume(sent)
        self.assertEqual(self.finish(""), [f"{ROOM}/alice"])
        self.assertEqual(self.lost, [])
