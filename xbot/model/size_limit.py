"""Message size limit: the maximum length of one message's text, in the network's own unit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen


@frozen
class Measure:
    """A size limit: ``size(text)`` may be at most ``most``, in bytes on the wire for example.

    ``widest`` is the largest size of one character; each counts at least one. The size
    of two texts together is at most the sum of their sizes.
    """

    most: int
    size: Callable[[str], int]
    widest: int

    def fits(self, text: str) -> bool:
        """Whether ``text`` fits into one message."""
        # Fast path: most texts are so short that they need not be measured.
        return len(text) * self.widest <= self.most or self.size(text) <= self.most

    def less(self, size: int) -> Measure:
        """The same limit, lower by ``size``."""
        return Measure(self.most - size, self.size, self.widest)

    def at_most(self, characters: int) -> Measure:
        """This limit combined with a maximum number of ``characters``."""
        if characters * self.widest <= self.most:
            return in_characters(characters)
        if characters >= self.most:
            return self
        both = partial(_larger, characters, self.most, self.size)
        widest = max(self.most, self.widest * characters)
        return Measure(self.most * characters, both, widest)


def in_characters(most: int) -> Measure:
    """A limit of ``most`` characters, whatever their size in bytes."""
    return Measure(most, len, 1)


#: No limit.
UNBOUNDED = in_characters(2**40)


def _larger(characters: int, most: int, size: Callable[[str], int], text: str) -> int:
    # Both sizes are scaled to the same limit, ``characters * most``.
    return max(len(text) * most, size(text) * characters)
