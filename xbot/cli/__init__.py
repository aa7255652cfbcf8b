"""The ``xbot`` command, a module for each of its commands. The daemon is ``twistd -n xbot``."""

from xbot.cli.main import main

__all__ = ["main"]
