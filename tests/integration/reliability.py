"""Contract tests: no command is lost or run twice under outages, cuts, kills and restarts.

``XBOT_CUTS`` (200) and ``XBOT_KILLS`` (50) say how often. Each of the long tests ends
with one line of figures on standard output. ``XBOT_SEED`` repeats its chances, though
not its timing, which is the machine's.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import random
import re
import secrets
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.integration.contract import RETURN, Scene
from tests.integration.daemon import Daemon
from tests.integration.deeds import DEEDS, GO
from tests.integration.person import Person
from tests.integration.process import DEADLINE, read, say_figures, wait_until
from tests.integration.proxy import Cut, Proxy, random_cut
from xbot.config.settings import SENDER_RATE

#: Number of bots that share the cuts; each waits a second before it reconnects.
BOTS = 4

#: Seconds between two commands in one room.
PACE = 0.2

_XMPP = "reconnect-max = 1s\nping-interval = 2s\nping-timeout = 5s\n"

_REPORT = re.compile(
    r'"work (\d+)" \(alice, [^)]+\) was interrupted by a restart, or its'
    r" answer was lost; say it again to run it again"
)
_MORE = re.compile(r"\.\.\. and (\d+) more")


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
        self.await_outcomes(bot, 3)
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
            self.await_outcomes(bot, 3)
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
        self.await_outcomes(bot, 3)
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
            lambda: len(journal_of(bot)) == 3,
            lambda: f"3 are accepted: {journal_of(bot)}\n{bot.text()}",
            DEADLINE,
        )
        self.await_deeds(bot, "0")
        return proxy, room, alice, bot

    def let_go(self, bot: Daemon) -> None:
        """They may."""
        (bot.folder / GO).touch()

    def await_outcomes(self, bot: Daemon, count: int) -> None:
        """Returns once the journal says that so many were answered."""
        wait_until(
            lambda: sum(entry.outcome == "answered" for entry in journal_of(bot)) == count,
            lambda: f"{count} answered: {journal_of(bot)}",
            DEADLINE,
        )

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


class CutContract(ProxyScene):
    """Continuous random cuts of the network.

    ``cuts_for_a_change`` is the number of cuts in which the server itself may change the order
    of one stanza, None if it keeps the order.
    """

    cuts_for_a_change: int | None = None

    def test_random_cuts(self) -> None:
        """Of a stream of commands each runs once and is answered once, in order, in spite of cuts.

        Nobody sees the bot leave. Only the server may change the order, of a few.
        """
        began = time.monotonic()
        seed = new_seed()
        each = -(-int(os.environ.get("XBOT_CUTS", "200")) // BOTS)
        alice = self.person()
        bots: dict[str, tuple[Daemon, Proxy]] = {}
        for number in range(BOTS):
            room, proxy = self.room(), self.proxy()
            alice.create(room)
            bot = self.bot_behind(proxy, room, "do", resource=f"bot{number}")
            bot.start()
            bots[room] = bot, proxy
        for room, (bot, _) in bots.items():
            bot.await_rooms()
            self.catch_up(alice, room)
        for number, (_, proxy) in enumerate(bots.values()):
            proxy.follow(self.plan(random.Random(seed + number), each))
        said = 0
        deadline = time.monotonic() + 50 + 2 * each
        while any(proxy.cuts < each for _, proxy in bots.values()):
            self.assertLess(time.monotonic(), deadline, "the cuts take too long")
            for room in bots:
                alice.say(room, f"xbot: do {said}")
            said += 1
            time.sleep(PACE)
        for room in bots:
            # What did not come, the figures and what is asserted below tell better.
            with contextlib.suppress(AssertionError):
                wait_until(lambda room=room: len(done_in(alice, room)) >= said, str, DEADLINE)
                self.catch_up(alice, room)
        ran = [[int(deed) for deed in deeds_of(bot)] for bot, _ in bots.values()]
        heard = [done_in(alice, room) for room in bots]
        left = sum(
            seen.kind == "unavailable" and seen.sender == f"{room}/xbot"
            for seen in list(alice.presences)
            for room in bots
        )
        changed = sum(out_of_order(numbers) for numbers in [*ran, *heard])
        resumed = sum(bot.text().count("resumed the session") for bot, _ in bots.values())
        say_figures(
            f"{self.kind.name}: {sum(proxy.cuts for _, proxy in bots.values())} cuts,"
            f" {resumed} resumptions, {said * BOTS} commands:"
            f" {sum(len(lost(numbers, said)) for numbers in ran)} lost,"
            f" {sum(len(twice(numbers)) for numbers in ran)} run twice; answers:"
            f" {sum(len(lost(numbers, said)) for numbers in heard)} lost,"
            f" {sum(len(twice(numbers)) for numbers in heard)} said twice;"
            f" {left} times seen leaving, {changed} out of order;"
            f" {time.monotonic() - began:.0f} s, seed {seed}"
        )
        self.assertEqual(left, 0)
        for (bot, _), numbers, answers in zip(bots.values(), ran, heard, strict=True):
            self.assertEqual(sorted(numbers), list(range(said)), bot.text()[-9000:])
            self.assertEqual(sorted(answers), list(range(said)), bot.text()[-9000:])
        if self.cuts_for_a_change is None:
            self.assertEqual(changed, 0, (ran, heard))
        else:
            self.assertLessEqual(changed, 2 + BOTS * each // self.cuts_for_a_change, (ran, heard))

    def plan(self, chance: random.Random, count: int) -> Iterator[Cut]:
        """So many cuts; then the network is good."""
        return islice(iter(lambda: random_cut(chance), None), count)


class KillContract(ProxyScene):
    """The bot's process is killed (SIGKILL) repeatedly."""

    def ask(self, person: Person, room: str, text: str, answer: str) -> None:
        """Say ``text`` until it is answered: who is out for a moment does not hear it."""
        for _ in range(5):
            person.say(room, text)
            with contextlib.suppress(AssertionError):
                person.expect(f"{room}/xbot", answer, within=3.0)
                return
        self.fail(f"{text!r} is not answered")

    def catch_up(self, person: Person, room: str) -> None:
        """As everywhere. With an older session ejabberd may have taken us out, for a moment."""
        text = f"echo {secrets.token_hex(4)}"
        self.ask(person, room, text, text)

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

    def test_kills(self) -> None:
        """No command runs twice, and each that a SIGKILL interrupted is reported in the room."""
        began = time.monotonic()
        seed = new_seed()
        chance = random.Random(seed)
        kills = int(os.environ.get("XBOT_KILLS", "50"))
        alice, room = self.person(), self.room()
        alice.create(room)
        bot = self.bot([room], xmpp=_XMPP, extra=_responder("work"))
        said = 0
        for _ in range(kills):
            bot.start_and_join()
            end = time.monotonic() + chance.uniform(0.0, 0.4)
            while time.monotonic() < end:
                alice.say(room, f"xbot: work {said}")
                said += 1
                # So slow that no more of them wait than the queue takes.
                pause = chance.uniform(0.04, 0.08)
                # The kill may come at once after a command.
                time.sleep(max(0.0, min(pause, end - time.monotonic())))
            bot.kill()
        bot.start_and_join()
        self.catch_up(alice, room)
        interrupted = {entry.command for entry in journal_of(bot) if entry.is_interrupted}
        wait_until(
            lambda: all(entry.reported for entry in journal_of(bot) if entry.is_interrupted),
            lambda: f"all are reported: {journal_of(bot)}\n{bot.text()[-9000:]}",
            DEADLINE,
        )
        self.catch_up(alice, room)
        bot.stop()

        started = [int(deed.split()[1]) for deed in deeds_of(bot) if deed.startswith("start")]
        ended = {int(deed.split()[1]) for deed in deeds_of(bot) if deed.startswith("end")}
        answered, (told, more) = done_in(alice, room), reported_in(alice, room)
        entries = [entry.command for entry in journal_of(bot)]
        say_figures(
            f"{self.kind.name}: {kills} kills, {said} commands, {len(entries)} accepted,"
            f" {len(started)} started, {len(twice(started))} twice, {len(interrupted)} interrupted:"
            f" {len(interrupted - set(told))} not reported, {len(twice(told))} reported twice,"
            f" {len(set(told) & set(answered))} reported and answered,"
            f" {len(set(told) & ended - set(answered))} reported that had ended,"
            f" {len(set(entries) - set(told) - set(answered))} neither answered nor reported;"
            f" {time.monotonic() - began:.0f} s, seed {seed}"
        )
        self.assertEqual(twice(started), [])
        self.assertEqual(twice(entries), [])
        self.assertEqual(twice(answered), [])
        # Accepted first, then run.
        self.assertLessEqual(set(started), set(entries))
        # Whatever did not come to its end was interrupted, and whatever was is reported.
        self.assertLessEqual(set(started) - ended - set(answered), interrupted)
        self.assertLessEqual(set(told), interrupted)
        # Both take a kill in the few milliseconds between a fact and its commit.
        self.assertLessEqual(len(set(told) & set(answered)), kills // 5)
        self.assertLessEqual(len(twice(told)), kills // 5)
        # Of more than five at once some are only counted. What a room sent back, because with an
        # older session it took us out, is said again, unless we are killed before that.
        sent_back = sum(
            life.rpartition(": joined: ")[2].count("sending it again")
            for life in bot.text().split(" starting up.")
        )
        self.assertLessEqual(len(interrupted - set(told)), more + sent_back)


@frozen
class JournalLine:
    """The journal entry of one command; ``command`` is the command's number."""

    command: int
    outcome: str | None
    reported: bool

    @property
    def is_interrupted(self) -> bool:
        return self.outcome == "interrupted"


def journal_of(bot: Daemon) -> list[JournalLine]:
    """The entries of the journal in the bot's state folder."""
    path = bot.folder / "state" / "journal.sqlite"
    with contextlib.closing(
        sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=DEADLINE)
    ) as journal:
        rows = journal.execute("SELECT body, outcome, reported FROM entry ORDER BY number")
        return [
            JournalLine(int(body.split()[-1]), outcome, bool(reported))
            for body, outcome, reported in rows
        ]


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


def reported_in(person: Person, room: str) -> tuple[list[int], int]:
    """The numbers of the commands reported as interrupted in ``room``, and the count of others."""
    bodies = [heard.body for heard in list(person.messages) if heard.sender == f"{room}/xbot"]
    named = [_REPORT.fullmatch(body) for body in bodies]
    more = [_MORE.fullmatch(body) for body in bodies]
    return (
        [int(found[1]) for found in named if found is not None],
        sum(int(found[1]) for found in more if found is not None),
    )


def lost(numbers: list[int], count: int) -> list[int]:
    """The numbers below ``count`` that are missing."""
    return sorted(set(range(count)) - set(numbers))


def twice(numbers: list[int]) -> list[int]:
    """The numbers that occur more than once."""
    return sorted(number for number, times in Counter(numbers).items() if times > 1)


def out_of_order(numbers: list[int]) -> int:
    """The number of numbers to move so that they are in order."""
    # Patience sorting: the length of the longest increasing subsequence.
    ends: list[int] = []
    for number in numbers:
        at = bisect.bisect(ends, number)
        ends[at : at + 1] = [number]
    return len(numbers) - len(ends)


def new_seed() -> int:
    """The random seed: from ``XBOT_SEED`` if set; printed with the figures."""
    return int(os.environ.get("XBOT_SEED") or random.SystemRandom().randrange(2**32))
