"""Tests of the package installed from a wheel into a virtual environment of its own."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import ROOT


class WheelTests(unittest.TestCase):
    def run_in(self, folder: Path, *command: object) -> str:
        """A command's output, run outside the checkout and without its path."""
        finished = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            # Where trial runs tests in several processes, it hands them its own path.
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            input="xbot: ping\n",
            timeout=900,
            check=False,
        )
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        return finished.stdout

    def test_wheel_in_a_fresh_virtualenv(self):
        """The wheel brings all it needs: twistd lists xbot and the demo answers, from anywhere."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
        # From a copy: what a build leaves behind does not belong in the checkout.
        source = folder / "source"
        self.run_in(folder, "git", "clone", "--quiet", ROOT, source)
        self.run_in(folder, *build, source)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "env", with_pip=True)
        binaries = folder / "env" / "bin"
        self.run_in(folder, binaries / "pip", "install", "--quiet", wheel)
        self.assertIn("xbot  ", self.run_in(folder, binaries / "twistd", "--help"))
        self.assertIn("--config", self.run_in(folder, binaries / "twistd", "xbot", "--help"))
        self.assertIn("xbot> pong", self.run_in(folder, binaries / "xbot", "demo"))
        ini = folder / "xbot.ini"
        ini.write_text("[xmpp]\nserver = embedded\n[room demo@conference.localhost]\n")
        told = self.run_in(folder, binaries / "xbot", "check", ini)
        self.assertIn("demo@conference.localhost as xbot", told)
