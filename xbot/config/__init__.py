"""The ini: found, read, checked, and made into frozen settings."""

from xbot.config.reader import find, load

__all__ = ["find", "load"]
