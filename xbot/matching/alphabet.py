"""Characters that a pattern cannot tell apart, as one byte.

re2 has other ideas than re of letters, digits, blanks, words and case, and
its tables are of another Unicode. So it never sees a character: each becomes
a byte that stands for all characters that are in the same of the pattern's
sets, and it is re itself that is asked which those are.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from xbot.errors import XbotError
from xbot.matching.tree import Chars

#: How many characters of texts beyond ASCII are remembered, before it begins anew.
MAX_REMEMBERED = 4096

LINE_BREAK = Chars(r"\n", 0, "\n")

# The bytes that re2 takes for a word's, and the others. It knows the line break, too.
_WORD_BYTES = (string.ascii_letters + string.digits + "_").encode()
_OTHER_BYTES = bytes(set(range(256)) - set(_WORD_BYTES) - {10})

# Such as most texts have, so that a pattern seldom meets a new kind later: ASCII, and letters,
# digits, blanks, marks, and the letters that Unicode's rules of case hold to be i, k or s.
_USUAL = "".join(map(chr, range(128))) + (
    "\xe9\u044f\u4e2d\u0663\xb2\xa0\u2003\u2028\x85\u2014\u0301\U0001f600\u0130\u0131\u212a\u017f\xdf\ud800"
)


class TooManyKinds(XbotError):
    """The pattern tells more characters apart than there are bytes."""


class Alphabet:
    """The bytes for the characters of ``sets``.

    With ``word`` (a set), its members get bytes of words, the others get other
    ones, so that re2's borders of words are those of the set. Raises
    :class:`TooManyKinds`, as does everything that may meet a new character.
    """

    def __init__(self, sets: Sequence[Chars], word: Chars | None = None) -> None:
        self._sets = [(1 << number, each) for number, each in enumerate(sets)]
        self._break = 1 << sets.index(LINE_BREAK) if LINE_BREAK in sets else 0
        self._word = 1 << len(sets) if word is not None else 0
        if word is not None:
            self._sets.append((self._word, word))
        self._word_bytes = iter(_WORD_BYTES)
        self._other_bytes = iter(_OTHER_BYTES if word is not None else _OTHER_BYTES + _WORD_BYTES)
        # For each kind of characters, as a number with a bit for each of the sets.
        self._bytes: dict[int, int] = {}
        usual = self._bytes_of(_USUAL, _usual_members)
        self._ascii = bytes(usual[code] for code in range(128)) + bytes(128)
        # Met now, so that each of the sets has members.
        named = {each.literal for each in sets if each.literal} - set(_USUAL)
        self._bytes_of("".join(sorted(named)), _members)
        # Larger than all the rest, and there are many patterns: when it is needed.
        self._known: dict[int, int] = {}

    @property
    def size(self) -> int:
        """How many kinds of characters were met so far."""
        return len(self._bytes)

    def members(self, number: int) -> bytes:
        """The bytes of the characters met so far that are in this one of the sets."""
        return bytes(sorted(byte for kind, byte in self._bytes.items() if kind >> number & 1))

    def encode(self, text: str) -> bytes:
        """A byte for each character."""
        if text.isascii():
            return text.encode().translate(self._ascii)
        new = {character for character in set(text) if ord(character) not in self._known}
        if len(self._known) + len(new) > MAX_REMEMBERED:
            self._known = {}
            new = set(text)
        if new:
            self._known |= self._bytes_of("".join(new), _members)
        return text.translate(self._known).encode("latin-1")

    def _bytes_of(
        self, characters: str, members: Callable[[Chars, str], Iterable[str]]
    ) -> dict[int, int]:
        kinds = dict.fromkeys(characters, 0)
        for bit, each in self._sets:
            for character in members(each, characters):
                kinds[character] |= bit
        # In order, so that one pattern is one program each time.
        for kind in sorted(set(kinds.values()) - self._bytes.keys()):
            self._bytes[kind] = self._next_byte(kind)
        return {ord(character): self._bytes[kind] for character, kind in kinds.items()}

    def _next_byte(self, kind: int) -> int:
        if kind & self._break:
            return 10
        byte = next(self._word_bytes if kind & self._word else self._other_bytes, None)
        if byte is None:
            raise TooManyKinds(f"more than {self.size} kinds of characters")
        return byte


def _members(chars: Chars, text: str) -> list[str]:
    return chars.regex.findall(text)


@lru_cache(1024)
def _usual_members(chars: Chars, text: str) -> frozenset[str]:
    return frozenset(chars.regex.findall(text))


def word_set(ascii_only: bool) -> Chars:
    r"""What ``\b`` takes for a word's characters."""
    return Chars(r"\w", re.ASCII if ascii_only else 0)
