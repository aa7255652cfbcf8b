"""Contract tests: a bot with twelve misbehaving responders still answers other commands."""

from __future__ import annotations

import signal
import time

from tests.engine.dispatch.bad_responders import CALLABLES, LIMIT, PROGRAM, sections
from tests.integration.contract import Scene, is_running
from tests.integration.person import Person
from tests.integration.process import DEADLINE, say_figures, wait_until

#: Seconds within which other commands must be answered: one, with slack for a busy machine.
PATIENCE = 5.0

#: Number of pings while the twelve are at work, and seconds between them.
PINGS, PACE = 30, 0.1


class MisbehaviourContract(Scene):
    """Misbehaving responders affect neither the stream nor the other responders."""

    def test_twelve_bad_responders(self) -> None:
        """While all twelve are at it the others are answered at once, on the same stream."""
        # What a server takes to log a megabyte is not the bot's time.
        self.server = self.other_server()
        self.server.log_less()
        room, other = self.room(), self.room()
        alice, bob = self.person(), self.person("bob")
        for each in room, other:
            alice.create(each)
            bob.join(each, "bob")
        folder = self.folder()
        bot = self.bot([room, other], extra=sections(folder))
        bot.start_and_join()
        for name in CALLABLES:
            alice.say(room, f"xbot: {name}")
        alice.say(room, f"xbot: {PROGRAM}")
        took = [self.check_pong(bob, (room, other)[number % 2]) for number in range(PINGS)]
        failing = ("raises", "exits", "bytes", "wrong")
        endless = ("never", "blocks", "late", "floods", PROGRAM)
        for text in (
            *(f"{name} failed; the log says why." for name in failing),
            *(f"{name} did not finish within {LIMIT:g} s." for name in endless),
            "flood",
            "mirror mirror",
        ):
            alice.expect(f"{room}/xbot", text)
        wait_until(lambda: self.heard(alice, "\N{SNOWMAN}" * 1000), lambda: "megabyte", DEADLINE)
        # One message, whatever it would be if it were pasted into the stream.
        self.assertEqual(self.heard(alice, "]]></body></message></stream:stream>"), 1)
        processes = [int(pid) for pid in (folder / "pids").read_text().split()]
        self.assertEqual(len(processes), 2)
        wait_until(
            lambda: not any(map(is_running, processes)), lambda: f"end of {processes}", DEADLINE
        )
        self.catch_up(bob, room)
        self.assertEqual(alice.count(f"{room}/xbot", "too late"), 0)
        self.assertEqual(alice.count(f"{room}/xbot", "mirror mirror"), 1)
        self.assertLess(self.heard(alice, "flood"), 20)
        self.assertEqual(bot.text().count("logged in as"), 1, bot.text())
        self.assertEqual(bot.text().count("no connection"), 0, bot.text())
        # One that blocks for good keeps nobody from going.
        bot.process.signal(signal.SIGTERM)
        self.assertIn(bot.process.wait(10), (0, -signal.SIGTERM))
        say_figures(
            f"{self.kind.name}: beside twelve bad responders, {PINGS} pings were answered within"
            f" {max(took) * 1000:.0f} ms ({sorted(took)[PINGS // 2] * 1000:.0f} ms at the median)"
        )

    def heard(self, person: Person, text: str) -> int:
        """How many messages with ``text`` in them they heard."""
        return sum(text in heard.body for heard in list(person.messages))

    def check_pong(self, person: Person, room: str) -> float:
        """The bot answers within the limit; gives the seconds."""
        before = person.count(f"{room}/xbot", "pong")
        began = time.monotonic()
        person.say(room, "xbot: ping")
        wait_until(
            lambda: person.count(f"{room}/xbot", "pong") > before,
            lambda: "pong\n" + "".join(daemon.text() for daemon in self._daemons),
            PATIENCE,
        )
        took = time.monotonic() - began
        time.sleep(PACE)
        return took
