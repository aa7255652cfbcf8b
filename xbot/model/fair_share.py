"""A fair share of a shared bound, by dynamic thresholds (Choudhury and Hahne, 1998); pure.

Each may have as many as are left. Alone one gets half of the bound, two get a third each, and
so on: whatever some take, there is something left for those who have little.
"""

from __future__ import annotations


def may_have_more(own: int, taken: int, most: int) -> bool:
    """Whether one who has ``own`` of the ``taken``, of ``most`` in all, may have one more."""
    return own < most - taken


def domain_of(address: str) -> str:
    """Whose users share: the domain of a JID, with or without the other parts."""
    return address.partition("/")[0].rpartition("@")[2]
