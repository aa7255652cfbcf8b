"""Running the real commands as child processes, for the tests that must see them whole."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: ``twistd`` and ``xbot``, as their console scripts run them.
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
XBOT = [sys.executable, "-c", "import sys; from xbot.cli import main; sys.exit(main())"]


def environment(**more: str) -> dict[str, str]:
    """The environment with this checkout on the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def finish(arguments: list[str], typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        arguments,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(**more),
    )
