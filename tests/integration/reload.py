"""Contract tests: reload (SIGHUP), invitations and subscriptions on a real server."""

from __future__ import annotations

import signal
import time

from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.process import DEADLINE, wait_until

#: Seconds between two messages, and number of messages between two reloads.
PACE, STEP = 0.02, 20


def rewrite(bot: Daemon, old: str, new: str) -> None:
    """Replace ``old`` by ``new`` in the bot's ini."""
    text = bot.ini.read_text()
    assert text.count(old) == 1, text
    bot.ini.write_text(text.replace(old, new))


def reload(bot: Daemon, told: str) -> int:
    """Send SIGHUP, and wait for ``told`` in the log; returns the log's position before."""
    since = bot.now()
    bot.process.signal(signal.SIGHUP)
    bot.await_log(told, since)
    return since


class ReloadContract(Scene):
    """Reloads of a changed ini while the bot runs."""

    def test_rooms_come_and_go_under_traffic(self) -> None:
        """Of 200 messages during ten reloads each is answered once, on one connection."""
        room, other = self.room(), self.room()
        alice = self.person()
        for each in room, other:
            alice.create(each)
        bot = self.bot([room])
        bot.start_and_join()
        alice.expect_presence(f"{room}/xbot", "available")
        heading = f"[room {other}]\n[responder echo]"
        for number in range(10 * STEP):
            alice.say(room, f"echo {number}")
            if number % (2 * STEP) == 0:
                rewrite(bot, "[responder echo]", heading)
                bot.process.signal(signal.SIGHUP)
            elif number % (2 * STEP) == STEP:
                bot.await_log("join +1", times=number // (2 * STEP) + 1)
                rewrite(bot, heading, "[responder echo]")
                bot.process.signal(signal.SIGHUP)
            time.sleep(PACE)
        bot.await_log("leave -1", times=5)
        self.catch_up(alice, room)
        answers = [alice.count(f"{room}/xbot", f"echo {n}") for n in range(10 * STEP)]
        self.assertEqual(answers, [1] * len(answers), bot.text())
        self.assertEqual(bot.text().count("logged in as"), 1, bot.text())
        alice.expect_presence(f"{other}/xbot", "available")
        alice.expect_presence(f"{other}/xbot", "unavailable")

    def test_a_mistake_changes_nothing(self) -> None:
        """An ini with a mistake is refused with its line; the next one counts again."""
        room, other = self.room(), self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room])
        bot.start_and_join()
        rewrite(bot, f"[room {room}]", f"[romo {other}]")
        reload(bot, f"reload refused: {bot.ini}:")
        self.catch_up(alice, room)
        rewrite(bot, f"[romo {other}]", f"[room {room}]\nnick = robo")
        reload(bot, "nick 1")
        alice.expect_presence(f"{room}/robo", "available")
        alice.say(room, "robo: ping")
        alice.expect(f"{room}/robo", "pong")

    def test_another_resource(self) -> None:
        """Another account, be it by its resource, logs in anew and comes back into its rooms."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room])
        bot.start_and_join()
        alice.expect_presence(f"{room}/xbot", "available")
        rewrite(bot, f"{self.server.domain}/bot", f"{self.server.domain}/other")
        since = reload(bot, "account changed (jid)")
        bot.await_log(f"logged in as xbot@{self.server.domain}/other", since)
        bot.await_rooms(since)
        self.catch_up(alice, room)


class InvitationContract(Scene):
    """Invitations to rooms, and presence subscriptions."""

    def test_invitations(self) -> None:
        """Only who is named is followed, by either way; a restart leads back, the ini away."""
        open_room, closed, never = (self.room() for _ in range(3))
        alice, bob = self.person(), self.person("bob")
        me, inviter = f"xbot@{self.server.domain}", f"alice@{self.server.domain}"
        alice.create(open_room, whois="anyone")
        alice.create(closed, passwordprotectedroom="1", roomsecret="sesame")
        bob.create(never, "bob", whois="anyone")
        bot = self.bot(xmpp=f"accept-invites = {inviter}")
        bot.start_and_join()
        # By then the server knows that the bot is there.
        bot.await_log("the roster holds")
        bob.invite(never, me)
        bot.await_log("was not accepted: stranger")
        bob.invite_directly(never, me)
        alice.invite(open_room, me)
        alice.expect_presence(f"{open_room}/xbot", "available")
        alice.invite_directly(closed, me, password="sesame")
        alice.expect_presence(f"{closed}/xbot", "available")
        for room in open_room, closed:
            bot.await_log(f"{room}: caught up, listening")
            self.catch_up(alice, room)
        bot.stop()
        alice.presences.clear()
        bot.start()
        for room in open_room, closed:
            bot.await_log(f"{room}: caught up, listening")
            self.catch_up(alice, room)
        self.assertNotIn(f"{never}: joining", bot.text())
        self.assertNotIn("sesame", bot.text())
        rewrite(bot, f"accept-invites = {inviter}", "")
        reload(bot, "options accept-invites")
        for room in open_room, closed:
            alice.expect_presence(f"{room}/xbot", "unavailable")
        wait_until(
            lambda: (bot.folder / "state" / "rooms.json").read_text().strip() == "{}",
            lambda: "no room is remembered",
            DEADLINE,
        )

    def test_a_destroyed_room_is_forgotten(self) -> None:
        """A room that is destroyed is not remembered."""
        room, other = self.room(), self.room()
        alice = self.person()
        alice.create(room, whois="anyone")
        bot = self.bot([other], xmpp=f"accept-invites = @{self.server.domain}")
        alice.create(other)
        bot.start_and_join()
        alice.invite(room, f"xbot@{self.server.domain}")
        alice.expect_presence(f"{room}/xbot", "available")
        bot.await_log(f"{room}: caught up")
        alice.destroy(room)
        bot.await_log(f"{room}: forgotten")

    def test_subscriptions(self) -> None:
        """Who is named sees the bot's presence, a stranger is turned down."""
        alice, bob = self.person(), self.person("bob")
        me = f"xbot@{self.server.domain}"
        bot = self.bot(xmpp=f"subscriptions = alice@{self.server.domain}")
        bot.start_and_join()
        bot.await_log("the roster holds")
        alice.subscribe(me)
        alice.expect_presence(f"{me}/bot", "available")
        bob.subscribe(me)
        # Servers tell bob by his roster, some by the presence too.
        bot.await_log(f"refused the subscription of bob@{self.server.domain}")
