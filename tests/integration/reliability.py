"""Contract tests: no command or answer is lost by a single outage, kill or restart.

Many of them at once: ``tests/soak``.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from tests.integration.contract import RETURN, Scene
from tests.integration.daemon import Daemon
from tests.integration.deeds import DEEDS, GO
from tests.integration.person import Person
from tests.integration.process import DEADLINE, read, wait_until
from tests.integration.proxy import Proxy
from xbot.config.settings import SENDER_RATE

_XMPP = "reconnect-max = 1s\nping-interval = 2s\nping-timeout = 5s\n"


def _responder(name: str) -> str:
    return f"[responder {name}]\nuse = tests.integration.deeds:{name}\n"


class ProxyScene(Scene):
    """A bot behind a fault-injecting proxy, and alice, connected directly."""

    def proxy(self) -> Proxy:
        """A network to the server."""
        proxy = Proxy(self.server.port)
        self.addCleanup(proxy.close)
        return proxy

    def bot_behind(self, proxy: Proxy, room: str, *responders: str, **more: Any) -> Daemon:
        """A bot that is not started yet, with these of our responders."""
        extra = "\n".join(map(_responder, responders))
        return self.bot([room], port=proxy.port, xmpp=_XMPP, extra=extra, **more)

    def scene(self, *responders: str, **more: Any) -> tuple[Proxy, str, Person, Daemon]:
        """A network, a room, alice and a bot in it."""
        proxy, room, alice = self.proxy(), self.room(), self.person()
        alice.create(room)
        bot = self.bot_behind(proxy, room, *responders, **more)
        bot.start_and_join()
        alice.expect_presence(f"{room}/xbot", "available")
        return proxy, room, alice, bot

    def await_deeds(self, bot: Daemon, *deeds: str) -> None:
        """Returns once exactly these were done."""
        wait_until(
            lambda: deeds_of(bot) == list(deeds),
            lambda: f"{deeds}; there is {deeds_of(bot)}\n{bot.text()}",
            DEADLINE,
        )

    def await_done(self, alice: Person, room: str, numbers: range, bot: Daemon) -> None:
        """Returns once so many were answered; they are these, in order, each once."""
        wait_until(
            lambda: len(done_in(alice, room)) >= len(numbers),
            lambda: f"{numbers}; there is {done_in(alice, room)}\n{bot.text()}",
            DEADLINE,
        )
        self.catch_up(alice, room)
        self.assertEqual(done_in(alice, room), list(numbers), bot.text())


class OutageContract(ProxyScene):
    """Single outages."""

    def test_a_resumption_is_invisible(self) -> None:
        """A cut shows nobody a leave or a join, and what was said meanwhile is answered after."""
        proxy, room, alice, bot = self.scene("do")
        self.catch_up(alice, room)
        before, since = len(alice.presences), bot.now()
        proxy.cut(and_refuse=True)
        bot.await_log("no connection", since)
        for number in range(3):
            alice.say(room, f"xbot: do {number}")
        proxy.accept()
        self.await_done(alice, room, range(3), bot)
        self.assertEqual(deeds_of(bot), ["0", "1", "2"])
        self.assertIn("resumed the session", bot.text()[since:])
        self.assertEqual(alice.presences[before:], [])

    def test_an_outage_makes_nobody_too_fast(self) -> None:
        """What was said at a modest rate in an outage is answered, though it arrives at once."""
        proxy, room, alice, bot = self.scene("do", is_limited=True)
        since = bot.now()
        proxy.cut(and_refuse=True)
        bot.await_log("no connection", since)
        # Three more than go at once, and in the time in which four more may.
        said = SENDER_RATE.burst + 3
        for number in range(said):
            if number == SENDER_RATE.burst - 1:
                time.sleep(5 * SENDER_RATE.period / SENDER_RATE.burst)
            alice.say(room, f"xbot: do {number}")
        proxy.accept()
        wait_until(
            lambda: len(done_in(alice, room)) >= said,
            lambda: f"{said}; there is {done_in(alice, room)}\n{bot.text()}",
            DEADLINE,
        )
        self.assertEqual(done_in(alice, room), list(range(said)))
        self.assertIn("resumed the session", bot.text()[since:])
        self.assertNotIn("throttled", bot.text())

    def test_answers_outlive_the_server(self) -> None:
        """What was answered while the server was restarted is said after that, once."""
        proxy, room, _, bot = self.begin_waiting()
        since = bot.now()
        self.server.stop()
        bot.await_log("no connection", since)
        self.let_go(bot)
        self.check_said_after_the_start(proxy, room, bot)

    def test_answers_that_a_dying_server_did_not_get_are_said(self) -> None:
        """What was on its way when the server crashed is said to the next one, once."""
        proxy, room, _, bot = self.begin_waiting()
        proxy.hold()
        self.let_go(bot)
        # They are written, and read by nobody.
        self.await_answers(bot)
        self.server.kill()
        proxy.release()
        self.check_said_after_the_start(proxy, room, bot)

    def test_a_session_that_was_lost(self) -> None:
        """What had arrived before the session was lost is not said again; the rest is, once.

        What was said in the room meanwhile is history, and not obeyed.
        """
        for has_arrived in True, False:
            proxy, room, alice, bot = self.begin_waiting()
            since = bot.now()
            proxy.hold(only_down=has_arrived)
            self.let_go(bot)
            self.await_answers(bot)
            if has_arrived:
                wait_until(
                    lambda alice=alice, room=room: len(done_in(alice, room)) == 3,
                    lambda bot=bot: f"the answers\n{bot.text()}",
                    DEADLINE,
                )
            proxy.cut(and_refuse=True)
            bot.await_log("no connection", since)
            self.server.forget_session("xbot")
            alice.expect_presence(f"{room}/xbot", "unavailable")
            alice.say(room, "xbot: wait 7")
            proxy.release()
            proxy.accept()
            bot.await_rooms(since)
            self.catch_up(alice, room)
            self.assertEqual(sorted(done_in(alice, room)), [0, 1, 2], bot.text()[since:])
            self.assertEqual(deeds_of(bot), ["0", "1", "2"])
            found = re.search(r"of 3 messages [^,]*, (\d) had arrived", bot.text()[since:])
            self.assertEqual(found and found[1], "3" if has_arrived else "0", bot.text()[since:])
            bot.stop()

    def test_sigterm_says_what_waits(self) -> None:
        """Answers that the server does not take yet are said before SIGTERM ends the process."""
        proxy, room, alice, bot = self.begin_waiting()
        proxy.hold()
        self.let_go(bot)
        self.await_answers(bot)
        began = time.monotonic()
        bot.process.signal(signal.SIGTERM)
        bot.await_log("Received SIGTERM")
        # It waits now: not for ever, but longer than this.
        with self.assertRaises(AssertionError):
            bot.process.wait(1)
        self.assertEqual(done_in(alice, room), [])
        proxy.release()
        self.assertIn(bot.process.wait(10), (0, -signal.SIGTERM))
        self.assertLess(time.monotonic() - began, 10)
        alice.expect_presence(f"{room}/xbot", "unavailable")
        self.assertEqual(sorted(done_in(alice, room)), [0, 1, 2], bot.text())
        self.assertNotIn("not all messages were sent in time", bot.text())

    def begin_waiting(self) -> tuple[Proxy, str, Person, Daemon]:
        """Of three commands one is under way, and two wait for it; they answer when they may."""
        proxy, room, alice, bot = self.scene("wait")
        for number in range(3):
            alice.say(room, f"xbot: wait {number}")
        wait_until(
            lambda: len(outcomes_of(bot)) == 3,
            lambda: f"3 are accepted: {outcomes_of(bot)}\n{bot.text()}",
            DEADLINE,
        )
        self.await_deeds(bot, "0")
        return proxy, room, alice, bot

    def let_go(self, bot: Daemon) -> None:
        """They may."""
        (bot.folder / GO).touch()

    def await_answers(self, bot: Daemon) -> None:
        """Returns once all three are done, and their answers written, if they can be."""
        self.await_deeds(bot, "0", "1", "2")
        # An answer follows its deed within 20 ms. Whether it arrived, only the server knows.
        time.sleep(0.5)

    def check_said_after_the_start(self, proxy: Proxy, room: str, bot: Daemon) -> None:
        """Start the server; the bot gets there after alice, says what waits, and listens."""
        proxy.cut(and_refuse=True)
        self.server.start()
        again = self.person()
        again.join(room)
        self.assertEqual(done_in(again, room), [])
        since = bot.now()
        proxy.accept()
        self.assertLess(bot.await_rooms(since), RETURN, bot.text()[since:])
        wait_until(
            lambda: sorted(done_in(again, room)) == [0, 1, 2],
            lambda: f"the answers; there is {again.messages}\n{bot.text()}",
            DEADLINE,
        )
        self.catch_up(again, room)
        self.assertEqual(sorted(done_in(again, room)), [0, 1, 2])
        self.assertEqual(deeds_of(bot), ["0", "1", "2"])


class KillContract(ProxyScene):
    """The bot's process is killed (SIGKILL)."""

    def ask(self, person: Person, room: str, text: str, answer: str) -> None:
        """Say ``text`` until it is answered: who is out for a moment does not hear it."""
        for _ in range(5):
            person.say(room, text)
            with contextlib.suppress(AssertionError):
                person.expect(f"{room}/xbot", answer, within=3.0)
                return
        self.fail(f"{text!r} is not answered")

    def test_what_was_answered_is_remembered(self) -> None:
        """A SIGKILL at the moment of the answer does not take away what a responder remembered."""
        alice, room = self.person(), self.room()
        alice.create(room)
        bot = self.bot([room], xmpp=_XMPP, extra=_responder("Memory"))
        for number in range(5):
            bot.start_and_join()
            alice.say(room, f"xbot: keep {number}")
            alice.expect(f"{room}/xbot", f"done {number}")
            bot.kill()
            bot.start_and_join()
            self.ask(alice, room, "xbot: found", f"found {number}")
            bot.stop()


def outcomes_of(bot: Daemon) -> list[str | None]:
    """The outcomes in the journal in the bot's state folder."""
    path = bot.folder / "state" / "journal.sqlite"
    with contextlib.closing(
        sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=DEADLINE)
    ) as journal:
        return [outcome for (outcome,) in journal.execute("SELECT outcome FROM entry")]


def deeds_of(bot: Daemon) -> list[str]:
    """The side effects of the bot's responders, in order."""
    return read(Path(bot.folder) / DEEDS).splitlines()


def done_in(person: Person, room: str) -> list[int]:
    """The numbers of the commands answered in ``room``, in the order ``person`` received them."""
    return [
        int(heard.body.removeprefix("done "))
        for heard in list(person.messages)
        if heard.sender == f"{room}/xbot" and heard.body.startswith("done ")
    ]
