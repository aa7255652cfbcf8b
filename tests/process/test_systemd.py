"""Tests of :mod:`xbot.process.systemd`."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.daemon import ROOT
from xbot.model.status import PATIENCE, Link, Overview, Phase
from xbot.process.systemd import PERIOD, Notifier, Systemd


class Manager:
    """Fake service manager that records its notifications."""

    def __init__(self, address):
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.setblocking(False)
        self._line.bind(address)
        self.close = self._line.close

    def told(self):
        """All that came in since the last time."""
        facts = []
        while True:
            try:
                facts += self._line.recv(4096).decode().split("\n")
            except BlockingIOError:
                return facts


class ManagerCase(unittest.TestCase):
    def setUp(self):
        # Not below trial's folder: a socket's path has 107 bytes.
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.address = f"{self.folder}/notify"

    def manager(self, address=None):
        manager = Manager(address or self.address)
        self.addCleanup(manager.close)
        return manager


class NotifierTests(ManagerCase):
    def test_taken_from_the_environment(self):
        """What systemd says there is taken out, so that no child can speak for us."""
        environ = {"A": "b", "NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "7"}
        self.assertEqual(Notifier.take(environ, 7).watchdog, 2.5)
        self.assertEqual(environ, {"A": "b"})

    def test_nothing_to_take(self):
        """Without systemd, or with an address that is no socket, nobody is told."""
        for address in ("", "vsock:2:1", "relative"):
            self.assertIsNone(Notifier.take({"NOTIFY_SOCKET": address}, 7))
        self.assertIsNone(Notifier.take({}, 7))

    def test_no_watchdog(self):
        """A watchdog of another process, or of no sensible time, is none."""
        for more in (
            {},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "-5"},
            {"WATCHDOG_USEC": "soon"},
            {"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "8"},
        ):
            self.assertIsNone(Notifier.take({"NOTIFY_SOCKET": "/x", **more}, 7).watchdog)

    def test_path(self):
        """All facts of one call go into one datagram."""
        manager = self.manager()
        Notifier(self.address).tell("READY=1", "STATUS=fine ✓")
        self.assertEqual(manager.told(), ["READY=1", "STATUS=fine ✓"])

    def test_abstract(self):
        """An address that begins with @ is in the abstract namespace."""
        name = f"xbot-{secrets.token_hex(8)}"
        manager = self.manager(f"\0{name}")
        Notifier(f"@{name}").tell("READY=1")
        self.assertEqual(manager.told(), ["READY=1"])

    def test_nobody_listens(self):
        """A manager that is gone, or does not read, is no problem of ours."""
        Notifier(self.address).tell("READY=1")
        self.manager()
        for _ in range(2000):
            Notifier(self.address).tell("X" * 1000)


class SystemdTests(ManagerCase):
    def setUp(self):
        super().setUp()
        self.manager = self.manager()
        self.clock = Clock()
        self.overview = Overview(Phase.RUNNING, Link("waiting", 0.0, "refused", 40.0))

    def start(self, watchdog=None):
        service = Systemd(Notifier(self.address, watchdog), self.clock, lambda: self.overview)
        service.startService()
        self.addCleanup(lambda: service.running and service.stopService())
        return service

    def test_life(self):
        """Ready, reloading and stopping are told at once, each with the status if it changed."""
        service = self.start()
        self.assertEqual(self.manager.told(), ["STATUS=next try in 40 s: refused"])
        service.got_phase(Phase.RUNNING)
        self.assertEqual(self.manager.told(), ["READY=1"])
        self.overview = evolve(self.overview, phase=Phase.RELOADING)
        service.got_phase(Phase.RELOADING)
        reloading, when, status = self.manager.told()
        self.assertEqual(reloading, "RELOADING=1")
        self.assertRegex(when, r"^MONOTONIC_USEC=\d+$")
        self.assertTrue(status.startswith("STATUS=reading the ini again"), status)
        self.overview = evolve(self.overview, phase=Phase.STOPPING)
        service.got_phase(Phase.STOPPING)
        self.assertEqual(self.manager.told()[0], "STOPPING=1")

    def test_status(self):
        """A status is told once, on one line whatever it says."""
        self.start()
        self.manager.told()
        self.clock.pump([PERIOD] * 3)
        self.assertEqual(self.manager.told(), [])
        self.overview = evolve(self.overview, link=Link("connecting", 0.0, "a\nREADY=1\x1b"))
        self.clock.pump([PERIOD] * 3)
        self.assertEqual(self.manager.told(), [r"STATUS=connecting: a\nREADY=1\x1b"])

    def fed(self):
        return self.manager.told().count("WATCHDOG=1")

    def test_watchdog(self):
        """It is fed three times in its period, while the reactor turns."""
        self.start(watchdog=30.0)
        self.assertEqual(self.fed(), 1)
        self.clock.pump([PERIOD] * 60)
        self.assertEqual(self.fed(), 6)
        # A reactor that does not turn for long feeds once, late.
        self.clock.advance(1000)
        self.assertEqual(self.fed(), 1)

    def test_a_stuck_connection_is_not_fed(self):
        """Past its patience a connection that should have moved starves the watchdog."""
        self.start(watchdog=30.0)
        self.fed()
        for overdue, fed in ((PATIENCE, 1), (PATIENCE + 1, 0), (1e6, 0), (0.0, 1)):
            self.overview = evolve(self.overview, link=Link("connecting", 0.0, overdue=overdue))
            self.clock.pump([PERIOD] * 10)
            self.assertEqual(self.fed(), fed, overdue)

    def test_a_mistake_of_ours(self):
        """When how the bot is cannot be told, that is logged once, and the bot is not ended."""
        service = self.start(watchdog=30.0)
        self.fed()
        self.patch(service, "_look", lambda: 1 // 0)
        self.clock.pump([PERIOD] * 60)
        self.assertEqual(self.fed(), 6)
        service.got_phase(Phase.STOPPING)
        self.assertEqual(self.manager.told(), ["STOPPING=1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop(self):
        """After the stop nothing is told, and no timer is left."""
        service = self.start(watchdog=30.0)
        service.stopService()
        self.manager.told()
        self.clock.advance(100)
        self.assertEqual((self.manager.told(), self.clock.getDelayedCalls()), ([], []))


class UnitTests(unittest.TestCase):
    def test_unit(self):
        """The units say what the daemon counts on, and keep to what Python needs."""
        for name in ("xbot.service", "xbot@.service"):
            unit = (ROOT / "etc" / name).read_text()
            for line in (
                "Type=notify",
                "RestartPreventExitStatus=78",
                "DynamicUser=yes",
            ):
                self.assertIn(f"\n{line}\n", unit, name)
            self.assertRegex(
                unit, r"\nExecReload=/opt/xbot/bin/xbot reload --config /etc/xbot/\S+\n"
            )
            self.assertRegex(unit, r"\nWatchdogSec=\d+s\n")
            self.assertRegex(unit, r"\nLoadCredential=xmpp.password:/etc/xbot/\S+\n")
            self.assertNotIn("\nMemoryDenyWriteExecute=yes", unit)

    def test_template(self):
        """The template is the unit but for the names of what belongs to one bot."""
        unit, template = (
            (ROOT / "etc" / name).read_text() for name in ("xbot.service", "xbot@.service")
        )

        def settings(text):
            return [line for line in text.splitlines() if re.match(r"[A-Z]", line)]

        differing = {line.split("=")[0] for line in {*settings(unit)} ^ {*settings(template)}}
        self.assertEqual(
            differing,
            {"Description", "ExecReload", "ExecStart", "LoadCredential", "StateDirectory"},
        )

    def test_security(self):
        """systemd rates both units' exposure 1.5 or better."""
        program = shutil.which("systemd-analyze")
        if program is None:
            if os.environ.get("XBOT_REQUIRE_SERVERS") == "1":
                self.fail("there is no systemd-analyze")
            raise unittest.SkipTest("there is no systemd-analyze")
        for name in ("xbot.service", "xbot@bot.service"):
            unit = Path(self.mktemp()).absolute() / name
            unit.parent.mkdir()
            shutil.copy(ROOT / "etc" / name.replace("@bot", "@"), unit)
            ended = subprocess.run(
                [program, "security", "--offline=true", "--threshold=15", str(unit)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "SYSTEMD_PAGER": "", "LANG": "C.UTF-8"},
            )
            self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
            self.assertIn("Overall exposure level", ended.stdout)
