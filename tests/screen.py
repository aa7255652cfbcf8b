"""A command at a pseudo-terminal, for tests of what a person types and sees."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time

from twisted.trial import unittest

from tests.daemon import environment

#: Seconds that the command may take for anything.
PATIENCE = 60.0


class ScreenCase(unittest.TestCase):
    """Test case with one command at a terminal; ``screen`` is what :meth:`until` has not read."""

    def start(self, arguments: list[str], **more: str) -> None:
        """Start the command, with these additions to its environment."""
        self.screen = b""
        self.terminal, theirs = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        self.process = subprocess.Popen(
            arguments,
            **{"stdin": theirs, "stdout": theirs, "stderr": theirs},
            env=environment(TERM="xterm", **more),
            start_new_session=True,
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        os.close(theirs)

    def until(self, words: bytes) -> bytes:
        """Read the screen up to these words; returns what stood before them."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.screen:
            self.assertLess(time.monotonic(), deadline, self.screen)
            if select.select([self.terminal], [], [], 1.0)[0]:
                self.screen += os.read(self.terminal, 4096)
        before, _, self.screen = self.screen.partition(words)
        return before

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())
