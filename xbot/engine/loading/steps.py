"""Run responders' coroutines on the reactor and warn about steps that block it."""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from xbot.text.durations import shown

T = TypeVar("T")

#: Seconds between two awaits after which a warning is logged: the reactor is blocked meanwhile.
SLOW_STEP = 0.5

_log = Logger()
_seconds = time.monotonic


def in_steps(function: Callable[..., object], coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run ``coroutine``; log a warning with the name of ``function`` when a step is slow."""
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
            if (took := _seconds() - began) > SLOW_STEP:
                _log.warn(
                    "{function} held up the whole bot for {span}:"
                    " move blocking code into a plain function (def), which runs in a thread",
                    function=_named(function),
                    took=took,
                    span=shown(took),
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
