"""Administrative commands (join, leave) on a real server."""

from __future__ import annotations

import secrets

from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.person import Person
from tests.integration.process import DEADLINE, wait_until


class CommandContract(Scene):
    """Join and leave rooms on command."""

    def test_join_and_leave(self) -> None:
        """Who may sends it into a room, for good, and out again; who may not is refused."""
        home, other = self.room(), self.room()
        alice, bob = self.person(), self.person("bob")
        alice.create(home, whois="anyone")
        bob.join(home, "bob")
        bob.create(other, "bob", whois="anyone")
        bot = self.bot([home], extra=f"[responder rooms]\nallow = alice@{self.server.domain}\n")
        bot.start_and_join()
        alice.expect_presence(f"{home}/xbot", "available")
        bob.say(home, f"xbot: join {other}")
        bob.expect(f"{home}/xbot", "rooms is not for you, bob.")
        alice.say(home, f"xbot: join {other} as robo")
        alice.expect(f"{home}/xbot", f"I am on my way to {other}; 'rooms' tells how that goes.")
        bob.expect_presence(f"{other}/robo", "available")
        bot.await_log(f"{other}: caught up")
        alice.join(other)
        self.catch_up_as(alice, other, "robo")
        bot.stop()
        bot.start()
        bot.await_log(f"{other}: caught up")
        self.catch_up_as(alice, other, "robo")
        alice.say(other, f"robo: leave {home}")
        alice.expect(f"{other}/robo", f"{home} stands in my ini: take it out there and reload.")
        bob.presences.clear()
        alice.say(other, f"robo: leave {other}")
        bob.expect_presence(f"{other}/robo", "unavailable")
        self.await_nothing_remembered(bot)
        self.catch_up_as(alice, home, "xbot")

    def catch_up_as(self, person: Person, room: str, nick: str) -> None:
        """Returns once the bot, which is ``nick`` there, has answered in ``room``."""
        text = f"echo {secrets.token_hex(4)}"
        person.say(room, text)
        person.expect(f"{room}/{nick}", text)

    def await_nothing_remembered(self, bot: Daemon) -> None:
        """Returns once no room is remembered on disk."""
        wait_until(
            lambda: (bot.folder / "state" / "rooms.json").read_text().strip() == "{}",
            lambda: "no room is remembered",
            DEADLINE,
        )
