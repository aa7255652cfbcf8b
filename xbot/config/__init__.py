"""The ini: found, read, checked, and made into frozen settings."""

from xbot.config.reader import find, line_of, load

__all__ = ["find", "line_of", "load"]
