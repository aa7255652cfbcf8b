"""Contract tests: rooms on a real server (kicks, bans, nick changes, lost and rejoined rooms)."""

from __future__ import annotations

import re
import time

from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.person import Person
from tests.integration.process import DEADLINE, say_figures, wait_until
from xbot.control.client import ask
from xbot.control.protocol import Reply, Request, Result
from xbot.engine.outbox import MAX_MESSAGES
from xbot.model.jid import Jid

_ADMIN = "http://jabber.org/protocol/muc#admin"
_OWNER = "http://jabber.org/protocol/muc#owner"

#: Number of occupants of a crowded room.
CROWD = 2000

#: Number of rooms of one bot, and the seconds within which it has joined them all.
ROOMS, ROOMS_WITHIN = 1000, 180.0

#: The same through shipped rate limits, and the maximum seconds of an answer meanwhile.
THROTTLED, THROTTLED_WITHIN, ANSWER_WITHIN = 200, 30.0, 5.0

#: Number of crowded rooms, and of the occupants of each. ejabberd ends a stream with 5,000
#: unacknowledged stanzas.
CROWDS, EACH = 20, 500


class Listener(Scene):
    """Helpers that check whether the bot is in a room."""

    def check_answers(
        self, person: Person, room: str, nick: str = "xbot", called: str = ""
    ) -> None:
        """The bot is there, under that nick, and listens when it is ``called`` so, or by it."""
        before = person.count(f"{room}/{nick}", "pong")
        person.say(room, f"{called or nick}: ping")
        wait_until(
            lambda: person.count(f"{room}/{nick}", "pong") == before + 1,
            lambda: (
                f"pong; there is {person.messages[-20:]}\n"
                + "".join(daemon.text() for daemon in self._daemons)
            ),
            DEADLINE,
        )


