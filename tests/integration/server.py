"""Base class of the real servers under test."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path

from tests.integration.certificates import make_certificate
from tests.integration.process import DEADLINE, Process, read, wait_until
from tests.ports import free_port

DOMAIN = "xbot.test"

#: The accounts: local part and password.
ACCOUNTS = {
    "xbot": "correct horse; battery = %staple",
    "alice": "alice's",
    "bob": "bob's",
    "carol": "carol's",
}


class Server:
    """A server for :data:`DOMAIN` on the loopback address, in a temporary folder of its own.

    Subclasses say how it is configured and run. ``certificate_for`` is the domain that
    its certificate names; without ``starttls`` it offers none, and lets people in as they are.
    With ``plain_passwords`` it keeps the passwords themselves, so that it can offer every
    mechanism that it has; with ``tls12`` it speaks no TLS later than 1.2; ``stanza_size`` is
    the limit of what it takes, in bytes, where that is not its own. ``accounts`` are those
    that exist. With ``is_throttled`` it reads from a client at the rate of the configuration
    that Debian ships.
    """

    #: Its name for people, and the program that must be installed.
    name: str
    program: str

    #: What its log says when somebody begins to log in, and when they show what they know.
    attempt_mark: str
    proof_mark: str

    def __init__(
        self,
        *,
        certificate_for: str = DOMAIN,
        starttls: bool = True,
        plain_passwords: bool = False,
        tls12: bool = False,
        stanza_size: int | None = None,
        accounts: Mapping[str, str] = ACCOUNTS,
        is_throttled: bool = False,
    ) -> None:
        found = shutil.which(self.program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if found is None:
            missing = f"{self.name} is not installed: there is no program {self.program!r}"
            if os.environ.get("XBOT_REQUIRE_SERVERS") == "1":
                raise AssertionError(missing)
            raise unittest.SkipTest(missing)
        self.executable = found
        self.domain = DOMAIN
        self.muc = f"conference.{DOMAIN}"
        self.host = "127.0.0.1"
        self.port = free_port()
        self.direct_port = free_port()
        self.starttls = starttls
        self.plain_passwords = plain_passwords
        self.tls12 = tls12
        self.stanza_size = stanza_size
        self.accounts = accounts
        self.is_throttled = is_throttled
        self.folder = Path(tempfile.mkdtemp(prefix="xbot-server-"))
        self.certificate = make_certificate(self.folder, certificate_for)
        self.ca_file = self.certificate.authority
        self.log_file = self.folder / "server.log"
        self._process: Process | None = None
        atexit.register(self.remove)
        self.configure()

    # What a subclass adds.

    def configure(self) -> None:
        """Write configuration and accounts into the folder."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command line that runs it in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """The environment variables it needs besides the usual ones."""
        return {}

    def is_ready(self) -> bool:
        """Whether it listens and the accounts exist."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False

    def forget_room(self, room: str) -> None:
        """Make the room service forget the occupants of ``room``, without telling them."""
        raise NotImplementedError

    def crowd_room(self, room: str, count: int) -> None:
        """Put occupants into ``room``: guest1 to guest``count``, by accounts that begin "crowd"."""
        raise NotImplementedError

    def move_guest(self, room: str, number: int, nick: str, kind: str = "") -> None:
        """Have one of the crowd send a presence to ``nick``: to be called so, or to leave."""
        raise NotImplementedError

    def make_visitors(self, room: str) -> None:
        """Give guests of ``room`` no voice; a moderated room of some servers does so anyway."""

    def log_less(self) -> None:
        """From now on, do not log what would slow it down."""

    def reserve_nick(self, room: str, account: str, nick: str) -> None:
        """Have ``room`` call this account ``nick``, whatever it asks for; not all servers can."""
        raise NotImplementedError

    def forget_session(self, name: str) -> None:
        """End the sessions of that account, which wait to be resumed: they are lost."""
        raise NotImplementedError

    def delete_account(self, name: str) -> None:
        """Delete that account."""
        raise NotImplementedError

    def restart_rooms(self) -> None:
        """Restart the room service, while everybody stays logged in."""
        raise NotImplementedError

    # What all of them do.

    @property
    def process(self) -> Process:
        """Its running process."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it; returns once it answers."""
        # Nothing of a proxy, a locale or a test runner's environment matters here.
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder)}
        env |= self.environment()
        output = self.folder / "output"
        self._process = Process(self.command(), output, env, self.folder)
        process = self._process
        wait_until(
            lambda: process.status is not None or self.is_ready(),
            lambda: f"{self.name} is up\n{process.text()[-3000:]}",
            DEADLINE,
        )
        if process.status is not None:
            raise AssertionError(f"{self.name} did not start:\n{process.text()[-3000:]}")

    def stop(self) -> None:
        """End it gently, and hard when it does not end."""
        if self._process is not None:
            self._process.stop(10)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze it: its connections stay open, and nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End the freeze."""
        self.process.signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete its folder."""
        atexit.unregister(self.remove)
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """All that it logged so far."""
        return read(self.log_file)

    def login_report(self, log: str) -> tuple[bool, bool]:
        """Whether ``log`` tells of a TLS connection, and of a SCRAM login by the bot."""
        raise NotImplementedError


_shared: dict[type[Server], Server] = {}


def shared(kind: type[Server]) -> Server:
    """The running server of this kind, shared by all tests.

    Not in ``setUpClass``: trial does not call it.
    """
    server = _shared.get(kind)
    if server is None:
        server = kind()
        _shared[kind] = server
    if server._process is None or server._process.status is not None:
        server.start()
    return server
