"""Arguments of ``run`` that the program reads as code, and those that only a shell understands."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The letters of the options whose argument is code, by the program's name without a version.
_INTERPRETERS = {
    **dict.fromkeys(("sh", "ash", "bash", "dash", "fish", "ksh", "zsh", "python"), "c"),
    **dict.fromkeys(("node", "ruby"), "e"),
    "perl": "eE",
    "php": "r",
}

#: What stands by itself in a command line because a shell is to do something.
_OPERATORS = frozenset(("|", "||", "&", "&&", ">", ">>", "<", "<<", "2>", "2>&1"))


def scripts(arguments: Sequence[str]) -> list[str]:
    """The arguments that are code: what stands after ``sh -c``, also behind ``env`` or ``sudo``."""
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
        # The one option that has a word of its own and stands before: bash -o pipefail -c.
        if not word.startswith("-") and arguments[place - 1 : place] != ["-o"]:
            break
    return ()


def operators(arguments: Sequence[str]) -> list[str]:
    """The arguments that would be a shell's business, such as ``|``; here no shell sees them."""
    return [word for word in arguments if word in _OPERATORS]
