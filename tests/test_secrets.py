"""A password that is looked for everywhere, in every form."""

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.trial import unittest

from tests.daemon import TWISTD, environment
from tests.leaks import forms
from xbot.config import load
from xbot.config.describe import describe
from xbot.embedded_server import EmbeddedServer

ACCOUNT, ROOM = "c4nary; of = the%account", "c4nary-of-the-room"

#: Seconds that a busy machine may need.
DEADLINE = 30


class Broken:
    """A responder whose failure has our whole process at hand."""

    def __call__(self, message):
        from xbot.app.service import BotService

        def innermost(everything):
            Path(os.environ["XBOT_TEST_DUMP"]).write_text(everything)
            raise RuntimeError(everything)

        import gc

        gc.unfreeze()
        bots = [thing for thing in gc.get_objects() if isinstance(thing, BotService)]
        innermost(
            repr(
                [
                    (vars(b), b.config, vars(b.network.adapter), b.network.adapter._account)
                    for b in bots
                ]
            )
        )


class Output(ProcessProtocol):
    """All that a process writes, and who waits for a part of it."""

    def __init__(self):
        self.text = ""
        self.ended = Deferred()
        self._wanted, self._found = "", None

    def outReceived(self, data):
        self.text += data.decode()
        if self._found is not None and self._wanted in self.text:
            found, self._found = self._found, None
            found.callback(None)

    errReceived = outReceived

    def processEnded(self, reason):
        self.ended.callback(None)

    def wait_for(self, text):
        """Fires once ``text`` was written."""
        found = Deferred(lambda _: setattr(self, "_found", None))
        self._wanted, self._found = text, found
        self.outReceived(b"")
        return found.addTimeout(DEADLINE, reactor)


class SecretsTests(unittest.TestCase):
    timeout = 2 * DEADLINE

    async def daemon(self, mechanism: str) -> tuple[Path, Output, object]:
        """A bot that logs all that it can, behind a login by this mechanism, in a room."""
        server = EmbeddedServer(reactor, {"xbot": ACCOUNT}, mechanisms=[mechanism])
        port = await server.listen()
        self.addCleanup(server.stop)
        folder = Path(self.mktemp()).absolute()
        (folder / "state").mkdir(0o700, parents=True)
        server.write_ca(folder / "ca.pem")
        for name, secret in (("xmpp.password", ACCOUNT), ("room.password", ROOM)):
            (folder / name).touch(0o600)
            (folder / name).write_text(secret)
        (folder / "xbot.ini").touch(0o600)
        (folder / "xbot.ini").write_text(
            f"[xbot]\nstate = {folder}/state\nlog-level = debug\n"
            f"[xmpp]\njid = xbot@localhost\npassword-file = xmpp.password\n"
            f"host = 127.0.0.1\nport = {port}\nca-file = ca.pem\n"
            "[room a@conference.localhost]\npassword-file = room.password\n"
            "[responder broken]\nhear = break\nuse = tests.test_secrets:Broken\n"
            f"[responder env]\nhear = environment\nrun = {sys.executable} -c"
            ' \'import os; print("told:", "c4nary" in repr(os.environ))\'\n'
        )
        output = Output()
        argv = [*TWISTD, "-n", "--pidfile=", "xbot", "--trace", "--config", folder / "xbot.ini"]
        env = environment(PYTHONUNBUFFERED="1", XBOT_TEST_DUMP=str(folder / "state" / "dump"))
        process = reactor.spawnProcess(output, sys.executable, list(map(str, argv)), env)

        def end():
            if not output.ended.called:
                process.signalProcess("KILL")
            return output.ended

        self.addCleanup(end)
        room = server.room("a")
        await output.wait_for("a@conference.localhost: caught up")
        room.say("alice", "break")
        await output.wait_for("RuntimeError")
        room.say("alice", "environment")
        await output.wait_for("told: False")
        return folder, output, process

    async def look_everywhere(self, mechanism: str) -> None:
        folder, output, process = await self.daemon(mechanism)
        seen = {"the log and the trace": output.text}
        for name in ("cmdline", "environ"):
            path = Path(f"/proc/{process.pid}/{name}")
            if path.exists():
                seen[str(path)] = path.read_bytes().decode("utf-8", "replace")
        process.signalProcess("TERM")
        await output.ended
        seen["the log and the trace"] = output.text
        for path in (folder / "state").rglob("*"):
            if path.is_file():
                seen[str(path)] = path.read_bytes().decode("latin-1")
        config = load(folder / "xbot.ini", {})
        seen["repr"], seen["xbot check"] = repr(config), describe(config)
        self.assertIn("sent <auth", output.text)
        self.assertIn("XmppSettings(", seen[str(folder / "state" / "dump")])
        for place, text in seen.items():
            for secret in (ACCOUNT, ROOM):
                for form in forms(secret):
                    self.assertNotIn(form, text, f"{form} of {secret} in {place}")

    def test_scram(self):
        """Behind SCRAM no password shows: not in arguments, environment, log, trace or state."""
        return Deferred.fromCoroutine(self.look_everywhere("SCRAM-SHA-256"))

    def test_plain(self):
        """Behind PLAIN, which hands it over, neither."""
        return Deferred.fromCoroutine(self.look_everywhere("PLAIN"))
