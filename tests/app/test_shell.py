"""``xbot shell`` end to end: in its own process, on a pipe and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import subprocess
import termios
import time
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import XBOT, environment, finish
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

#: Seconds that the terminal may take for anything.
PATIENCE = 60.0


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


class TerminalTests(ShellCase):
    def setUp(self) -> None:
        super().setUp()
        self.screen = b""
        self.terminal, theirs = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        more = {"XDG_STATE_HOME": str(self.folder), "TERM": "xterm"}
        self.process = subprocess.Popen(
            [*XBOT, "shell", "--config", str(self.ini)],
            **{"stdin": theirs, "stdout": theirs, "stderr": theirs},
            env=environment(**more),
            start_new_session=True,
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        os.close(theirs)

    def until(self, words: bytes) -> None:
        """Read the screen up to these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.screen:
            self.assertLess(time.monotonic(), deadline, self.screen)
            if select.select([self.terminal], [], [], 1.0)[0]:
                self.screen += os.read(self.terminal, 4096)
        self.screen = self.screen.partition(words)[2]

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

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
