"""``xbot shell`` end to end: in its own process, on a pipe and on a terminal."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import termios
from pathlib import Path

from twisted.internet import defer, reactor
from twisted.trial import unittest

from tests.daemon import XBOT, finish
from tests.screen import PATIENCE, ScreenCase
from xbot import config
from xbot.app.shell import Shell
from xbot.chat.terminal.adapter import You
from xbot.state.journal.file import FILE_NAME
from xbot.state.sqlite.file import take_lock

ROOM = "ops@conference.example.org"
INI = f"""
[xmpp]
jid = xbot@example.org
password-file = none

[room {ROOM}]

[responder deploy]
match = deploy (?P<app>\\w+)
reply = {{app}} is out, {{nick}}
allow = alice@example.org

[responder slow]
match = slow
run = echo done

[responder tell]
use = tests.testing.shop:tell

[responder careful]
match = careful
run = echo done
confirm = yes

[responder count]
use = tests.testing.shop:count
"""


class ShellCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.ini = self.folder / "xbot.ini"
        self.ini.write_text(INI)

    def shell(self, said: str, *options: str) -> subprocess.CompletedProcess[str]:
        return finish([*XBOT, "shell", "--config", str(self.ini), *options], said)


class PipeTests(ShellCase):
    def test_lines_are_said_and_answered(self) -> None:
        """Piped lines are said in order, each answered before the next, and the status is 0."""
        ended = self.shell("ping\nslow\n\ndeploy web\ncount\ncount")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(
            ended.stdout.splitlines(),
            [
                "xbot> pong",
                "xbot> done",
                "xbot> deploy is not for you, you.",
                "xbot> 1",
                "xbot> 2",
            ],
        )

    def test_who_and_where(self) -> None:
        """--as, --room and --nick say who you are, and where; there the bot is addressed."""
        ended = self.shell(
            "deploy web\nxbot: deploy web\n",
            *("--as", "alice@example.org", "--room", ROOM, "--nick", "Al"),
        )
        self.assertEqual((ended.stdout, ended.stderr), ("xbot> web is out, Al\n", ""))

    def test_questions(self) -> None:
        """What is asked back is answered by the next line."""
        ended = self.shell("careful\nyes\ncareful\nno\nping\ncareful\n")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        sure = 'xbot> "careful": sure? Say yes within 60 s.'
        self.assertEqual(
            ended.stdout.splitlines(),
            [sure, "xbot> done", sure, 'xbot> "careful" is not done.', "xbot> pong", sure],
        )

    def test_another_person(self) -> None:
        """/as lets another person speak, with their own rights and answers, and back again."""
        ended = self.shell(
            "deploy web\n/as alice@example.org\ndeploy web\n/as bob\ndeploy web\n/as you\n"
            "whoami\n/as\n/as a@b@c\n"
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(
            ended.stdout.splitlines(),
            [
                "xbot> deploy is not for you, you.",
                "xbot> web is out, alice",
                "xbot> deploy is not for you, bob.",
                "xbot> You write from you@localhost.",
                "      Your real address is you@localhost.",
                "say /as NAME to speak as another person, such as /as bob",
                "'a@b@c' is no JID: it has more than one @",
            ],
        )

    def test_elsewhere(self) -> None:
        """What the bot says elsewhere is shown with where it says it."""
        self.assertEqual(self.shell("tell\n").stdout, f"xbot to {ROOM}> news\n")

    def test_state(self) -> None:
        """What is remembered is gone in the end, unless a folder is named."""
        state = self.folder / "state"
        said = [self.shell("count\n", *more).stdout for more in ((), (), ("--state", str(state)))]
        said.append(self.shell("count\n", "--state", str(state)).stdout)
        self.assertEqual(said, ["xbot> 1\n"] * 3 + ["xbot> 2\n"])
        self.assertEqual(list(self.folder.glob("*.sqlite")), [])

    def test_the_state_of_others(self) -> None:
        """A folder that everyone can write to is refused, with 78."""
        state = self.folder / "state"
        state.mkdir()
        state.chmod(0o777)
        ended = self.shell("count\n", "--state", str(state))
        self.assertEqual((ended.returncode, ended.stdout), (78, ""))
        self.assertIn(f"anyone can write to it: chmod o-w {state}", ended.stderr)

    def test_the_state_of_a_bot_that_runs(self) -> None:
        """The folder of a bot that runs is not touched: that is told, with 1."""
        state = self.folder / "state"
        state.mkdir()
        lock = take_lock(state / FILE_NAME)
        self.addCleanup(os.close, lock)
        ended = self.shell("count\n", "--state", str(state))
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertIn("another bot is using this state folder", ended.stderr)

    def test_mistakes(self) -> None:
        """A faulty ini is told with 78, and a faulty address with argparse's 2."""
        self.ini.write_text("[xmpp]\njid = x@y\n[responder a]\nmatch = a\nuse = nothing:here\n")
        ended = self.shell("ping\n")
        self.assertEqual((ended.returncode, ended.stdout), (78, ""))
        self.assertIn("[responder a] use", ended.stderr)
        self.assertEqual(self.shell("", "--as", "nobody").returncode, 2)

    def test_a_nick_without_a_room(self) -> None:
        """What fits no speaker is told before anything is said."""
        self.ini.write_text("[xmpp]\njid = x@y\n")
        ended = self.shell("ping\n", "--nick", "al")
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertEqual(len(ended.stderr.splitlines()), 1)
        self.assertIn("belong to a room", ended.stderr)


