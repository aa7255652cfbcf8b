"""Blocking functions in a test: called at once, in the test's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred

from xbot.runtime.failures import Failed

#: Seconds of real time after which a function that can be cancelled is cancelled in a test.
MAX_REAL = 30.0


def in_this_thread(
    function: Callable[..., Any],
    /,
    *args: Any,
    cancel: Callable[[], object] | None = None,
    at_once: int | None = None,
    owner: str | None = None,
) -> Deferred[Any]:
    """Call ``function`` at once, in the current thread.

    A test's clock stands still meanwhile. So what can be cancelled is so after
    :data:`MAX_REAL` seconds of real time, and fails: else one without an end would hang.
    """
    if cancel is None:
        return maybeDeferred(function, *args)
    is_late = threading.Event()

    def got_limit() -> None:
        is_late.set()
        cancel()

    def check(result: Any) -> Any:
        timer.cancel()
        return fail(Failed(late, late)) if is_late.is_set() else result

    late = f"It did not finish within {MAX_REAL:g} s of real time."
    timer = threading.Timer(MAX_REAL, got_limit)
    timer.daemon = True
    timer.start()
    return maybeDeferred(function, *args).addBoth(check)
