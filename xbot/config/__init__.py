"""Configuration: find, parse and validate the ini; the result is frozen settings."""

from xbot.config.places import find
from xbot.config.reader import line_of, load

__all__ = ["find", "line_of", "load"]