class ApprovalTests(unittest.TestCase):
    @defer.inlineCallbacks
    def test_one_person_tries_an_approval(self):
        """What needs the approval of another person runs once that person approves it by /as."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        ini = folder / "xbot.ini"
        ini.write_text(
            "[xmpp]\njid = xbot@example.org\nserver = embedded\n"
            "[responder ship]\nmatch = ship\nrun = echo shipped\napprove = 1\n"
        )
        shell = Shell(reactor, config.load(ini, connects=False), You(), folder)
        lines: list[str] = []
        shell.write = lines.append
        yield defer.Deferred.fromCoroutine(shell.start())
        self.addCleanup(lambda: defer.Deferred.fromCoroutine(shell.stop()))

        def say(text):
            return defer.Deferred.fromCoroutine(shell.say(text))

        yield say("ship")
        code = "".join(lines).partition("say approve ")[2].partition(" ")[0]
        yield say(f"approve {code}")
        self.assertIn("Somebody else", lines[-1])
        yield say("/as bob")
        self.assertEqual(shell.speaker, "bob")
        yield say(f"approve {code}")
        self.assertIn("xbot to you@localhost> shipped\n", lines)


class TerminalTests(ShellCase, ScreenCase):
    def setUp(self) -> None:
        super().setUp()
        self.start([*XBOT, "shell", "--config", str(self.ini)], XDG_STATE_HOME=str(self.folder))

    def test_interrupted(self) -> None:
        """A signal ends it, and the terminal is as it was before."""
        before = termios.tcgetattr(self.terminal)
        self.until(b"you> ")
        self.type("hel")
        self.until(b"hel")
        self.assertNotEqual(termios.tcgetattr(self.terminal), before)
        # Not SIGINT, which is ignored where the tests run in the background.
        self.process.terminate()
        self.until(b"\n")
        self.assertIn(self.process.wait(PATIENCE), (0, -signal.SIGTERM))
        self.assertEqual(termios.tcgetattr(self.terminal), before)

    def test_history_and_completion(self) -> None:
        """Tab completes a command, the line above comes back, and the history is private."""
        self.until(b"you> ")
        self.type("pi\t\n")
        self.until(b"ping")
        self.until(b"xbot> pong")
        self.until(b"you> ")
        self.type("\x1b[A\n")
        self.until(b"xbot> pong")
        self.until(b"you> ")
        self.type("\x04")
        self.until(b"\n")
        self.assertEqual(self.process.wait(PATIENCE), 0)
        history = self.folder / "xbot" / "shell-history"
        self.assertEqual(history.read_text(), "ping\n")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
