"""Tests of :mod:`xbot.process.container_init`, as PID 1 of a PID namespace.

They need ``unshare`` (util-linux), as root or with user namespaces.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from functools import cache
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import TWISTD, environment
from xbot.process import container_init

#: What runs in the namespace, with functions for the tests.
START = """
import json, os, subprocess, sys, time
from xbot.process.container_init import leave_init

def zombies():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state == "Z":
            found.append(int(parent))
    return found

def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()

def leave_orphans(number):
    # A shell that ends before what it started.
    for _ in range(number):
        subprocess.run(["sh", "-c", "sleep 0.05 & exit 0"], check=True)
"""


@cache
def namespace() -> list[str]:
    """The command that runs another one as PID 1; raises SkipTest where that is not possible."""
    why = "there is no unshare"
    if shutil.which("unshare"):
        for more in [], ["--user", "--map-root-user"]:
            command = ["unshare", *more, "--pid", "--fork", "--kill-child", "--mount-proc"]
            tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
            if tried.returncode == 0:
                return command
            why = tried.stderr.strip()
    if os.environ.get("XBOT_REQUIRE_PID_NAMESPACES"):
        raise AssertionError(f"no PID namespace: {why}")
    raise SkipTest(f"no PID namespace: {why}")


class ContainerInitTests(SynchronousTestCase):
    def run_as_init(self, code: str, **more: str) -> subprocess.CompletedProcess[str]:
        source = START + textwrap.dedent(code)
        return subprocess.run(
            [*namespace(), sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(**more),
        )

    def test_without(self) -> None:
        """The kernel gives orphans to PID 1, and they stay zombies if it does not wait for them."""
        done = self.run_as_init(
            """
            leave_orphans(3)
            print(until(lambda: len(zombies()) == 3), set(zombies()))
            """
        )
        self.assertEqual(done.stdout, "True {1}\n", done.stderr)

    def test_orphans(self) -> None:
        """As PID 1, what programs leave behind is reaped, any number of them."""
        done = self.run_as_init(
            """
            leave_init({})
            leave_orphans(30)
            time.sleep(0.1)
            print(json.dumps([os.getpid() != 1, os.getppid(), until(lambda: not zombies())]))
            """
        )
        self.assertEqual(json.loads(done.stdout), [True, 1, True], done.stderr)

    def test_own_children(self) -> None:
        """Children of the bot keep their exit status until the bot asks for it."""
        done = self.run_as_init(
            """
            leave_init({})
            child = subprocess.Popen(["sh", "-c", "exit 7"])
            leave_orphans(5)
            until(lambda: zombies() == [os.getpid()])
            print(zombies() == [os.getpid()], child.wait())
            """
        )
        self.assertEqual(done.stdout, "True 7\n", done.stderr)

    def test_exit_status(self) -> None:
        """The container ends as the bot does: with its status, or 128 and the signal."""
        for code, status in ("sys.exit(78)", 78), ("os.kill(os.getpid(), 9)", 128 + 9):
            done = self.run_as_init(f"leave_init({{}})\n{code}\n")
            self.assertEqual(done.returncode, status, done.stderr)

    def test_signals(self) -> None:
        """What is sent to PID 1 reaches the bot."""
        done = self.run_as_init(
            """
            import signal
            heard = []
            for number in signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1:
                signal.signal(number, lambda number, frame: heard.append(number))
            leave_init({})
            for number in signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1:
                os.kill(1, number)
                until(lambda: number in heard)
            print(heard == [15, 1, 10])
            """
        )
        self.assertEqual(done.stdout, "True\n", done.stderr)

    def test_systemd(self) -> None:
        """Where systemd waits for a message of the main process, the bot stays that."""
        done = self.run_as_init("leave_init({'NOTIFY_SOCKET': '/run/x'})\nprint(os.getpid())\n")
        self.assertEqual(done.stdout, "1\n", done.stderr)

    def test_elsewhere(self) -> None:
        """A process that is not PID 1 does not fork."""
        self.patch(os, "fork", lambda: self.fail("forked"))
        container_init.leave_init({})


class DaemonTests(SynchronousTestCase):
    def test_daemon(self) -> None:
        """twistd as PID 1 is init, with the bot as its only child; SIGTERM stops both with 0."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(mode=0o700)
        ini = folder / "xbot.ini"
        ini.write_text(
            f"[xbot]\nstate = {folder}/state\n"
            "[xmpp]\njid = bot@example.org\npassword = pencil\nhost = 127.0.0.1\nport = 1\n"
        )
        ini.chmod(0o600)
        command = [*namespace(), *TWISTD, "-n", "--pidfile=", "xbot", "--config", str(ini)]
        daemon = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
        )
        self.addCleanup(daemon.kill)
        assert daemon.stdout is not None
        said = []
        for line in daemon.stdout:
            said.append(line)
            if "connect" in line:
                break
        init = children_of(daemon.pid)
        self.assertEqual(len(init), 1, "".join(said))
        self.assertEqual(len(children_of(init[0])), 1, "".join(said))
        os.kill(init[0], signal.SIGTERM)
        rest, _ = daemon.communicate(timeout=30)
        self.assertEqual(daemon.returncode, 0, "".join(said) + rest)


def children_of(pid: int) -> list[int]:
    """The child processes of ``pid``, once there are some."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        if text:
            return [int(each) for each in text.split()]
    return []
