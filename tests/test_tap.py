"""twistd's side of the bot."""

import gc
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.application.service import Application
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel
from twisted.python import usage
from twisted.trial import unittest

from tests.daemon import TWISTD, environment, finish
from xbot import tap
from xbot.app.daemon import Daemon
from xbot.app.service import BotService
from xbot.config.settings import BotSettings
from xbot.logs.observer import LogWriter


class OptionsTests(unittest.TestCase):
    def write(self, text: str) -> str:
        """An ini of this content."""
        path = Path(self.mktemp())
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def test_config_is_read(self):
        """The ini named by --config is the one that counts."""
        options = tap.Options()
        options.parseOptions(["--config", self.write("[xbot]\nname=bob\n[xmpp]\nserver=embedded")])
        self.assertEqual(options.loaded.bot.name, "bob")

    def test_mistakes_exit_78(self):
        """An ini with mistakes ends twistd with 78, before anything starts."""
        refused = self.assertRaises(
            SystemExit, tap.Options().parseOptions, ["-c", self.write("[xmpp]\nserver=no")]
        )
        self.assertEqual(refused.code, 78)

    def test_no_pid_file_in_the_foreground(self):
        """twistd -n writes no pid file unless it is asked to, so a stale one is no matter."""
        for given, kept in (("twistd.pid", ""), ("mine.pid", "mine.pid")):
            options = tap.Options()
            options.parent = {"nodaemon": True, "pidfile": given}
            options.parseOptions(["--config", self.write("[xmpp]\nserver=embedded")])
            self.assertEqual(options.parent["pidfile"], kept)

    def test_completion(self):
        """zsh's _twistd is told of our options, and which files the ini can be."""
        told = io.BytesIO()
        options = tap.Options()
        options._shellCompFile = told
        with self.assertRaises(SystemExit):
            options.parseOptions(["--_shell-completion", "zsh:2"])
        self.assertIn(b'[The ini to read.]:config (*.ini):_files -g "*.ini"', told.getvalue())

    def test_unknown_options_are_told(self):
        """A misspelt option is twistd's usage error."""
        self.assertRaises(usage.UsageError, tap.Options().parseOptions, ["--confg", "x"])


class DaemonTests(unittest.TestCase):
    def test_twistd_knows_xbot(self):
        """twistd --help lists xbot, from the checkout."""
        told = finish([*TWISTD, "--help"])
        self.assertIn("xbot  ", told.stdout)
        self.assertIn("chat-bot daemon", told.stdout)

    def test_every_mistake_at_once(self):
        """All mistakes are told with file and line; the exit status is 78, without a traceback."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver = embedded\nprot = 1\n[romo a@b]\n[room a]\n")
        path.chmod(0o600)
        ended = finish([*TWISTD, "-n", "xbot", "--config", str(path)])
        self.assertEqual(ended.returncode, 78, ended.stderr)
        self.assertIn(f"{path}:3: [xmpp] prot:", ended.stderr)
        self.assertIn(f"{path}:4: [romo a@b]:", ended.stderr)
        self.assertIn(f"{path}:5: [room a]:", ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)

    def test_responders_that_cannot_be_loaded(self):
        """A Python responder that cannot be imported is a mistake in the ini like any other."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver=embedded\n[responder a]\nmatch=a\nuse=no.such.thing:x\n")
        path.chmod(0o600)
        ended = finish([*TWISTD, "-n", "xbot", "--config", str(path)])
        self.assertEqual(ended.returncode, 78, ended.stderr)
        self.assertIn(f"{path}:5: [responder a] use:", ended.stderr)

    def test_fatal_later_errors_set_the_exit_status(self):
        """When only a person can help, the exit status is 78, though the reactor stops cleanly."""
        path = Path(self.mktemp())
        path.write_text(
            "[xmpp]\nserver = embedded\nport = 1\n"
            "[responder a]\nmatch = a\nuse = tests.test_tap:GiveUp\n"
        )
        path.chmod(0o600)
        ended = finish([*TWISTD, "-n", "xbot", "--config", str(path)])
        self.assertEqual(ended.returncode, 78, ended.stdout + ended.stderr)
        self.assertIn("comes back only after a change: given up by a test", ended.stdout)

    def test_state_of_others(self):
        """With a state folder that everyone can write to the daemon does not start: 78."""
        folder = Path(self.mktemp()).absolute()
        state = folder / "state"
        state.mkdir(parents=True)
        state.chmod(0o777)
        path = folder / "xbot.ini"
        path.write_text(f"[xbot]\nstate = {state}\n[xmpp]\nserver = embedded\nport = 1\n")
        path.chmod(0o600)
        ended = finish([*TWISTD, "-n", "xbot", "--config", str(path)])
        self.assertEqual(ended.returncode, 78, ended.stdout + ended.stderr)
        told = f"{path}:2: [xbot] state: anyone can write to it: chmod o-w {state}"
        self.assertIn(told, ended.stderr)


