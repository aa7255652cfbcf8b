"""The xbot command."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import ROOT, XBOT, finish
from xbot.cli import main
from xbot.journal.file import FILE_NAME, JournalFile
from xbot.message import Message


class CommandCase(unittest.TestCase):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of one command."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            status = main(arguments)
        return status, out.getvalue(), errors.getvalue()


class CheckTests(CommandCase):
    def test_the_shipped_ini_is_valid(self):
        """etc/xbot.ini passes the check, which tells what would be joined and loaded."""
        status, out, errors = self.run_main("check", str(ROOT / "etc" / "xbot.ini"))
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("demo@conference.localhost as xbot", out)
        self.assertIn("help: bundled", out)

    def test_mistakes_are_told_with_78(self):
        """A faulty ini gives the daemon's own lines and status."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver = embedded\n[responder x]\nmatch = (\nreply = y\n")
        status, out, errors = self.run_main("check", str(path))
        self.assertEqual((status, out), (78, ""))
        self.assertIn(f"{path}:4: [responder x] match:", errors)

    def test_a_responder_that_fails_to_load(self):
        """The check loads Python responders as the daemon does."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver=embedded\n[responder x]\nmatch=x\nuse=xbot:nothing\n")
        status, _, errors = self.run_main("check", str(path))
        self.assertEqual(status, 78)
        self.assertIn("[responder x] use:", errors)

    def test_against(self):
        """--against tells what a reload from one ini to another would do."""
        old, new = Path(self.mktemp()), Path(self.mktemp())
        old.write_text("[xmpp]\nserver = embedded\n[room a@b]\n")
        new.write_text("[xbot]\nstate = x\n[xmpp]\nserver = embedded\nport = 1\n[room c@b]\n")
        status, out, errors = self.run_main("check", "--against", str(old), str(new))
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                "reload: join +1, leave -1, nick 0, responders +0 -0 ~0, needs a restart: state,"
                " account changed (port)",
                "join c@b as xbot",
                "leave a@b",
            ],
        )
        status, _, errors = self.run_main("check", "--against", "/nowhere", str(new))
        self.assertEqual(status, 78)
        self.assertIn("/nowhere", errors)

    def test_help(self):
        """--help names the commands and how the daemon is run."""
        told = finish([*XBOT, "--help"])
        self.assertEqual(told.returncode, 0)
        for word in ("check", "demo", "journal", "twistd -n xbot"):
            self.assertIn(word, told.stdout)


class JournalTests(CommandCase):
    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()

    def fill(self) -> None:
        """Three entries in a journal that stays open."""
        file = JournalFile(self.state / FILE_NAME)
        self.addCleanup(file.close)
        for key in "abc":
            message = Message("al@x/y", "b@x", f"deploy {key}\x1b", {"type": "chat"}, key=key)
            file.commit([lambda file, message=message: file.accept(message, "deploy", 0.0)])

    def test_table(self) -> None:
        """It lists the newest entries while the daemon has the file, safe for any terminal."""
        self.fill()
        status, out, errors = self.run_main("journal", "--state", str(self.state), "-n", "2")
        self.assertEqual((status, errors), (0, ""))
        self.assertNotIn("\x1b", out)
        self.assertNotIn("deploy a", out)
        self.assertRegex(out, r"unfinished .*deploy b.*\n.*deploy c")

    def test_json_by_ini(self) -> None:
        """The ini says where the journal is; --json gives an object in each line."""
        self.fill()
        ini = self.state / "xbot.ini"
        ini.write_text("[xbot]\nstate = .\n[xmpp]\nserver = embedded\n")
        status, out, _ = self.run_main("journal", "--config", str(ini), "--json")
        self.assertEqual(status, 0)
        self.assertEqual([json.loads(line)["number"] for line in out.splitlines()], [1, 2, 3])

    def test_errors(self) -> None:
        """Without a journal it says so; a faulty ini is told as by check."""
        status, out, errors = self.run_main("journal", "--state", str(self.state))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("there is no journal here", errors)
        status, _, errors = self.run_main("journal", "--config", str(self.state / "none.ini"))
        self.assertEqual(status, 78)
        for count in ("0", "-1", "x"):
            with self.assertRaises(SystemExit):
                self.run_main("journal", "-n", count)
