"""The ``xbot`` command line, one module per subcommand. The daemon is ``twistd -n xbot``."""

from xbot.cli.main import main

__all__ = ["main"]
