"""Lanes: a bot, its crew, and one kind of fault that happens to it again and again.

The lanes of a soak run beside each other, each in a thread, with accounts of their own.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import signal
import sqlite3
import time
from collections.abc import Iterator

from attrs import evolve

from tests.integration.daemon import Daemon
from tests.integration.person import Seen
from tests.integration.process import DEADLINE, wait_until
from tests.integration.proxy import Cut, Proxy, random_cut, random_quality
from tests.integration.server import Server
from tests.ports import free_port
from tests.soak.bot_log import COMMAND, read_log
from tests.soak.crew import Crew, ini, names
from tests.soak.ledger import MUST_BE_ZERO, Facts
from tests.soak.memory import Sample
from xbot.engine.dispatch.missed import PERIOD

_IMPATIENT = "reconnect-max = 1s\nping-interval = 2s\nping-timeout = 5s\n"

#: Between the commands to one bot, in seconds.
_PACE = (0.1, 0.4)

#: Seconds between two samples of the memory.
_SAMPLE = 5.0

#: Commands after which the bot's bounded windows are full (4,096 message ids, 2 MB of pages of
#: the journal): only then memory can be flat. How many of them for each minute that follows.
_FILL, _FILL_EACH, _AT_ONCE = 8000, 800, 25

#: Seconds after a yes in which its command ends.
_AGREED = 5.0

#: Ways to give work to a bot that stands still: a webhook would wait for it.
_UNATTENDED = ("room", "aside", "direct", "program")


class Lane:
    """Base class. ``goal`` is how often the fault shall happen, ``done`` how often it did."""

    kind = ""
    xmpp = ""
    rooms = 1
    is_proxied = False

    def __init__(self, server: Server, name: str, goal: int, seed: int) -> None:
        self.server = server
        self.name = name
        self.goal = goal
        self.done = 0
        self.chance = random.Random(f"{seed} {name}")
        self.port = free_port()
        self.facts = Facts()
        self.resumed = self.sessions_lost = self.given_up = 0
        #: When the process stood still or was dead, in seconds since 1970.
        self.past: list[tuple[float, float]] = []
        self.samples: list[Sample] = []
        local = secrets.token_hex(3)
        self.places = [f"{name}-{local}-{n}@{server.muc}" for n in range(self.rooms)]
        self.proxy: Proxy | None = None
        if self.is_proxied:
            weather = random.Random(f"{seed} {name} weather")
            self.proxy = Proxy(server.port, lambda: random_quality(weather))
        self.bot = Daemon(
            server,
            self.places,
            account=names(name)[0],
            port=self.proxy.port if self.proxy else None,
            xmpp=self.xmpp,
            extra=ini(self.places[0], self.port),
        )
        self.bot.arguments = ["--trace"]
        self.crew: Crew

    def run(self) -> None:
        """Let it all happen; afterwards ``facts`` are complete."""
        self.crew = Crew(self.server, self.name, self.places, self.chance)
        self.bot.start_and_join()
        for room in self.places:
            self.catch_up(room)
        self.work()
        self.settle()
        for room in self.places:
            self.catch_up(room)
        self.facts = self.look()

    def work(self) -> None:
        """The faults, and the work meanwhile."""
        raise NotImplementedError

    def end(self) -> None:
        """End the bot, the people and the network; the bot's folder stays."""
        with contextlib.suppress(AttributeError):
            self.crew.leave()
        self.bot.stop()
        if self.proxy is not None:
            self.proxy.close()

    def give(self) -> None:
        """One command, and a pause."""
        self.crew.give(self.port, self.places[0])
        time.sleep(self.chance.uniform(*_PACE))

    def catch_up(self, room: str) -> None:
        """Returns once the bot answers in ``room``: what was said there before is done with."""
        ann = self.crew.people[0]
        for _ in range(10):
            text = f"echo {secrets.token_hex(4)}"
            ann.say(room, text)
            with contextlib.suppress(AssertionError):
                ann.expect(f"{room}/xbot", text, within=DEADLINE / 10)
                return
        raise AssertionError(f"{self.name} does not answer in {room}")

    def settle(self) -> None:
        """Wait until nothing is missing, or for long enough."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            self.crew.say_yes()
            found = self.look().found()
            # What Cat has just agreed to may be about to run.
            is_agreeing = any(time.time() - at < _AGREED for at in self.crew.agreed.values())
            if not (found["lost"] or found["neither run nor told"] or is_agreeing):
                return
            time.sleep(1.0)

    def look(self) -> Facts:
        """What is known now."""
        facts, log = self.crew.facts(self.bot), read_log(self.bot.text())
        facts.received, facts.sent = log.received, log.sent
        self.resumed, self.sessions_lost = log.resumed, len(log.lost)
        self.given_up = log.given_up
        for number, command in facts.commands.items():
            if any(begin <= command.said <= end for begin, end in log.lost):
                facts.excused.add(number)
            if any(begin <= command.said <= end for begin, end in self.past):
                facts.past.add(number)
        for number, said in self.crew.agreed.items():
            if any(begin <= said <= end for begin, end in self.past):
                facts.past.add(number)
        return facts


class _FaultOutside(Lane):
    """The process lives on, so no one sees it leave while its session lasts."""

    def look(self) -> Facts:
        facts = super().look()
        leaves = [Seen("unavailable", f"{room}/xbot") for room in self.places]
        seen = sum(each in leaves for each in list(self.crew.people[0].presences))
        facts.left = max(0, seen - self.sessions_lost * len(self.places))
        return facts


class CutLane(_FaultOutside):
    """The network is cut at random bytes; besides, it is slow and narrow."""

    kind = "cuts"
    xmpp = _IMPATIENT
    is_proxied = True

    def work(self) -> None:
        assert self.proxy is not None
        self.proxy.follow(self._plan())
        deadline = time.monotonic() + DEADLINE + 15 * self.goal
        while self.proxy.cuts < self.goal:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: the cuts take too long")
            self.give()
            self.done = min(self.goal, self.proxy.cuts)
        self.proxy.follow(iter(()))

    def _plan(self) -> Iterator[Cut]:
        """Cuts without end: a connection that ends before its cut is due has none."""
        chance = random.Random(self.chance.random())
        while True:
            cut = random_cut(chance)
            # Slow lines need longer to log in.
            cut = evolve(cut, seconds=2 * cut.seconds)
            if chance.random() < 0.2:
                side = chance.choice(("client", "server"))
                cut = evolve(cut, is_half_open=False, half_closes=side)
            yield cut


class KillLane(Lane):
    """The process is killed (SIGKILL), mostly with commands under way."""

    kind = "kills"
    xmpp = _IMPATIENT

    def work(self) -> None:
        while self.done < self.goal:
            end = time.monotonic() + self.chance.uniform(0.0, 0.4)
            while time.monotonic() < end:
                self.crew.give(self.port, self.places[0])
                pause = self.chance.uniform(0.03, 0.08)
                # The kill may come at once after a command.
                time.sleep(max(0.0, min(pause, end - time.monotonic())))
            self.bot.kill()
            began = time.time()
            if self.chance.random() < 0.3:
                self.crew.swap(self.places[0])
            if self.chance.random() < 0.5:
                self.crew.give(self.port, self.places[0], _UNATTENDED)
            self.past.append((began, time.time()))
            self.done += 1
            self.bot.start_and_join()

    def look(self) -> Facts:
        facts = super().look()
        accepted = self._journalled()
        for number, command in facts.commands.items():
            # A webhook's text may be said again; no other answer.
            if command.way == "webhook":
                facts.repeatable.add(number)
            elif number not in accepted:
                facts.unheard.add(number)
        # What a room returned is said again, unless the process is killed before that.
        facts.more += read_log(self.bot.text()).sent_back
        return facts

    def _journalled(self) -> set[int]:
        path = self.bot.folder / "state" / "journal.sqlite"
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=DEADLINE)
        ) as journal:
            bodies = [body for (body,) in journal.execute("SELECT body FROM entry")]
        return {int(found[1]) for body in bodies if (found := COMMAND.fullmatch(body))}


class StopLane(_FaultOutside):
    """The process stands still (SIGSTOP) for ``seconds``, between these two.

    Each stop has the next of three rooms, since one place is told only once in a while.
    """

    kind = "stops"
    rooms = 3
    seconds = (12.0, 20.0)

    def work(self) -> None:
        told = dict.fromkeys(self.places, -PERIOD)
        while self.done < self.goal:
            room = self.places[self.done % len(self.places)]
            while time.monotonic() < told[room] + PERIOD + 2:
                self.give()
            for _ in range(4):
                self.give()
            self.stop_once(room)
            told[room] = time.monotonic()
            self.done += 1

    def stop_once(self, room: str) -> None:
        """What was said during the stop is told as missed; what is said after it is obeyed."""
        who = self.done % len(self.places)
        # Under way when it stops; its answer must not reach who has the nick then.
        self.crew.give(self.port, room, ("aside",), 1)
        since = self.bot.now()
        self.bot.process.signal(signal.SIGSTOP)
        end = time.monotonic() + self.chance.uniform(*self.seconds)
        time.sleep(0.1)
        began = time.time()
        self.crew.swap(room)
        for _ in range(3):
            self.crew.give(self.port, room, ("room", "program"))
            time.sleep(self.chance.uniform(0.1, 1.0))
        for way in "aside", "direct":
            self.crew.give(self.port, room, (way,), who)
        time.sleep(max(0.0, end - time.monotonic()))
        self.past.append((began, time.time()))
        self.bot.process.signal(signal.SIGCONT)
        # Too early to be sure: either is right, but not neither.
        self.crew.give(self.port, room, ("room",))
        self.bot.await_log("was away for", since)
        self.catch_up(room)
        self.await_told()

    def await_told(self) -> None:
        """Wait for the notices, at most for long; what did not come is counted later."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.look().found()["neither run nor told"], str, DEADLINE / 3)


class LongStopLane(StopLane):
    """As before, longer than servers wait for a client."""

    kind = "long stops"
    seconds = (101.0, 120.0)


class SteadyLane(_FaultOutside):
    """No fault: mixed load for ``goal`` minutes, and what the process takes in memory."""

    kind = "minutes"

    def work(self) -> None:
        for _ in range(min(_FILL, _FILL_EACH * self.goal) // _AT_ONCE):
            for _ in range(_AT_ONCE):
                self.crew.give(self.port, self.places[0], ("room",))
            # A busy server is not outrun: the outbox has a bound for each place.
            self.catch_up(self.places[0])
        began = sampled = time.monotonic()
        while (now := time.monotonic()) < began + 60 * self.goal:
            self.give()
            if now >= sampled:
                self.samples.append((now - began, self.bot.memory()))
                sampled += _SAMPLE
            self.done = int((now - began) / 60)
        self.done = self.goal


def broken(facts: Facts) -> dict[str, list[int]]:
    """The counts of ``facts`` that must be 0 and are not."""
    found = facts.found()
    return {name: found[name] for name in MUST_BE_ZERO if found[name]}
