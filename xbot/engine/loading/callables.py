"""Adapt Python callables to routes and timers: check signatures, convert arguments, use threads."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_origin

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from xbot.engine.loading.conversions import Convert, UnknownAnnotation
from xbot.engine.loading.generators import say_each, say_each_async
from xbot.engine.loading.parameters import Kind, Parameter, parameters_of, signature
from xbot.engine.loading.steps import in_steps
from xbot.matching.pattern import Pattern
from xbot.model.errors import XbotError
from xbot.model.message import Message
from xbot.process.threads import Busy, NotStarted, RunsInThread
from xbot.runtime.answers import Answers, collect
from xbot.runtime.call_types import Start, TwoStepCall, Work
from xbot.runtime.failures import Misused
from xbot.runtime.timer import StillAtWork


class BadSignature(XbotError, TypeError):
    """A callable whose signature does not fit the named groups of its patterns."""


def call_of(
    function: Callable[..., object],
    patterns: Sequence[Pattern | None],
    in_thread: RunsInThread,
    own: Mapping[str, Any] = MappingProxyType({}),
    *,
    clock: IReactorTime,
) -> TwoStepCall:
    """Adapt a Python callable to a route's call; :class:`BadSignature` if it cannot be.

    It is called with the message and, by keyword, the named groups that it takes,
    converted as its annotations say, and with ``own``. A group that does not convert
    fails with :class:`~xbot.runtime.failures.Misused`. Coroutine functions,
    ``inlineCallbacks`` and functions annotated to return a Deferred run on the
    reactor; everything else may block, and runs in a thread. ``clock`` paces async generators.
    """
    accepts = _accepted_groups(function, patterns, own)
    converts = _converters(function, accepts)
    on_reactor = runs_on_reactor(function)
    # One object per responder: the thread pool counts runs per responder by its identity.
    in_its_thread = partial(_call, function)
    spoken = partial(say_each)
    yields = _is_generator(function)

    def arguments(groups: Mapping[str, str]) -> dict[str, object]:
        taken: dict[str, object] = {**own}
        for name, text in groups.items():
            if name in accepts:
                taken[name] = _converted(name, text, converts)
        return taken

    async def run(
        message: Message, groups: Mapping[str, str], taken: dict[str, object] | None = None
    ) -> Answers:
        if taken is None:
            taken = arguments(groups)
        result: object
        if on_reactor:
            result = function(message, **taken)
        else:
            is_over = threading.Event()
            # Only a generator can be cancelled: between two of its answers.
            cancel = is_over.set if yields else None
            called = in_thread(in_its_thread, message, taken, is_over, cancel=cancel)
            try:
                result = (await called).value
            except Busy as busy:
                raise NotStarted(busy.limit) from None
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Answers):
            return result
        if isinstance(result, AsyncIterator):
            return await say_each_async(message, result, clock)
        if isinstance(result, Iterator):
            is_over = threading.Event()
            return await in_thread(spoken, message, result, is_over, cancel=is_over.set)
        return collect(result)

    def prepare(message: Message, groups: Mapping[str, str]) -> Start:
        taken = arguments(groups)
        return lambda message: in_steps(function, run(message, groups, taken))

    return TwoStepCall(lambda message, groups: in_steps(function, run(message, groups)), prepare)


def work_of(function: Callable[..., object], in_thread: RunsInThread) -> Work:
    """Adapt a timer, ``start`` or ``stop``; :class:`BadSignature` if it needs an argument.

    A blocking function runs in a thread; while it runs, another call fails with
    :class:`~xbot.runtime.timer.StillAtWork`.
    """
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise BadSignature(
            f"{_name(function)} is a generator; a timer, start or stop must not yield"
        )
    try:
        signature(function).bind()
    except (TypeError, ValueError) as error:
        raise BadSignature(f"{_name(function)} is called without arguments: {error}") from error
    if runs_on_reactor(function):

        async def run() -> object:
            result = function()
            return await result if inspect.isawaitable(result) else result

        return lambda: in_steps(function, run())
    at_work = threading.Lock()

    def in_its_thread() -> Returned:
        try:
            return Returned(function())
        finally:
            at_work.release()

    async def run_in_thread() -> object:
        if not at_work.acquire(blocking=False):
            raise StillAtWork()
        try:
            returned = await in_thread(in_its_thread)
        except Busy:
            at_work.release()
            raise
        result = returned.value
        return await result if inspect.isawaitable(result) else result

    return lambda: in_steps(function, run_in_thread())


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", "it")


class Returned(NamedTuple):
    """Box for a result: a Deferred cannot be the result of another Deferred, but this can."""

    value: object


def own_parameters(
    function: Callable[..., object], patterns: Sequence[Pattern | None]
) -> list[Parameter]:
    """The parameters that are the ini's options: keyword-only, and no named group of a pattern."""
    groups = _groups(patterns)
    try:
        parameters = parameters_of(function)
    except (TypeError, ValueError) as error:
        raise BadSignature("its parameters cannot be known") from error
    return [
        each for each in parameters if each.kind is Kind.KEYWORD_ONLY and each.name not in groups
    ]


