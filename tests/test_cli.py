"""The xbot command."""

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import ROOT, XBOT, finish
from xbot.cli import main


class CheckTests(unittest.TestCase):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of one command."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            status = main(arguments)
        return status, out.getvalue(), errors.getvalue()

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

    def test_help(self):
        """--help names the commands and how the daemon is run."""
        told = finish([*XBOT, "--help"])
        self.assertEqual(told.returncode, 0)
        for word in ("check", "demo", "twistd -n xbot"):
            self.assertIn(word, told.stdout)
