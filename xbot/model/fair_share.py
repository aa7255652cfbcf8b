"""Fair share of a limit by dynamic thresholds (Choudhury and Hahne, 1998). Pure.

Each user may hold as many as are still free. A single user gets half of the limit, two
get a third each, and so on: some is always left for users who hold little.
"""

from __future__ import annotations


def may_have_more(own: int, taken: int, most: int) -> bool:
    """Whether a user with ``own`` of the ``taken`` may take one more; the limit is ``most``."""
    return own < most - taken


def domain_of(address: str) -> str:
    """The domain of a JID; users of one domain have one share together."""
    return address.partition("/")[0].rpartition("@")[2]
