"""Configuration: find, parse and validate the ini; the result is frozen settings."""

from xbot.config.reader import find, line_of, load

__all__ = ["find", "line_of", "load"]
