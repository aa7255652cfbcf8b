"""Tests of ``xbot say`` with a running daemon on the loopback server."""

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import TWISTD, XBOT, environment, finish
from tests.ports import free_port
from xbot.control.protocol import SOCKET_NAME


class SayCase(unittest.TestCase):
    def setUp(self):
        # Not below trial's folder: a socket's path has 107 bytes.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def say(self, *arguments, typed=""):
        ended = finish([*XBOT, "say", "--state", str(self.folder), *arguments], typed)
        self.assertNotIn("Traceback", ended.stderr)
        return ended.returncode, ended.stderr


class NobodyTests(SayCase):
    def test_nobody(self):
        """Without a daemon it is told where none answers; the exit status is 69."""
        status, told = self.say("ops@rooms.example", "hello")
        self.assertEqual(status, 69)
        self.assertIn(f"no bot answers at {self.folder}/{SOCKET_NAME}", told)
        ended = finish([*XBOT, "status", "--state", str(self.folder)])
        self.assertEqual((ended.returncode, ended.stdout), (69, ""))

    def test_mistakes(self):
        """What can be said nowhere is told without asking anybody; the exit status is 65."""
        for arguments, typed, why in (
            (("rooms.example", "x"), "", "is neither a room (ROOM@SERVICE) nor a person"),
            (("ops@rooms.example", " "), "", "nothing to say"),
            (("ops@rooms.example",), "", "nothing to say"),
            (("ops@rooms.example",), "x" * 100_000, "too long"),
        ):
            status, told = self.say(*arguments, typed=typed)
            self.assertEqual(status, 65)
            self.assertIn(why, told)

    def test_usage(self):
        """A timeout without a unit is a mistake in the usage."""
        status, told = self.say("ops@rooms.example", "x", "--timeout", "5")
        self.assertEqual(status, 2)
        self.assertIn("the unit is missing", told)

    def test_gone(self):
        """A daemon that goes away without an answer leaves it open; the exit status is 69."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / SOCKET_NAME))
            listener.listen()

            def close():
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.close()

            thread = threading.Thread(target=close)
            thread.start()
            status, told = self.say("ops@rooms.example", "x")
            thread.join()
        self.assertEqual(status, 69)
        self.assertIn("it is not known whether it was said", told)


class DaemonTests(SayCase):
    def start(self, xmpp, await_text):
        """A daemon that runs, once it has logged this."""
        path = self.folder / "xbot.ini"
        path.write_text(f"[xbot]\nstate = {self.folder}\n{xmpp}\n[room a@conference.localhost]\n")
        path.chmod(0o600)
        output = (self.folder / "output").open("w")
        self.addCleanup(output.close)
        daemon = subprocess.Popen(
            [*TWISTD, "-n", "--pidfile=", "xbot", "--config", str(path)],
            stdout=output,
            stderr=output,
            env=environment(),
        )
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        deadline = time.monotonic() + 30
        while await_text not in (told := (self.folder / "output").read_text()):
            self.assertLess(time.monotonic(), deadline, told)
            time.sleep(0.02)
        return daemon

    def test_said(self):
        """What is said, or typed, is in the room when it exits with 0; other rooms are refused."""
        daemon = self.start("[xmpp]\nserver = embedded\nport = 1", "a@conference.localhost: joined")
        self.assertEqual((self.folder / SOCKET_NAME).stat().st_mode & 0o777, 0o600)
        ended = finish([*XBOT, "status", "--state", str(self.folder)])
        self.assertEqual((ended.returncode, ended.stdout), (0, "in 1 of 1 rooms\n"))
        self.assertEqual(self.say("a@conference.localhost", "hello"), (0, ""))
        self.assertEqual(self.say("a@conference.localhost", typed="two\nlines\n"), (0, ""))
        status, told = self.say("b@conference.localhost", "hello")
        self.assertEqual(status, 65)
        self.assertIn("b@conference.localhost is no room of this bot", told)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
        self.assertFalse((self.folder / SOCKET_NAME).exists())

    def test_server_down(self):
        """Without a server it is queued, and told why it is not said yet; the status is 75."""
        xmpp = f"[xmpp]\njid = xbot@localhost\nhost = 127.0.0.1\nport = {free_port()}\npassword = x"
        self.start(xmpp, "no connection")
        ended = finish([*XBOT, "status", "--state", str(self.folder)])
        self.assertEqual(ended.returncode, 75)
        self.assertIn("refused", ended.stdout)
        status, told = self.say("a@conference.localhost", "hello", "--timeout", "200ms")
        self.assertEqual(status, 75)
        self.assertRegex(told, "^xbot say: not said yet: .*refused.*; it will be as soon as it can")
