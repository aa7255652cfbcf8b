"""The daemon under test, as operators run it: twistd, an ini, a password file, a log."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.integration.process import DEADLINE, Process, wait_until
from tests.integration.server import Server

CHECKOUT = Path(__file__).resolve().parents[2]

#: Says again what it hears; what follows may span lines.
ECHO = "[responder echo]\nhear = ^echo\\b\nreply = {body}\n"

_TWISTD = "from twisted.scripts.twistd import run; run()"


class Daemon:
    """One bot with its own folder. ``own``, ``xmpp`` and ``extra`` are lines for the ini.

    It logs in as ``account``, with that account's password unless another is given. It connects
    to ``port`` where that is given, else to the server's own. It answers as often as it is asked,
    which ``is_limited`` leaves to the defaults.
    """

    def __init__(
        self,
        server: Server,
        rooms: Iterable[str] = (),
        *,
        account: str = "xbot",
        password: str | None = None,
        trusts: bool = True,
        resource: str = "bot",
        port: int | None = None,
        own: str = "",
        xmpp: str = "",
        extra: str = "",
        is_limited: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xbot-daemon-"))
        self._output = self.folder / "output"
        secret = self.folder / "xmpp.password"
        secret.touch(0o600)
        secret.write_text((password or server.accounts[account]) + "\n")
        lines = [
            f"[xbot]\nname = xbot\nlog-level = debug\nstate = {self.folder / 'state'}",
            # Most tests say more at once than people do.
            "" if is_limited else "sender-rate = off\nroom-rate = off",
            own,
            f"[xmpp]\njid = {account}@{server.domain}/{resource}\npassword-file = {secret}",
            f"host = {server.host}\nport = {port or server.port}",
            f"ca-file = {server.ca_file}" if trusts else "",
            xmpp,
            *(f"[room {room}]" for room in rooms),
            ECHO,
            extra,
        ]
        self.ini = self.folder / "xbot.ini"
        self.ini.touch(0o600)
        self.ini.write_text("\n".join(lines))
        self.rooms = tuple(rooms)
        #: What twistd is told besides, and what Python runs as it.
        self.arguments: list[str] = []
        self.main = _TWISTD
        self._process: Process | None = None
        self._started_at = 0

    @property
    def process(self) -> Process:
        """Its running process."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it; returns at once."""
        self._started_at = len(self.text())
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        argv = [sys.executable, "-c", self.main, "-n", "--pidfile=", "xbot", *self.arguments]
        argv += ["--config", str(self.ini)]
        self._process = Process(argv, self._output, env, self.folder)

    def start_and_join(self) -> None:
        """Start it; returns once it listens in all its rooms."""
        self.start()
        self.await_rooms()

    def await_rooms(self, since: int | None = None, within: float = DEADLINE) -> float:
        """Wait until it has joined each room and told the history's end; gives the seconds."""
        where = self._started_at if since is None else since
        if not self.rooms:
            return self.await_log("logged in as", where, within=within)
        return max(
            self.await_log(f"{room}: caught up, listening", where, within=within)
            for room in self.rooms
        )

    def await_log(
        self, text: str, since: int | None = None, *, times: int = 1, within: float = DEADLINE
    ) -> float:
        """Wait until ``text`` was logged after position ``since``; gives the seconds it took."""
        where = self._started_at if since is None else since
        return wait_until(
            lambda: self.text()[where:].count(text) >= times,
            lambda: f"{text!r} in the bot's log:\n{self.text()[where:]}",
            within,
        )

    def text(self) -> str:
        """All that it logged, over all its runs."""
        return self._output.read_text("utf-8", "replace") if self._output.exists() else ""

    def memory(self) -> int:
        """What it has in memory at this moment, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def now(self) -> int:
        """The position in the log at this moment."""
        return len(self.text())

    def stop(self) -> None:
        """End it, gently first."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()

    def remove(self) -> None:
        """End it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
