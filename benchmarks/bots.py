"""The bots that are compared: how each is built and started.

A peer that is not available on this machine is skipped with a message.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stanzas
from benchmarks.processes import Process

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / "peers"

PASSWORD = "pencil"


class Unavailable(Exception):
    """This peer cannot be built here; the text says what to install."""


@dataclass(frozen=True)
class Server:
    """The server and the account that a bot logs in to."""

    port: int
    authority: Path
    jid: str = stanzas.BOT
    password: str = PASSWORD
    muc: str = stanzas.MUC

    def arguments(self, rooms: int, patterns: int = 0) -> list[str]:
        """The command-line arguments of every peer."""
        return [
            "127.0.0.1",
            str(self.port),
            self.jid,
            self.password,
            self.muc,
            stanzas.NICK,
            str(rooms),
            str(patterns),
        ]


@dataclass(frozen=True)
class Bot:
    """A bot to compare. ``start(server, rooms, patterns, log)`` starts its process."""

    name: str
    start: Callable[[Server, int, int, Path], Process]


# The daemon itself, from an ini.


def xbot(folder: Path, extra: str = "", *, before: str = "") -> Bot:
    """xbot, with ``extra`` lines for its ini; its process runs the code ``before`` first."""
    # As an installer does, and as was done for the peers' packages: otherwise it would be
    # compiled at each start where the environment says to write no bytecode.
    for package in ("twisted", "xbot"):
        compileall.compile_dir(ROOT / package, quiet=1)

    def start(server: Server, rooms: int, patterns: int, log: Path) -> Process:
        state = folder / f"state-{os.urandom(4).hex()}"
        state.mkdir(mode=0o700)
        ini = folder / "xbot.ini"
        lines = [
            "[xbot]",
            f"name = {stanzas.NICK}",
            f"state = {state}",
            "sender-rate = off",
            "room-rate = off",
            "[xmpp]",
            f"jid = {server.jid}",
            f"password = {server.password}",
            "host = 127.0.0.1",
            f"port = {server.port}",
            f"ca-file = {server.authority}",
            extra,
        ]
        lines += [f"[room room{number}@{server.muc}]" for number in range(rooms)]
        # Not named "ping": the bundled responder has that name.
        lines += ["[responder pong]", r"match = ping (?P<word>\w+)", "reply = pong {word}"]
        for number in range(patterns):
            lines += [f"[responder task{number}]", rf"match = task{number} (?P<word>\w+)"]
            lines += ["reply = done {word}"]
        ini.unlink(missing_ok=True)
        ini.touch(mode=0o600)
        ini.write_text("\n".join(lines) + "\n")
        twistd = f"{before}from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", twistd, "-n", "--pidfile=", "xbot", "-c", str(ini)]
        return Process(command, log, {"PYTHONPATH": str(ROOT)})

    return Bot("xbot" if not extra else f"xbot ({extra})", start)


# The peers.


def _command(
    name: str, command: Sequence[str], make: Callable[[Server], dict[str, str]] = lambda _: {}
) -> Bot:
    def start(server: Server, rooms: int, patterns: int, log: Path) -> Process:
        return Process([*command, *server.arguments(rooms, patterns)], log, make(server))

    return Bot(name, start)


def _naive_wokkel(folder: Path) -> Bot:
    # Its TLS trusts OpenSSL's default certificates, hence SSL_CERT_FILE.
    return _command(
        "naive wokkel bot",
        [sys.executable, str(PEERS / "naive_wokkel.py")],
        lambda server: {"PYTHONPATH": str(ROOT), "SSL_CERT_FILE": str(server.authority)},
    )


def _slixmpp(folder: Path) -> Bot:
    try:
        import slixmpp
    except ImportError:
        raise Unavailable("pip install slixmpp") from None
    return _command(
        f"slixmpp {slixmpp.__version__}", [sys.executable, str(PEERS / "slixmpp_bot.py")]
    )


def _libstrophe(folder: Path) -> Bot:
    program = folder / "libstrophe_bot"
    _need("cc", "a C compiler")
    needs = "apt install libstrophe-dev"
    flags = _output(["pkg-config", "--cflags", "--libs", "libstrophe"], needs)
    source = str(PEERS / "libstrophe_bot.c")
    _output(["cc", "-O2", "-o", str(program), source, *flags.split()], needs)
    version = _output(["pkg-config", "--modversion", "libstrophe"], needs).strip()
    return _command(f"libstrophe {version} (C)", [str(program)])


def _xmpp_client(folder: Path) -> Bot:
    node = _need("node", "Node.js")
    modules = Path(os.environ.get("PEER_MODULES", HERE))
    package = modules / "node_modules" / "@xmpp" / "client" / "package.json"
    if not package.exists():
        raise Unavailable("npm install --prefix benchmarks --no-save @xmpp/client")
    return _command(
        "@xmpp/client (node)",
        [node, str(PEERS / "xmpp_client_bot.mjs")],
        lambda _: {"PEER_MODULES": str(modules.absolute()), "NODE_TLS_REJECT_UNAUTHORIZED": "0"},
    )


def _go_xmpp(folder: Path) -> Bot:
    go = _need("go", "apt install golang-go golang-github-mattn-go-xmpp-dev")
    program = folder / "go_xmpp_bot"
    source = str(PEERS / "go_xmpp_bot.go")
    _output(
        [go, "build", "-o", str(program), source],
        "apt install golang-github-mattn-go-xmpp-dev",
        {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""},
    )
    return _command("go-xmpp", [str(program)])


#: Factories by name, in the order of the table.
_MAKERS = {
    "xbot": xbot,
    "wokkel": _naive_wokkel,
    "slixmpp": _slixmpp,
    "libstrophe": _libstrophe,
    "go-xmpp": _go_xmpp,
    "xmpp-client": _xmpp_client,
}

NAMES = tuple(_MAKERS)


def make(name: str, folder: Path) -> Bot:
    """Build the bot ``name``; :class:`Unavailable` says what to install."""
    return _MAKERS[name](folder)


def _need(program: str, otherwise: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Unavailable(f"needs {otherwise}")
    return found


def _output(
    command: Sequence[str], otherwise: str, environment: dict[str, str] | None = None
) -> str:
    try:
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
        ).stdout
    except FileNotFoundError:
        raise Unavailable(otherwise) from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{otherwise} ({error.stderr.strip()[-200:]})") from None
