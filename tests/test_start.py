"""What the start of the daemon brings with it."""

import gc
import sys
from importlib.util import find_spec
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import finish
from xbot.process.gc_pause import paused

PLAIN = """[xmpp]
jid = bot@example.org
password = pencil
host = 127.0.0.1
[room ops@rooms.example.org]
[responder pong]
match = ping (?P<word>\\w+)
reply = pong {word}
"""

#: twistd's way as far as the service, which is made and not started.
MAKE = """
import sys
from twisted.scripts.twistd import ServerOptions
options = ServerOptions()
options.parseOptions(["-n", "--pidfile=", "xbot", "--config", sys.argv[1]])
options.loadedPlugins["xbot"].makeService(options.subOptions)
print(*sys.modules, sep="\\n")
"""

#: What a bot that listens to HTTP has besides.
LISTENING = {"xbot.web.service", "xbot.webhooks.door", "xbot.webhooks.spool"}

#: What a bot has besides that has a slow pattern and runs programs, which it notes before.
RUNNING = {"_sqlite3", "regex", "xbot.state.journal.file", "xbot.runtime.subprocesses"}

#: What a plain ini does not need: it belongs to others, to a reload, or to other commands.
NEEDLESS = {
    *LISTENING,
    *RUNNING,
    "automat",
    "dateutil",
    "importlib.metadata",
    "twisted.application.internet",
    "twisted.conch",
    "twisted.names.client",
    "twisted.names.dns",
    "twisted.web.http",
    "twisted.words.xish.xpathparser",
    "wokkel.data_form",
    "wokkel.disco",
    "wokkel.generic",
    "wokkel.muc",
    "wokkel.ping",
    "wokkel.pubsub",
    "xbot.state.brain.portable",
    "xbot.cli",
    "xbot.app.demo",
    "xbot.app.shell",
    "xbot.engine.dispatch.explain",
    "xbot.embedded_server.service",
    "xbot.matching.shadowed",
    "xbot.config.reload_plan",
    "xbot.chat.terminal",
    "xbot.testing",
}


class ImportTests(unittest.TestCase):
    def imported(self, ini: str) -> set[str]:
        """The modules of a process that has made the service of this ini."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "xbot.ini"
        path.write_text(f"[xbot]\nstate = {folder}/state\n{ini}")
        path.chmod(0o600)
        made = finish([sys.executable, "-c", MAKE, str(path)])
        self.assertEqual(made.returncode, 0, made.stderr)
        return set(made.stdout.split())

    def test_a_plain_ini(self) -> None:
        """Nothing is imported that a plain ini does not need."""
        imported = self.imported(PLAIN)
        self.assertIn("xbot.app.service", imported)
        self.assertEqual(imported & NEEDLESS, set())

    def test_what_an_ini_needs(self) -> None:
        """What the ini does need is there before the bot starts, not when somebody first asks."""
        imported = self.imported(
            f"{PLAIN}[http]\nlisten = 127.0.0.1:1\n"
            "[responder x]\nhear = deploy \\w+ to \\w+\nrun = /bin/true\n"
        )
        self.assertLessEqual(LISTENING | RUNNING, imported)

    def test_the_list(self) -> None:
        """All that is listed as needless is a module: none was renamed behind the list's back."""
        ours = sorted(name for name in NEEDLESS if not name.startswith("wokkel"))
        self.assertEqual([name for name in ours if find_spec(name) is None], [])


class GarbageTests(unittest.SynchronousTestCase):
    def test_paused(self) -> None:
        """A start does not look through what stays, nor its end; afterwards all is as before."""
        told = []
        watch = lambda phase, _: told.append(phase)  # noqa: E731
        with paused():
            gc.callbacks.append(watch)
            kept = [[] for _ in range(2 * gc.get_threshold()[0])]
        kept += [[] for _ in range(10)]
        gc.callbacks.remove(watch)
        self.assertEqual(told, [])
        self.assertTrue(gc.isenabled())
        del kept

    def test_by_whoever_does_without(self) -> None:
        """Where nothing was collected before, nothing is afterwards."""
        gc.disable()
        self.addCleanup(gc.enable)
        with paused():
            pass
        self.assertFalse(gc.isenabled())

    def test_after_a_mistake(self) -> None:
        """A start that fails leaves the collector as it was."""
        with self.assertRaises(ZeroDivisionError), paused():
            1 / 0  # noqa: B018
        self.assertTrue(gc.isenabled())