class HangUpTests(unittest.TestCase):
    def test_reload_by_signal(self):
        """SIGHUP makes the running daemon read its ini again; TERM still ends it."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "xbot.ini"
        ini = f"[xbot]\nstate = {folder}/state\n[xmpp]\nserver = embedded\nport = 1\n"
        path.write_text(ini + "[room a@conference.localhost]\n")
        path.chmod(0o600)
        output = (folder / "output").open("w+")
        self.addCleanup(output.close)
        daemon = subprocess.Popen(
            [*TWISTD, "-n", "--pidfile=", "xbot", "--config", str(path)],
            stdout=output,
            stderr=output,
            env=environment(),
        )
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        def await_text(text: str) -> None:
            deadline = time.monotonic() + 30
            while text not in (told := (folder / "output").read_text()):
                self.assertLess(time.monotonic(), deadline, told)
                self.assertIsNone(daemon.poll(), told)
                time.sleep(0.02)

        await_text("a@conference.localhost: joined")
        path.write_text(ini + "[romo x]\n")
        daemon.send_signal(signal.SIGHUP)
        await_text(f"reload refused: {path}:6: [romo x]")
        path.write_text(ini + "[room b@conference.localhost]\n")
        for _ in range(5):
            daemon.send_signal(signal.SIGHUP)
        await_text("reload: join +1, leave -1, nick 0, responders +0 -0 ~0, account unchanged")
        await_text("b@conference.localhost: joined")
        path.write_text(
            ini.replace(
                "[xmpp]", "log-format = json\nlog-level = info xbot.engine.dispatch=debug\n[xmpp]"
            )
            + "[room c@conference.localhost]\n"
        )
        daemon.send_signal(signal.SIGHUP)
        await_text('"text": "c@conference.localhost: joined')
        daemon.terminate()
        # twistd ends by the signal itself, once all has stopped.
        self.assertEqual(daemon.wait(30), -signal.SIGTERM)
        told = (folder / "output").read_text()
        self.assertEqual(told.count("logged in as"), 1, told)
        self.assertEqual(told.count("reload: join +1"), 2, told)
        self.assertNotIn("Traceback", told)


class NotifyTests(unittest.TestCase):
    def test_systemd_is_told(self):
        """Under systemd the daemon says when it is ready, reloads and stops, and that it lives."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(line.close)
        line.settimeout(30)
        line.bind(f"{folder}/notify")
        path = folder / "xbot.ini"
        path.write_text(
            f"[xbot]\nstate = {folder}/state\n[xmpp]\nserver = embedded\nport = 1\n"
            "[room a@conference.localhost]\n[responder deed]\nmatch = deed\nrun = true\n"
        )
        path.chmod(0o600)
        more = {"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "3000000"}
        daemon = subprocess.Popen(
            [*TWISTD, "-n", "--pidfile=", "xbot", "--config", str(path)],
            stdout=subprocess.DEVNULL,
            env=environment(**more),
        )
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        def await_fact(wanted: str) -> list[str]:
            facts: list[str] = []
            while wanted not in facts:
                facts += line.recv(4096).decode().split("\n")
            return facts

        await_fact("READY=1")
        self.assertIn("WATCHDOG=1", await_fact("STATUS=in 1 of 1 rooms"))
        daemon.send_signal(signal.SIGHUP)
        await_fact("RELOADING=1")
        await_fact("READY=1")
        daemon.terminate()
        await_fact("STOPPING=1")


class GiveUp:
    """A responder that makes the service give up, once the reactor runs."""

    def __init__(self) -> None:
        from twisted.internet import reactor

        reactor.callWhenRunning(self.give_up)

    def give_up(self) -> None:
        import gc

        gc.unfreeze()
        for service in gc.get_objects():
            if isinstance(service, BotService):
                service._gave_up("given up by a test")

    def __call__(self, message):
        return None


class ClockTests(unittest.TestCase):
    def test_making_the_service_starts_nothing(self):
        """The service only begins when it is started: no timer, no connection before."""
        options = tap.Options()
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver=embedded")
        options.parseOptions(["--config", str(path)])
        clock = Clock()
        BotService(options.loaded, clock, self.fail)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_what_stays_is_not_looked_through(self):
        """Once begun, the garbage collector leaves alone what was there from the start."""
        options = tap.Options()
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver=embedded")
        options.parseOptions(["--config", str(path)])
        frozen = []
        self.patch(gc, "freeze", lambda: frozen.append(True))
        daemon = Daemon(options.loaded.bot, {}, Clock())
        self.assertEqual(frozen, [])
        daemon.startService()
        self.addCleanup(daemon.stopService)
        self.assertEqual(frozen, [True])


class LogTests(unittest.TestCase):
    def run_closed(self) -> subprocess.CompletedProcess[str]:
        """A daemon that gives up at once, whose standard output is closed."""
        command = [*TWISTD, "-n", "xbot", "--config", self.write("")]
        return finish(["sh", "-c", 'exec "$@" >&-', "sh", *command])

    def run_daemon(self, level: str) -> str:
        """The log of a daemon that gives up at once."""
        return finish([*TWISTD, "-n", "xbot", "--config", self.write(level)]).stdout

    def write(self, level: str) -> str:
        """The ini of a bot that gives up at once."""
        path = Path(self.mktemp())
        path.write_text(
            f"[xbot]\nstate = {path}-state\n{level}\n[xmpp]\nserver = embedded\nport = 1\n"
            "[responder a]\nmatch = a\nuse = tests.test_tap:GiveUp\n"
        )
        path.chmod(0o600)
        return str(path)

    def test_whose(self) -> None:
        """With --syslog or --logger the log is twistd's."""
        for asked, is_ours in (
            ({}, True),
            ({"nodaemon": 1}, True),
            ({"nodaemon": 1, "logfile": "-"}, True),
            ({"nodaemon": 1, "syslog": 1}, False),
            ({"nodaemon": 0, "logger": "a.b"}, False),
        ):
            log = self.daemon(asked)[1]
            self.assertEqual(isinstance(log, LogWriter), is_ours, asked)

    def test_file(self) -> None:
        """--logfile, and twistd.log in the background, are opened again at a reload (logrotate)."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.patch(os, "getcwd", lambda: str(folder))
        for asked, path in (
            ({"nodaemon": 1, "logfile": str(folder / "x.log")}, folder / "x.log"),
            ({"nodaemon": 0}, folder / "twistd.log"),
        ):
            daemon, log = self.daemon(asked)
            path.rename(f"{path}.1")
            log({"log_level": LogLevel.warn, "log_namespace": "xbot", "log_format": "one"})
            daemon.got_reload()
            log({"log_level": LogLevel.warn, "log_namespace": "xbot", "log_format": "two"})
            daemon.got_end()
            self.assertIn("one", Path(f"{path}.1").read_text())
            self.assertRegex(path.read_text(), r"^[^\n]* warn +[^\n]*two\n$")

    def daemon(self, twistd: dict[str, object]) -> tuple[Daemon, Any]:
        """A daemon with these options of twistd, and its log observer."""
        application = Application("twistd")
        daemon = Daemon(BotSettings(state=Path(self.mktemp())), twistd, Clock())
        daemon.setServiceParent(application)
        return daemon, application.getComponent(ILogObserver)

    def test_closed(self) -> None:
        """Without a standard output the daemon runs as it does with one."""
        ended = self.run_closed()
        self.assertEqual((ended.returncode, ended.stderr), (78, ""))

    def test_level(self) -> None:
        """The daemon logs in our form, from the level that the ini names."""
        usual = self.run_daemon("")
        self.assertRegex(usual, r"(?m)^\S+ critical xbot: xbot stops")
        self.assertRegex(usual, r"(?m)^\S+ info ")
        grave = self.run_daemon("log-level = critical")
        self.assertRegex(grave, r"^\S+ critical xbot: xbot stops[^\n]*\n$")
