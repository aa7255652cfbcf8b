"""The example project: its tests pass, its transcripts come true, the page shows what it has."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import ROOT, XBOT, environment

PROJECT = ROOT / "docs" / "examples"
PAGE = (ROOT / "docs" / "testing.md").read_text()


class ExampleCase(unittest.TestCase):
    def run_there(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the project's folder, which it leaves as it was."""
        path = f"{ROOT}:."
        return subprocess.run(
            command,
            cwd=PROJECT,
            env=environment(PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"),
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


class ProjectTests(ExampleCase):
    def test_pytest(self) -> None:
        """Under pytest every test passes, those in unittest's style too."""
        ended = self.run_there(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("14 passed", ended.stdout)

    def test_unittest(self) -> None:
        """Under unittest those in its style pass."""
        ended = self.run_there(sys.executable, "-m", "unittest")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("Ran 8 tests", ended.stderr)

    def test_trial(self) -> None:
        """And under trial."""
        folder = f"--temp-directory={Path(self.mktemp()).absolute()}"
        ended = self.run_there(sys.executable, "-m", "twisted.trial", folder, "tests")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("PASSED (successes=8)", ended.stdout)

    def test_transcripts(self) -> None:
        """Every transcript comes true."""
        paths = sorted(str(path) for path in PROJECT.glob("transcripts/*.txt"))
        ended = self.run_there(*XBOT, "test", "--config", "xbot.ini", *paths)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""), ended.stdout)
        self.assertRegex(ended.stdout, r"^2 transcripts, \d+ steps: all right$")


class PageTests(ExampleCase):
    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)

    def test_pytest_on_the_page(self) -> None:
        """What the page shows as tests passes."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for number, block in enumerate(self.blocks("python")):
            (folder / f"test_page_{number}.py").write_text(block)
        ended = self.run_there(
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("4 passed", ended.stdout)

    def test_transcript_on_the_page(self) -> None:
        """The transcript that the page shows comes true."""
        [text] = self.blocks("text")
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        ended = self.run_there(*XBOT, "test", "--config", "xbot.ini", str(path))
        self.assertEqual((ended.returncode, ended.stderr), (0, ""), ended.stdout)

    def test_commands_on_the_page(self) -> None:
        """The shell and explain print what the page shows."""
        tried = 0
        for block in self.blocks("console"):
            command, _, expected = block.removeprefix("$ ").partition("\n")
            if "xbot test" in command or command.startswith("python -m "):
                continue  # what ProjectTests do
            said, bar, command = command.rpartition(" | ")
            words = shlex.split(command.replace("PYTHONPATH=. xbot ", ""))
            typed = shlex.split(said)[1] if bar else ""
            ended = self.run_there(*XBOT, *words, said=typed)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""), command)
            self.assertTrue(ended.stdout.startswith(expected), ended.stdout)
            tried += 1
        self.assertEqual(tried, 2)
