"""Responders: from a pattern to an answer, and how a Python callable becomes one."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar, get_origin

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from xbot.errors import XbotError
from xbot.matching import Pattern
from xbot.message import Message
from xbot.threads import RunsInThread

#: A run says no more than so many messages.
MAX_ANSWERS = 10

#: No message of a run is longer, in characters.
MAX_LENGTH = 10_000

_ROUTES = "__xbot_routes__"
F = TypeVar("F", bound=Callable[..., Any])

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Evaluating annotations may fail on names that only type checkers import.
    _signature = partial(inspect.signature, annotation_format=Format.STRING)
else:
    _signature = inspect.signature


class Failed(XbotError):
    """A responder cannot do what it was asked, and ``answer`` says so to whoever asked.

    Raise it for what is no mistake in the code: it makes one line in the log,
    with ``reason`` in it, and no traceback.
    """

    def __init__(self, answer: str, reason: str = "") -> None:
        super().__init__(reason or answer)
        self.answer = cut(str(answer))
        self.reason = reason or answer


class BadSignature(XbotError, TypeError):
    """A callable that cannot be called with what its patterns will find."""


@frozen
class Answers:
    """What a run came to: what it said and, if it failed after that, how."""

    said: tuple[str | Message, ...] = ()
    failure: Failure | None = None


Run = Callable[[Message, Mapping[str, str]], Deferred[Answers]]


@frozen
class Responder:
    """A name, what it answers to, and ``run``, which gives the answers.

    ``usage`` and ``help`` are what people read about it, ``timeout`` (seconds)
    what a run may take.
    """

    name: str
    patterns: tuple[Pattern, ...]
    run: Run
    usage: str = ""
    help: str = ""
    timeout: float = 30.0

    def match(self, addressed: str) -> dict[str, str] | None:
        """The groups of the first ``match`` pattern that fits, or None."""
        return self._first("match", addressed)

    def hear(self, body: str) -> dict[str, str] | None:
        """The groups of the first ``hear`` pattern that fits, or None."""
        return self._first("hear", body)

    def _first(self, kind: str, text: str) -> dict[str, str] | None:
        found = (pattern.find(text) for pattern in self.patterns if pattern.kind == kind)
        return next((groups for groups in found if groups is not None), None)


@frozen
class Route:
    """What a decorator says about its function."""

    pattern: Pattern
    usage: str | None = field(default=None, kw_only=True)
    help: str | None = field(default=None, kw_only=True)


def respond(pattern: str, *, usage: str | None = None, help: str | None = None) -> Callable[[F], F]:
    """The decorated callable answers when what is said *to the bot* is ``pattern``, all of it."""
    return partial(_attach, Route(Pattern.match(pattern), usage=usage, help=help))


def hear(pattern: str, *, usage: str | None = None, help: str | None = None) -> Callable[[F], F]:
    """The decorated callable answers whenever ``pattern`` is found in what anyone says."""
    return partial(_attach, Route(Pattern.hear(pattern), usage=usage, help=help))


def _attach(route: Route, target: F) -> F:
    setattr(target, _ROUTES, (route, *getattr(target, _ROUTES, ())))
    return target


def routes_of(target: Callable[..., object]) -> tuple[Route, ...]:
    """The routes attached to a function, or to an object's class or ``__call__``; topmost first."""
    on_call: tuple[Route, ...] = getattr(type(target).__call__, _ROUTES, ())
    own: tuple[Route, ...] = getattr(target, _ROUTES, ())
    return own + on_call


