"""What the start of the daemon brings with it."""

import gc
import sys
from importlib.util import find_spec
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import finish
from xbot.garbage import only_young

PLAIN = "[xmpp]\njid = bot@example.org\npassword = pencil\nhost = 127.0.0.1\n"

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

#: What a plain ini does not need: it belongs to others, to a reload, or to other commands.
NEEDLESS = LISTENING | {
    "_sqlite3",
    "automat",
    "importlib.metadata",
    "twisted.application.internet",
    "twisted.conch",
    "twisted.names.client",
    "twisted.names.dns",
    "twisted.web.http",
    "twisted.words.xish.xpathparser",
    "wokkel.data_form",
    "wokkel.disco",
    "wokkel.muc",
    "xbot.brain.portable",
    "xbot.cli",
    "xbot.demo",
    "xbot.dispatch.explaining",
    "xbot.embedded",
    "xbot.matching.overlaps",
    "xbot.plan",
    "xbot.program",
    "xbot.shell",
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
        self.assertIn("xbot.service", imported)
        self.assertEqual(imported & NEEDLESS, set())

    def test_what_an_ini_needs(self) -> None:
        """What the ini does need is there before the bot starts, not when somebody first asks."""
        imported = self.imported(f"{PLAIN}[http]\nlisten = 127.0.0.1:1\n")
        self.assertLessEqual(LISTENING, imported)

    def test_the_list(self) -> None:
        """All that is listed as needless is a module: none was renamed behind the list's back."""
        ours = sorted(name for name in NEEDLESS if not name.startswith("wokkel"))
        self.assertEqual([name for name in ours if find_spec(name) is None], [])


class GarbageTests(unittest.SynchronousTestCase):
    def test_only_young(self) -> None:
        """A start does not look again and again through what stays; afterwards all is as before."""
        before = gc.get_threshold()
        generations = []
        watch = lambda phase, told: generations.append(told["generation"])  # noqa: E731
        with only_young():
            gc.callbacks.append(watch)
            kept = [[] for _ in range(200 * before[0])]
            gc.callbacks.remove(watch)
        self.assertEqual(set(generations), {0})
        self.assertEqual(gc.get_threshold(), before)
        del kept

    def test_after_a_mistake(self) -> None:
        """A start that fails leaves the collector as it was."""
        before = gc.get_threshold()
        with self.assertRaises(ZeroDivisionError), only_young():
            1 / 0  # noqa: B018
        self.assertEqual(gc.get_threshold(), before)
