"""The message size limit: how long the text of one message may be, in what its network counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen


@frozen
class Measure:
    """No text may be larger than ``most``, as ``size`` tells it: bytes on the wire, say.

    No character is larger than ``widest``. ``size`` of two texts together is no more than
    the sum of theirs, and no character counts nothing.
    """

    most: int
    size: Callable[[str], int]
    widest: int

    def fits(self, text: str) -> bool:
        """Whether ``text`` is one message."""
        # Most are so short that nothing needs to be counted.
        return len(text) * self.widest <= self.most or self.size(text) <= self.most

    def less(self, size: int) -> Measure:
        """The same with so much less room."""
        return Measure(self.most - size, self.size, self.widest)

    def at_most(self, characters: int) -> Measure:
        """The same, and no more than so many characters, too."""
        if characters * self.widest <= self.most:
            return in_characters(characters)
        if characters >= self.most:
            return self
        both = partial(_larger, characters, self.most, self.size)
        widest = max(self.most, self.widest * characters)
        return Measure(self.most * characters, both, widest)


def in_characters(most: int) -> Measure:
    """No more than so many characters, whichever they are."""
    return Measure(most, len, 1)


#: Where no message is too long.
UNBOUNDED = in_characters(2**40)


def _larger(characters: int, most: int, size: Callable[[str], int], text: str) -> int:
    # The larger share of the two, each of which has the same whole.
    return max(len(text) * most, size(text) * characters)
