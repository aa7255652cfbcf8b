"""How thorough a test run is: the environment variable ``XBOT_TESTS``.

With ``XBOT_TESTS=quick``, as in ``make quick``, property tests try a tenth of their
examples, and whatever else repeats itself by chance does so a tenth as often.
"""

import os

IS_QUICK = os.environ.get("XBOT_TESTS") == "quick"


def examples(count: int) -> int:
    """The number of examples to try where a full run tries ``count``."""
    return max(10, count // 10) if IS_QUICK else count
