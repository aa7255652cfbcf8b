"""Authors' coroutines on the reactor: each step is timed, for while it lasts the bot is deaf."""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

T = TypeVar("T")

#: Seconds between two awaits that are told: nobody is answered meanwhile, in any room.
LONGEST = 0.5

_log = Logger()
_seconds = time.monotonic


def in_steps(function: Callable[..., object], coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run ``coroutine``, which calls ``function``; the log names that where a step takes long."""
    return Deferred.fromCoroutine(_timed(function, coroutine))


@types.coroutine
def _timed(
    function: Callable[..., object], coroutine: Coroutine[Any, Any, T]
) -> Generator[Any, Any, T]:
    step: Callable[[Any], Any] = coroutine.send
    given: Any = None
    while True:
        began = _seconds()
        try:
            awaited = step(given)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            if (took := _seconds() - began) > LONGEST:
                _log.warn(
                    "{function} held up the whole bot for {took:.1f} s:"
                    " what blocks belongs into a plain function (def), which gets a thread",
                    function=_named(function),
                    took=took,
                )
        try:
            step, given = coroutine.send, (yield awaited)
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step, given = coroutine.throw, error


def _named(function: Callable[..., object]) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{name}"
