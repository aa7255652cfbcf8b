"""Tests of the whole demo: server, bot and console in one process."""

import os
from pathlib import Path

from twisted.internet import defer, reactor
from twisted.trial import unittest

from tests.daemon import XBOT, finish
from tests.screen import PATIENCE, ScreenCase
from xbot.app.console import Console
from xbot.app.demo import Demo


class PipeTests(unittest.TestCase):
    def test_lines_are_said_answered_and_the_demo_ends(self):
        """Piped lines are said in order, each followed by its answer, and the exit status is 0."""
        ended = finish([*XBOT, "demo"], "xbot: ping\nnothing for you\n!PING\nhello xbot\n")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(
            ended.stdout.splitlines(),
            [
                "you> xbot: ping",
                "xbot> pong",
                "you> nothing for you",
                "you> !PING",
                "xbot> PONG",
                "you> hello xbot",
                "xbot> Hello you!",
            ],
        )
        self.assertEqual(ended.stderr, "")

    def test_no_input(self):
        """An empty input ends the demo at once, with 0."""
        ended = finish([*XBOT, "demo"])
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "", ""))

    def test_a_last_line_without_its_end(self):
        """What stands after the last line feed is said too."""
        ended = finish([*XBOT, "demo"], "xbot: ping")
        self.assertEqual(ended.stdout, "you> xbot: ping\nxbot> pong\n")

    def test_nothing_is_left_behind(self):
        """The demo leaves no file and no folder where it was started, not even its journal."""
        here = os.getcwd()
        folder = self.mktemp()
        os.mkdir(folder)
        os.chdir(folder)
        self.addCleanup(os.chdir, here)
        ended = finish([*XBOT, "demo"], "!deploy web\n!remember a = b\n")
        self.assertIn("has to be approved", ended.stdout)
        self.assertEqual(os.listdir("."), [])


class TerminalTests(ScreenCase):
    def test_line_editing(self):
        """Tab completes, the line above comes back, and no line stands there twice."""
        state = Path(self.mktemp()).absolute()
        self.start([*XBOT, "demo"], XDG_STATE_HOME=str(state))
        self.until(b"you> ")
        self.type("!pi\t\n")
        self.until(b"xbot> pong")
        self.until(b"you> ")
        self.type("\x1b[A\n")
        seen = self.until(b"xbot> pong") + self.until(b"you> ")
        self.assertNotIn(b"you>", seen)
        self.assertEqual(seen.count(b"!ping"), 1)
        self.type("/as bob\n")
        self.until(b"bob> ")
        self.type("hello xbot\n")
        self.until(b"xbot> Hello bob!")
        self.until(b"bob> ")
        self.type("\x04")
        self.assertEqual(self.process.wait(PATIENCE), 0)
        history = state / "xbot" / "demo-history"
        self.assertEqual(history.read_text(), "!ping\n/as bob\nhello xbot\n")


class DemoTests(unittest.TestCase):
    def setUp(self):
        self.lines = []
        self.demo = Demo(reactor, self.lines.append, Path(self.mktemp()))
        self.addCleanup(lambda: defer.Deferred.fromCoroutine(self.demo.stop()))
        return defer.Deferred.fromCoroutine(self.demo.start())

    def say(self, text):
        return defer.Deferred.fromCoroutine(self.demo.say(text))

    @defer.inlineCallbacks
    def test_one_person_tries_an_approval(self):
        """/as bob is another person, who can approve what the first one asked for."""
        yield self.say("!deploy web")
        code = "".join(self.lines).partition("say approve ")[2].partition(" ")[0]
        yield self.say(f"!approve {code}")
        self.assertIn("xbot> Somebody else has to approve it.\n", self.lines)
        yield self.say("/as bob")
        yield self.say(f"!approve {code}")
        self.assertIn("xbot> web is deployed (this demo only says so).\n", self.lines)
        yield self.say("/as xbot")
        self.assertEqual(self.demo.speaker, "bob")
        yield self.say("/as you")
        self.assertEqual(self.demo.speaker, "you")

    @defer.inlineCallbacks
    def test_a_lost_connection_is_told(self):
        """A line that cannot be said is told, and the demo's end knows it."""
        yield self.demo.you.adapter.stop()
        console = Console(self.demo.say)
        told = self.patch_stderr()
        console.lineReceived(b"hello")
        console.connectionLost()
        self.assertFalse((yield console.closed))
        self.assertIn("no answer: cannot send to", "".join(told))

    def patch_stderr(self) -> list[str]:
        """What goes to standard error from now on."""
        told: list[str] = []

        class Errors:
            write = staticmethod(told.append)

        self.patch(__import__("sys"), "stderr", Errors())
        return told
