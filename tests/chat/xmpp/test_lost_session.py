"""After a lost session, what a room's history shows as said is not said again."""

from tests.chat.xmpp.harness import BIND, JID, features, parse_all
from tests.chat.xmpp.stream.test_stream_management import ROOM, SELF, ManagedCase
from xbot.chat.xmpp.rooms.room import SUBJECT_TIMEOUT
from xbot.chat.xmpp.rooms.unconfirmed import HISTORY
from xbot.chat.xmpp.wire import ns
from xbot.model.message import Message

SUBJECT = f"<message type='groupchat' from='{ROOM}/alice'><subject>news</subject></message>"
ORIGIN = f"<origin-id xmlns='{ns.STANZA_ID}' id='{{}}'/>"


def delay(sender):
    return f"<delay xmlns='urn:xmpp:delay' from='{sender}' stamp='2001-09-09T01:46:30Z'/>"


def past(id, nick="bot", more="", room=ROOM):
    """A message in the room's history."""
    return (
        f"<message type='groupchat' from='{room}/{nick}' id='{id}'><body>bot: ping</body>{more}"
        f"{delay(room)}</message>"
    )


class LostSessionTests(ManagedCase):
    def say(self, text, to=ROOM, kind="groupchat"):
        """Say something under an id that is the text itself."""
        room = ROOM if to.startswith(ROOM) else None
        message = Message("", to, text, {"type": kind, "id": text}, room=room)
        self.outbox.put(message, lambda: self.delivered.append(text))

    def lose(self, *texts):
        """The session is lost in which these were said; gives the peer of the next one."""
        self.delivered = []
        peer = self.log_in()
        for text in texts:
            self.say(text)
        return self.begin_anew(peer)

    def begin_anew(self, peer):
        peer = self.come_back(peer, offer="")
        peer.bind(str(JID))
        return peer

    def wish(self, peer):
        """The history that the join asks for, in messages and characters."""
        (join,) = (s for s in parse_all(peer.sent()) if s.getAttribute("to") == f"{ROOM}/bot")
        history = join.x.history
        return history.getAttribute("maxstanzas"), history.getAttribute("maxchars")

    def show(self, peer, *history, end=SUBJECT, nick="bot"):
        """The room lets us in as ``nick``, and sends this; gives what we say then."""
        peer.feed(f"<presence from='{ROOM}/{nick}'>{SELF}</presence>")
        self.assertEqual(self.bodies(peer), [])
        peer.feed("".join(history))
        self.assertEqual(self.bodies(peer), [])
        peer.feed(end)
        return self.bodies(peer)

    def test_found(self):
        """What is found there counts as delivered, and only the rest is said again, in order."""
        peer = self.lose("a", "b", "c", "d")
        self.assertEqual(self.wish(peer), (str(HISTORY), None))
        self.say("e")
        self.assertEqual(
            self.show(peer, past("0"), past("a"), past("1", "alice"), past("c")), ["b", "d", "e"]
        )
        self.assertEqual(self.delivered, ["a", "c"])
        for id in ("b", "d", "e"):
            peer.feed(past(id).replace(delay(ROOM), ""))
        self.assertEqual(self.delivered, ["a", "c", "b", "d", "e"])
        self.assertEqual(len(self.outbox), 0)

    def test_slow_path(self):
        """So it is with messages that only the full reader takes, and with an origin id."""
        peer = self.lose("a", "b", "c")
        unusual = "<x xmlns='a:b'/>"
        history = past("a", more=unusual), past("0", more=ORIGIN.format("b"))
        self.assertEqual(
            self.show(peer, *history, past("0", more=ORIGIN.format("c") + unusual)), []
        )
        self.assertEqual(self.delivered, ["a", "b", "c"])

    def test_the_past_is_not_obeyed(self):
        """Whatever the history holds is past: commands, echoes, forged delays, old subjects."""
        peer = self.lose("a")
        forged = (
            f"<message type='groupchat' from='{ROOM}/alice' id='2'><body>bot: ping</body>"
            f"{delay(JID.domain)}</message>"
        )
        live = forged.replace(delay(JID.domain), "")
        self.show(peer, past("a"), past("1", "alice"), forged, live, past("3", "alice", "<a/>"))
        peer.feed(past("4", "alice") + SUBJECT + past("5", "alice"))
        self.assertEqual([message.delayed for message in self.heard], [True] * 7)
        self.assertFalse(any(message.missed or message.live for message in self.heard))
        peer.feed(live)
        self.assertFalse(self.heard[-1].delayed)

    def test_not_asked_for(self):
        """No history is asked for where nothing was said, or all of it was acknowledged."""
        self.delivered = []
        peer = self.log_in()
        self.say("a")
        peer.feed("<a xmlns='urn:xmpp:sm:3' h='4'/>")
        self.say("direct", "alice@example.org", "chat")
        peer = self.begin_anew(peer)
        self.assertEqual(self.wish(peer), ("0", "0"))
        peer.feed(f"<presence from='{ROOM}/bot'>{SELF}</presence>")
        self.say("b")
        self.assertEqual(self.bodies(peer), ["b"])

    def test_asked_for_once(self):
        """The next session does not ask again."""
        peer = self.lose("a")
        self.assertEqual(self.show(peer, past("a")), [])
        self.assertEqual(self.wish(self.begin_anew(peer)), ("0", "0"))

    def test_others(self):
        """What others say under that id, in this or another room, does not count."""
        peer = self.lose("a", "b", "c")
        history = past("a", "alice"), past("b", room="other@muc.example.org")
        private = past("c").replace("groupchat", "chat")
        self.assertEqual(self.show(peer, *history, private), ["a", "b", "c"])

    def test_another_nick(self):
        """What we said under the nick that we had counts, and under the one that we have."""
        peer = self.lose("a", "b")
        history = past("a", "bot"), past("b", "bot_")
        self.assertEqual(self.show(peer, *history, nick="bot_"), [])

    def test_changed_ids(self):
        """In a room that changes ids, or keeps no history, all is said again."""
        for history in [past("1"), past("2")], []:
            peer = self.lose("a", "b")
            self.assertEqual(self.show(peer, *history), ["a", "b"])
            self.setUp()

    def test_no_subject(self):
        """In a room that tells no subject, what was not found is said after some seconds."""
        peer = self.lose("a", "b")
        self.assertEqual(self.show(peer, past("a"), end=""), [])
        self.clock.advance(SUBJECT_TIMEOUT)
        self.assertEqual(self.bodies(peer), ["b"])

    def test_lost_again(self):
        """If the next session is lost before the history was read, the one after it asks."""
        peer = self.lose("a", "b")
        peer.feed(f"<presence from='{ROOM}/bot'>{SELF}</presence>" + past("a"))
        peer = self.begin_anew(peer)
        self.assertEqual(self.wish(peer), (str(HISTORY), None))
        # What was found once is not forgotten: others may have said much since.
        self.assertEqual(self.show(peer), ["b"])

    def test_what_comes_live_is_not_history(self):
        """Once the history is read, nothing that the room sends ends what waits to be said."""
        peer = self.lose("a")
        peer.transport.producer.pauseProducing()
        self.show(peer)
        peer.feed(past("a"))
        peer.transport.producer.resumeProducing()
        self.assertEqual(self.bodies(peer), ["a"])

    def test_in_private(self):
        """What waits for an occupant waits for the history; other people are told at once."""
        peer = self.lose("a")
        self.say("c", f"{ROOM}/alice", "chat")
        self.say("b", "alice@example.org", "chat")
        self.assertEqual(self.bodies(peer), ["b"])
        self.assertEqual(self.show(peer), ["a", "c"])

    def test_suspects(self):
        """A message that was found is no suspect any more for the end of the stream."""
        peer = self.lose("a")
        self.assertTrue(self.adapter.managed._suspects)
        self.show(peer, past("a"))
        self.assertFalse(self.adapter.managed._suspects)

    def test_a_room_that_was_left(self):
        """What was said in a room that we left meanwhile is dropped, as always."""
        self.delivered = []
        peer = self.log_in()
        self.say("a")
        peer.lose()
        self.adapter.leave(ROOM)
        self.wait()
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND))
        peer.bind(str(JID))
        self.assertEqual(self.bodies(peer), [])
        self.assertEqual((self.delivered, len(self.outbox)), ([], 0))
