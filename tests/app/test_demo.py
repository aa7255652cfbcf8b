"""Tests of the whole demo: server, bot and console in one process."""

from twisted.internet import defer, reactor
from twisted.trial import unittest

from tests.daemon import XBOT, finish
from xbot.app.demo import Console, Demo


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


class DemoTests(unittest.TestCase):
    @defer.inlineCallbacks
    def test_a_lost_connection_is_told(self):
        """A line that cannot be said is told, and the demo's end knows it."""
        demo = Demo(reactor, lambda text: None)
        yield defer.Deferred.fromCoroutine(demo.start())
        yield demo.you.stop()
        console = Console(demo.say)
        told = self.patch_stderr()
        console.lineReceived(b"hello")
        console.connectionLost()
        self.assertFalse((yield console.closed))
        self.assertIn("no answer: cannot send to", "".join(told))
        yield defer.Deferred.fromCoroutine(demo.stop())

    def patch_stderr(self) -> list[str]:
        """What goes to standard error from now on."""
        told: list[str] = []

        class Errors:
            write = staticmethod(told.append)

        self.patch(__import__("sys"), "stderr", Errors())
        return told