def _groups(patterns: Sequence[Pattern | None]) -> frozenset[str]:
    return frozenset().union(*(each.groups for each in patterns if each is not None))


def _converters(function: Callable[..., object], accepts: Collection[str]) -> dict[str, Convert]:
    converts = {}
    for parameter in parameters_of(function):
        if parameter.name in accepts:
            try:
                converts[parameter.name] = parameter.converter()
            except UnknownAnnotation as error:
                raise BadSignature(f"its parameter {parameter.name!r}: {error}") from error
    return {name: convert for name, convert in converts.items() if convert is not str}


def _converted(name: str, text: str, converts: Mapping[str, Convert]) -> object:
    convert = converts.get(name)
    if convert is None:
        return text
    try:
        return convert(text)
    except ValueError as error:
        raise Misused(f"{name.upper()} {error}") from None


def _call(
    function: Callable[..., object],
    message: Message,
    taken: dict[str, object],
    is_over: threading.Event,
) -> Returned:
    try:
        result = function(message, **taken)
    except BaseException:
        return Returned(Answers(failure=Failure()))
    if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
        return Returned(result)
    if isinstance(result, Iterator):
        return Returned(say_each(message, result, is_over))
    return Returned(collect(result))


def _accepted_groups(
    function: Callable[..., object], patterns: Sequence[Pattern | None], own: Collection[str]
) -> frozenset[str]:
    groups = [pattern.groups if pattern is not None else frozenset() for pattern in patterns]
    everything = _groups(patterns)
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise BadSignature("its parameters cannot be known") from error
    kinds = inspect.Parameter
    first = parameters.pop(0) if parameters else None
    if first is None or first.kind in (kinds.KEYWORD_ONLY, kinds.VAR_KEYWORD):
        raise BadSignature("it takes no message; its first parameter must be one")
    by_name = {
        p.name for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    for parameter in parameters:
        if parameter.default is not kinds.empty or parameter.kind in (
            kinds.VAR_POSITIONAL,
            kinds.VAR_KEYWORD,
        ):
            continue
        if parameter.name in own:
            continue
        if parameter.kind is kinds.POSITIONAL_ONLY:
            raise BadSignature(f"its parameter {parameter.name!r} cannot be given by name")
        if not all(parameter.name in each for each in groups):
            raise BadSignature(
                f"its parameter {parameter.name!r} has no default,"
                " and not every pattern has a group of that name"
            )
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
    return (everything if takes_any else everything & by_name) - {first.name}


def _called(function: Callable[..., object]) -> Callable[..., object]:
    return function if inspect.isroutine(function) else type(function).__call__


def _is_generator(function: Callable[..., object]) -> bool:
    return inspect.isgeneratorfunction(_called(function))


def runs_on_reactor(function: Callable[..., object]) -> bool:
    """Whether ``function`` does not block: a coroutine function, or annotated with Deferred."""
    called = _called(function)
    for each in (function, called):
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            return True
    if inspect.isgeneratorfunction(getattr(called, "__wrapped__", None)):
        return True
    returns = signature(function).return_annotation
    if isinstance(returns, str):
        return re.match(r"[\s'\"]*(\w+\.)*Deferred\b", returns) is not None
    origin = get_origin(returns) or returns
    return isinstance(origin, type) and issubclass(origin, Deferred)
