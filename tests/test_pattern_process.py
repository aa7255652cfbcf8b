"""What :mod:`xbot.pattern_process` promises, with a real process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from xbot.matching.matcher import Found, Matcher
from xbot.matching.pattern import Pattern
from xbot.matching.worker import Asked, Child, Worker
from xbot.pattern_process import spawn_on

EVIL = r"^(?!x)(\w+\s?)*$"
TEXT = "a" * 4095 + "!"


class PatternProcessTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.children: list[Any] = []
        self.ends: list[Deferred[None]] = []
        self.worker = Worker(reactor, self.spawn)

    def spawn(self, got_output: Callable[[bytes], None], got_end: Callable[[], None]) -> Child:
        end: Deferred[None] = Deferred()

        def ended() -> None:
            got_end()
            end.callback(None)

        self.ends.append(end)
        self.children.append(spawn_on(reactor)(got_output, ended))
        return self.children[-1]

    async def finish(self) -> None:
        self.worker.stop()
        await gatherResults(self.ends)

    async def test_explosion(self) -> None:
        """A pattern that explodes is cut short, and the next text is searched as ever."""
        matcher = Matcher(
            [("good", Pattern.hear(r"(?P<a>!)(?!x)")), ("evil", Pattern.hear(EVIL))], self.worker
        )
        found = await matcher.heard(TEXT)
        self.assertEqual(found, [Found("good", {"a": "!"})])
        self.assertEqual(self.worker.counts, {"timed-out": 1})
        found = await matcher.heard("fine \ud800 \N{ROBOT FACE}\x00\n!")
        self.assertEqual(found, [Found("good", {"a": "!"})])
        found = await matcher.heard("fine")
        self.assertEqual(found, [Found("evil", {})])
        await self.finish()

    async def test_knows_nothing(self) -> None:
        """The process inherits no environment and no open files of ours."""
        self.patch(os, "environ", os.environ | {"CREDENTIALS_DIRECTORY": "/secret"})
        await self.worker.find("x", [Asked(Pattern.hear("x"), "x")])
        process = Path("/proc") / str(self.children[0].transport.pid)
        if process.is_dir():
            self.assertEqual((process / "environ").read_bytes(), b"")
            opened = {int(entry.name) for entry in (process / "fd").iterdir()}
            self.assertEqual(opened, {0, 1, 2})
            ignored = int((process / "status").read_text().split("SigIgn:")[1].split()[0], 16)
            # SIGHUP is 1, SIGINT is 2.
            self.assertEqual(ignored & 0b11, 0b11)
        await self.finish()

    async def test_ends_with_its_parent(self) -> None:
        """Once nobody can ask it any more, it ends by itself."""
        await self.worker.find("x", [Asked(Pattern.hear("x"), "x")])
        self.children[0].transport.closeStdin()
        await self.ends[0]
        await self.finish()
