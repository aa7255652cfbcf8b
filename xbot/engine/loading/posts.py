"""Adapt Python callables to webhooks: call them with the payload and headers of a post."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from xbot.engine.loading.callables import BadSignature, Returned, runs_on_reactor
from xbot.engine.loading.parameters import signature
from xbot.engine.loading.steps import in_steps
from xbot.process.threads import RunsInThread
from xbot.runtime.answers import Answers, collect
from xbot.runtime.call_types import TakesPost


def post_of(function: Callable[..., object], in_thread: RunsInThread) -> TakesPost:
    """Adapt ``function`` to a webhook; :class:`BadSignature` unless it takes payload, headers."""
    name = getattr(function, "__name__", "it")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise BadSignature(f"{name} is a generator; a webhook takes what is returned")
    try:
        signature(function).bind({}, {})
    except (TypeError, ValueError) as error:
        raise BadSignature(f"{name} is called with a payload and headers: {error}") from error
    on_reactor = runs_on_reactor(function)
    # One object for all calls: the thread pool counts runs by its identity.
    in_its_thread, read = partial(_call, function), partial(collect)

    async def run(payload: dict[str, Any], headers: Mapping[str, str]) -> Answers:
        result: object
        if on_reactor:
            result = function(payload, headers)
        else:
            result = (await in_thread(in_its_thread, payload, headers)).value
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Iterator):
            # It may block, and is read to its end, or until the time-out.
            is_over = threading.Event()
            return await in_thread(read, result, is_over, cancel=is_over.set)
        return collect(result)

    return lambda payload, headers: in_steps(function, run(payload, headers))


def _call(function: Callable[..., object], *args: object) -> Returned:
    return Returned(function(*args))