class RoomLifeContract(Listener):
    """Kicks, bans and other actions of the room and its admins."""

    def scene(self, **settings: str) -> tuple[str, Person, Daemon]:
        """A room, alice who owns it, and a bot that listens there."""
        room, alice = self.room(), self.person()
        alice.create(room, **settings)
        bot = self.bot([room])
        bot.start_and_join()
        return room, alice, bot

    def test_private_answers(self) -> None:
        """The person who asked in private is answered, not the next one with that nick."""
        alice, bob, owner = self.person(), self.person("bob"), self.person("carol")
        for whois in "anyone", "moderators":
            room = self.room()
            owner.create(room, whois=whois)
            alice.join(room, "asker")
            bot = self.bot(
                [room], extra="[responder slow]\nmatch = slow\nrun = sh -c 'sleep 3; echo done'\n"
            )
            bot.start_and_join()
            # Under another nick it is the same person.
            alice.tell(f"{room}/xbot", "slow")
            alice.appear(f"{room}/renamed")
            alice.expect_presence(f"{room}/renamed", "available")
            alice.expect(f"{room}/xbot", "done", "chat")
            alice.tell(f"{room}/xbot", "slow")
            owner.expect_presence(f"{room}/renamed", "available")
            alice.appear(f"{room}/renamed", "unavailable")
            owner.expect_presence(f"{room}/renamed", "unavailable")
            bob.join(room, "renamed")
            since = bot.now()
            if whois == "anyone":
                alice.expect(f"xbot@{self.server.domain}", "done", "chat")
            else:
                bot.await_log(f"dropped 1 messages to {room}: the person whom it is for", since)
            self.check_answers(owner, room)
            self.assertEqual([each for each in bob.messages if each.body == "done"], [])
            bot.stop()

    def test_ever_new_nicks(self) -> None:
        """Beside one person with ever new nicks, in a room that hides addresses, one is answered.

        Prosody tells by occupant ids that it is one; ejabberd 23.01 has none, and passes on those
        that a client claims.
        """
        alice, bob, owner = self.person(), self.person("bob"), self.person("carol")
        room = self.room()
        owner.create(room, "carol", whois="moderators")
        bob.join(room, "bob")
        bot = self.bot([room], is_limited=True)
        bot.start_and_join()
        for number in range(50):
            # One after the other, or all at once by changes of the nick.
            if number < 30:
                alice.join(room, f"n{number}")
            else:
                alice.appear(f"{room}/n{number}")
            alice.say(room, "xbot: ping")
            if number < 29:
                alice.appear(f"{room}/n{number}", "unavailable")
        self.check_answers(bob, room)
        self.assertLess(bob.count(f"{room}/xbot", "pong"), 20)

    def admin(self, person: Person, room: str, item: str) -> None:
        """Change somebody's role or affiliation."""
        person.request(room, f"<query xmlns='{_ADMIN}'><item {item}</item></query>")

    def test_a_kick(self) -> None:
        """Kicked, the bot says why, waits a little, and is back."""
        room, alice, bot = self.scene()
        since = bot.now()
        self.admin(alice, room, "nick='xbot' role='none'><reason>too loud</reason>")
        bot.await_log(f"{room}: absent: we were kicked (too loud); next try in", since)
        bot.await_rooms(since)
        self.check_answers(alice, room)

    def test_a_ban(self) -> None:
        """Banned while inside, the bot says why and stays away."""
        room, alice, bot = self.scene()
        since = bot.now()
        account = f"xbot@{self.server.domain}"
        self.admin(alice, room, f"jid='{account}' affiliation='outcast'><reason>enough</reason>")
        bot.await_log(f"{room}: refused: we were banned (enough)", since)
        # Who was let in again by a person is so after the next start.
        bot.stop()
        bot.start()
        bot.await_log(f"{room}: refused: we are banned")
        bot.stop()
        self.admin(alice, room, f"jid='{account}' affiliation='member'>")
        bot.start_and_join()
        self.check_answers(alice, room)

    def test_much_said_to_a_room_that_bans_us(self) -> None:
        """However much is said to it, who said it is told why not, and others are answered."""
        room, other, alice = self.room(), self.room(), self.person()
        for each in room, other:
            alice.create(each)
        bot = self.bot([room, other])
        bot.start_and_join()
        account = f"xbot@{self.server.domain}"
        since = bot.now()
        self.admin(alice, room, f"jid='{account}' affiliation='outcast'><reason>enough</reason>")
        bot.await_log(f"{room}: refused: we were banned (enough)", since)
        request = Request(Jid.parse(room), "an alert", 0.0)
        replies = {ask(bot.folder / "state", request) for _ in range(MAX_MESSAGES + 100)}
        reason = "the bot cannot say it: we were banned (enough)"
        self.assertEqual(replies, {Reply(Result.REFUSED, reason)})
        self.check_answers(alice, other)
        bot.await_log(f" messages to {room}: the room refuses us (we were banned (enough))")

    def test_a_destruction(self) -> None:
        """A destroyed room is left for good; where people are sent is told, and not followed."""
        room, alice, bot = self.scene()
        since, other = bot.now(), self.room()
        alice.request(
            room,
            f"<query xmlns='{_OWNER}'><destroy jid='{other}'><reason>moving</reason></destroy>"
            "</query>",
        )
        bot.await_log(
            f"{room}: refused: the room was destroyed; it moved to {other} (moving)", since
        )
        self.assertNotIn(f"{other}:", bot.text())

    def test_members_only(self) -> None:
        """Who is no member, or ceases to be one, is refused; a member is let in."""
        room, alice = self.room(), self.person()
        alice.create(room, membersonly="1")
        bot = self.bot([room])
        bot.start()
        bot.await_log(f"{room}: refused: it is for members only")
        bot.stop()
        account = f"xbot@{self.server.domain}"
        self.admin(alice, room, f"jid='{account}' affiliation='member'>")
        bot.start_and_join()
        self.check_answers(alice, room)
        since = bot.now()
        self.admin(alice, room, f"jid='{account}' affiliation='none'>")
        bot.await_log(f"{room}: refused: we are no longer a member", since)

    def test_becoming_members_only(self) -> None:
        """A room that closes its doors to those inside puts the bot out for good."""
        room, alice, bot = self.scene()
        since = bot.now()
        alice.configure(room, membersonly="1")
        bot.await_log(f"{room}: refused: it is now for members only", since)

    def test_a_password(self) -> None:
        """A wrong password is told as such, and the right one opens the room."""
        room, alice = self.room(), self.person()
        alice.create(room, passwordprotectedroom="1", roomsecret="open <&>")
        bot = self.bot([room])
        bot.start()
        bot.await_log(f"{room}: refused: it needs a password: none is set, or it is wrong")
        right = self.bot(extra=f"[room {room}]\npassword = open <&>\n")
        right.start()
        right.await_log(f"{room}: caught up, listening")
        self.check_answers(alice, room)
        self.assertNotIn("open <&>", bot.text() + right.text())

    def test_the_nick_is_reclaimed_from_who_leaves(self) -> None:
        """Who holds our nick goes: it is ours."""
        self.check_reclaim("xbot", "unavailable")

    def test_the_nick_is_reclaimed_from_who_is_renamed(self) -> None:
        """Who holds our nick takes another one: it is ours."""
        self.check_reclaim("bob", None)

    def check_reclaim(self, nick: str, kind: str | None) -> None:
        """Bob has our nick, and gives it back by a presence."""
        room, alice, bob = self.room(), self.person(), self.person("bob")
        alice.create(room)
        bob.join(room, "xbot")
        bot = self.bot([room])
        bot.start_and_join()
        self.check_answers(alice, room, "xbot_")
        since = bot.now()
        bob.appear(f"{room}/{nick}", kind)
        bot.await_log(f"{room}: now as 'xbot'", since)
        self.check_answers(alice, room)

    def test_odd_nicks(self) -> None:
        """The bot, and whom it answers, may be called anything that the server accepts."""
        nick = "o'b\"x/<&> \u2603 \u0431\u03bf\u0442"
        room, alice = self.room(), self.person()
        alice.create(room, "a\"l/i'ce <&> \u2603")
        bot = self.bot(extra=f"[room {room}]\nnick = {nick}\n")
        bot.start()
        bot.await_log(f"{room}: caught up, listening")
        self.check_answers(alice, room, nick)

    def test_self_ping(self) -> None:
        """Rooms where nobody speaks for long are asked, and the bot stays in them."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room], xmpp="room-ping-interval = 1s\n")
        bot.start_and_join()
        since = len(self.server.log())
        # Four of them; the answers leave no trace but this.
        wait_until(
            lambda: self.pings(since, room) >= 4,
            lambda: f"pings in the server's log\n{self.server.log()[since:][-3000:]}",
            DEADLINE,
        )
        self.check_answers(alice, room)
        self.assertEqual(bot.text().count(f"{room}: joined"), 1)
        self.assertNotIn("stale", bot.text())

    def test_a_service_that_forgets_us(self) -> None:
        """A service that lost its occupants and told nobody has the bot back, unasked by anyone."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room], xmpp="room-ping-interval = 1s\n")
        bot.start_and_join()
        since = bot.now()
        self.server.forget_room(room)
        bot.await_log(f"{room}: absent: the room does not know us any more", since)
        bot.await_rooms(since)
        bob = self.person("bob")
        bob.join(room, "bob")
        self.check_answers(bob, room)

    def test_the_service_restarts(self) -> None:
        """The room service is restarted while the bot stays logged in: it is back by itself."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room], xmpp="room-ping-interval = 1s\n")
        bot.start_and_join()
        self.server.restart_rooms()
        bob = self.person("bob")
        wait_until(lambda: self.is_heard(bob, room), lambda: f"pong\n{bot.text()}", DEADLINE)
        self.assertEqual(bot.text().count("logged in"), 1)

    def is_heard(self, person: Person, room: str) -> bool:
        """Whether the bot answers this person, who enters first, or again."""
        person.appear(f"{room}/bob", "unavailable")
        person.join(room, "bob")
        person.say(room, "xbot: ping")
        try:
            person.expect(f"{room}/xbot", "pong", within=2)
        except AssertionError:
            return False
        return True

    def pings(self, since: int, room: str) -> int:
        """How many self-pings the server has logged."""
        return len(
            re.findall(
                rf"<iq[^>]*to=\\?['\"]{re.escape(room)}/xbot\\?['\"]", self.server.log()[since:]
            )
        )


class GivenNickContract(Listener):
    """Nicks assigned by the service, on servers that support it."""

    def test_a_nick_that_the_service_gives(self) -> None:
        """Called otherwise than it asked, the bot answers to that, and asks once where it might."""
        room, alice, bob = self.room(), self.person(), self.person("bob")
        alice.create(room)
        self.server.reserve_nick(room, f"xbot@{self.server.domain}", "robo")
        bob.join(room, "xbot")
        bot = self.bot([room])
        bot.start_and_join()
        alice.expect_presence(f"{room}/robo", "available")
        self.check_answers(alice, room, "robo")
        self.check_answers(alice, room, "robo", called="xbot")
        # Its own nick becomes free; the service still says no.
        since = bot.now()
        bob.appear(f"{room}/xbot", "unavailable")
        bot.await_log(f"{room}: stays 'robo': not-acceptable", since)
        self.check_answers(alice, room, "robo")
        self.check_answers(alice, room, "robo", called="xbot")
        self.assertEqual(bot.text().count("stays 'robo'"), 1)
        self.assertEqual(bot.text().count(f"{room}: joined"), 1)


class ManyRoomsContract(Scene):
    """The maximum number of rooms that one bot is designed for."""

    def test_a_crowd(self) -> None:
        """Of two thousand occupants the bot knows each, and who leaves or is renamed."""
        self.server = self.other_server()
        room, alice, bob = self.room(), self.person(), self.person("bob")
        alice.create(room, whois="anyone")
        self.server.crowd_room(room, CROWD)
        bot = self.bot(
            [room],
            extra="".join(
                f"[responder {name}]\nuse = tests.integration.deeds:{name}\n"
                for name in ("count", "behind")
            ),
        )
        began = time.monotonic()
        bot.start_and_join()
        took = time.monotonic() - began
        # In private: what is said aloud would go to each of them.
        self.check_told(alice, room, "whoami", "Your real address is alice@")
        # All of them, alice, and the bot.
        self.check_told(alice, room, "count", f"{CROWD + 2} occupants")
        self.check_told(alice, room, f"behind guest{CROWD}", f"guest{CROWD}: crowd{CROWD}@")
        for number in range(1, 11):
            self.server.move_guest(room, number, f"guest{number}", "unavailable")
        # Two take the nicks of others who left.
        self.server.move_guest(room, 11, "somebody else")
        self.server.move_guest(room, 12, "guest1")
        bob.join(room, "guest2")
        alice.expect_presence(f"{room}/guest2", "available")
        for nick, who in {
            "guest1": "crowd12@",
            "guest2": "bob@",
            "guest3": "nobody",
            "guest11": "nobody",
            "guest12": "nobody",
            "somebody else": "crowd11@",
        }.items():
            self.check_told(alice, room, f"behind {nick}", f"{nick}: {who}")
        self.check_told(alice, room, "count", f"{CROWD + 2 - 10 + 1} occupants")
        say_figures(
            f"{self.kind.name}: a room of {CROWD} occupants entered in {took:.1f} s from the"
            " start of the process"
        )

    def check_told(self, person: Person, room: str, command: str, answer: str) -> None:
        """In private, ``command`` has an answer with ``answer`` in it, the first since."""
        since = len(person.messages)
        person.tell(f"{room}/xbot", command)
        wait_until(
            lambda: any(heard.kind == "chat" for heard in person.messages[since:]),
            lambda: f"an answer to {command!r}: {person.messages[since:]}",
            DEADLINE,
        )
        self.assertIn(answer, person.messages[since:][0].body)

    def test_a_thousand_rooms(self) -> None:
        """A bot enters a thousand rooms within a bound, in the order of its ini, and answers."""
        # A server of its own: what a thousand rooms leave it to do is not the others' time.
        self.server = self.other_server()
        rooms = [self.room() for _ in range(ROOMS)]
        bot = self.bot(rooms)
        began = time.monotonic()
        bot.start()
        bot.await_log(": caught up, listening", times=ROOMS, within=ROOMS_WITHIN)
        took = time.monotonic() - began
        joined = re.findall(r"(room-\w+@\S+): joined", bot.text())
        # On a busy machine the service may answer so late that a room is asked again.
        self.assertEqual(set(joined), set(rooms))
        # They are asked in order; who answers first is the service's affair.
        joining = re.findall(r"(room-\w+@\S+): joining", bot.text())
        self.assertEqual(list(dict.fromkeys(joining)), rooms)
        alice = self.person()
        for room in rooms[0], rooms[-1]:
            alice.join(room)
            alice.say(room, "xbot: ping")
            alice.expect(f"{room}/xbot", "pong")
        began = time.monotonic()
        bot.stop()
        say_figures(
            f"{self.kind.name}: {ROOMS} rooms entered in {took:.1f} s from the start of the"
            f" process, left in {time.monotonic() - began:.1f} s"
        )

    def test_shipped_limits(self) -> None:
        """Through shipped rate limits hundreds of rooms are joined, and one of them is answered.

        No connection is lost by that, and nothing counts as missed.
        """
        self.server = self.other_server(is_throttled=True)
        self.server.log_less()
        rooms = [f"known-{number}@{self.server.muc}" for number in range(THROTTLED)]
        # The first bot makes the rooms, which is more to write.
        self.check_busy_joins("alice", rooms, 3 * THROTTLED_WITHIN)
        took, worst = self.check_busy_joins("bob", rooms, THROTTLED_WITHIN)
        say_figures(
            f"{self.kind.name} with its shipped limits: {THROTTLED} rooms joined in {took:.1f} s"
            f" from the start of the process; an answer meanwhile took {worst:.1f} s at most"
        )

    def test_crowded_rooms(self) -> None:
        """The same with crowded rooms, in which more people are than may be unacknowledged."""
        self.server = self.other_server(is_throttled=True)
        self.server.log_less()
        rooms = [f"known-{number}@{self.server.muc}" for number in range(CROWDS + 1)]
        self.check_busy_joins("alice", rooms, THROTTLED_WITHIN)
        # A crowd returns what is said to it, so commands are said in a room without one.
        for room in rooms[1:]:
            self.server.crowd_room(room, EACH)
        took, worst = self.check_busy_joins("bob", rooms, 3 * THROTTLED_WITHIN)
        say_figures(
            f"{self.kind.name}: {CROWDS} rooms of {EACH} occupants joined in {took:.1f} s from the"
            f" start of the process; an answer meanwhile took {worst:.1f} s at most"
        )

    def check_busy_joins(self, name: str, rooms: list[str], within: float) -> tuple[float, float]:
        """A bot joins all rooms, and answers that person in the first one meanwhile.

        Gives the seconds that all took, and those of the slowest answer.
        """
        bot, person = self.bot(rooms), self.person(name)
        if name == "alice":
            person.create(rooms[0])
        else:
            person.join(rooms[0], name)
        began, asked, worst = time.monotonic(), 0, 0.0
        bot.start()
        while not asked or _joined(bot) < set(rooms):
            self.assertLess(time.monotonic() - began, within, bot.text()[-3000:])
            if f"{rooms[0]}: caught up" in bot.text():
                asked += 1
                said_at = time.monotonic()
                person.say(rooms[0], f"echo {asked}")
                person.expect(f"{rooms[0]}/xbot", f"echo {asked}")
                worst = max(worst, time.monotonic() - said_at)
            time.sleep(0.1)
        took = time.monotonic() - began
        self.assertLess(worst, ANSWER_WITHIN)
        self.assertEqual(bot.text().count("logged in as"), 1)
        self.assertNotIn("is not obeyed", bot.text())
        self.assertNotIn("resumed the session", bot.text())
        bot.stop()
        return took, worst


def _joined(bot: Daemon) -> set[str]:
    return set(re.findall(r"(known-\d+@\S+): joined", bot.text()))