def collect(result: object) -> Answers:
    """The answers in what a responder returned, blank ones left out; never raises.

    None says nothing, a str or a Message one thing, a list, tuple or iterator
    several: the first :data:`MAX_ANSWERS`, of :data:`MAX_LENGTH` at most, with
    a visible mark where something was cut. Everything else is a failure. An
    iterator may block: call this in a thread for one.
    """
    if result is None:
        return Answers()
    several = result if isinstance(result, (list, tuple, Iterator)) else (result,)
    said: list[str | Message] = []
    failure = None
    try:
        for number, answer in enumerate(islice(several, MAX_ANSWERS + 1)):
            text = _text_of(answer)
            if number == MAX_ANSWERS:
                # Blank answers count too, so that nobody can be silent for ever.
                mark = f"[cut after {MAX_ANSWERS} messages]"
                said[-1:] = [_with_text(said[-1], f"{_text_of(said[-1])}\n{mark}")] if said else []
            elif text.strip():
                said.append(_with_text(answer, text))
        if inspect.isgenerator(result):
            result.close()
    except BaseException:
        failure = Failure()
    return Answers(tuple(said), failure)


def _text_of(answer: object) -> str:
    text = answer.body if isinstance(answer, Message) else answer
    if not isinstance(text, str):
        raise TypeError(f"returned {type(text).__name__}")
    return text


def _with_text(answer: str | Message, text: str) -> str | Message:
    text = cut(text)
    return evolve(answer, body=text) if isinstance(answer, Message) else text


def cut(text: str, length: int = MAX_LENGTH) -> str:
    """``text``, or its beginning with a visible mark; never longer than ``length``."""
    if len(text) <= length:
        return text
    mark = f"\n[cut at {length:,} characters]"
    return text[: length - len(mark)] + mark


def run_of(
    function: Callable[..., object], patterns: Sequence[Pattern], in_thread: RunsInThread
) -> Run:
    """Make a run of a Python callable; :class:`BadSignature` if it cannot be called as one.

    It is called with the message and, by keyword, those of the named groups
    that it takes. Coroutine functions, ``inlineCallbacks`` and what is
    annotated to return a Deferred run on the reactor; everything else may
    block, and gets a thread.
    """
    accepts = _accepted_groups(function, patterns)
    on_reactor = _runs_on_reactor(function)
    # One object per responder: by it the threads' owner tells responders apart.
    in_its_thread = partial(_call, function)
    collected = partial(collect)

    async def run(message: Message, groups: Mapping[str, str]) -> Answers:
        taken = {name: value for name, value in groups.items() if name in accepts}
        result: object
        if on_reactor:
            result = function(message, **taken)
        else:
            result = (await in_thread(in_its_thread, message, taken)).value
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Answers):
            return result
        if isinstance(result, Iterator):
            return await in_thread(collected, result)
        return collect(result)

    return lambda message, groups: Deferred.fromCoroutine(run(message, groups))


@frozen
class _Returned:
    # A Deferred cannot be the result of another one, so it travels in this.
    value: object


def _call(function: Callable[..., object], message: Message, groups: dict[str, str]) -> _Returned:
    try:
        result = function(message, **groups)
    except BaseException:
        return _Returned(Answers(failure=Failure()))
    return _Returned(result if inspect.isawaitable(result) else collect(result))


def _accepted_groups(
    function: Callable[..., object], patterns: Sequence[Pattern]
) -> frozenset[str]:
    everything: frozenset[str] = frozenset().union(*(pattern.groups for pattern in patterns))
    if inspect.isasyncgenfunction(function):
        raise BadSignature("it is an asynchronous generator; return a list instead")
    try:
        parameters = list(_signature(function).parameters.values())
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
        if parameter.kind is kinds.POSITIONAL_ONLY:
            raise BadSignature(f"its parameter {parameter.name!r} cannot be given by name")
        if not all(parameter.name in pattern.groups for pattern in patterns):
            raise BadSignature(
                f"its parameter {parameter.name!r} has no default,"
                " and not every pattern has a group of that name"
            )
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
    return (everything if takes_any else everything & by_name) - {first.name}


def _runs_on_reactor(function: Callable[..., object]) -> bool:
    called = function if inspect.isroutine(function) else type(function).__call__
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        return True
    if inspect.isgeneratorfunction(getattr(called, "__wrapped__", None)):
        return True
    returns = _signature(function).return_annotation
    if isinstance(returns, str):
        return re.match(r"[\s'\"]*(\w+\.)*Deferred\b", returns) is not None
    origin = get_origin(returns) or returns
    return isinstance(origin, type) and issubclass(origin, Deferred)
