"""Find code and shell operators in the arguments of ``run`` (shell injection check)."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Interpreter name (without version) -> letters of the options whose argument is code.
_INTERPRETERS = {
    **dict.fromkeys(("sh", "ash", "bash", "dash", "fish", "ksh", "zsh", "python"), "c"),
    **dict.fromkeys(("node", "ruby"), "e"),
    "perl": "eE",
    "php": "r",
}

#: Shell operators that are words of their own in a command line.
_OPERATORS = frozenset(("|", "||", "&", "&&", ">", ">>", "<", "<<", "2>", "2>&1"))


def scripts(arguments: Sequence[str]) -> list[str]:
    """The arguments that are code, as after ``sh -c``; also behind ``env`` or ``sudo``."""
    found: list[str] = []
    for place, word in enumerate(arguments):
        letters = _INTERPRETERS.get(re.sub(r"[\d.]+$", "", word.rpartition("/")[2]))
        if letters is not None:
            found += _script(arguments[place + 1 :], letters)
    return found


def _script(arguments: Sequence[str], letters: str) -> Sequence[str]:
    for place, word in enumerate(arguments):
        if re.fullmatch(f"-[A-Za-z]*[{letters}]", word):
            return arguments[place + 1 : place + 2]
        # -o takes an argument, and may come before: bash -o pipefail -c.
        if not word.startswith("-") and arguments[place - 1 : place] != ["-o"]:
            break
    return ()


def operators(arguments: Sequence[str]) -> list[str]:
    """The arguments that are shell operators, such as ``|``; without a shell they do nothing."""
    return [word for word in arguments if word in _OPERATORS]
