"""Responders: what answers to which patterns, and the decorators that say so in code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed

from xbot import durations
from xbot.access import EVERYONE, Access
from xbot.answers import MAX_LENGTH, Answers, collect, cut
from xbot.errors import XbotError
from xbot.matching.pattern import Pattern
from xbot.message import Message
from xbot.rates import Rate
from xbot.settings import MAX_RUNS

if TYPE_CHECKING:
    from xbot.scope import Scope

_DECLARED = "__xbot_routes__"
_EVERY = "__xbot_every__"
_POSTED = "__xbot_posted__"
F = TypeVar("F", bound=Callable[..., Any])


class Failed(XbotError):
    """A responder cannot do what it was asked, and ``answer`` says so to whoever asked. ::

        raise Failed("I do not know that app.", reason=f"no entry for {app}")

    Raise it for what is no mistake in the code: it makes one line in the log,
    with ``reason`` in it (``answer`` where there is none), and no traceback.
    """

    def __init__(self, answer: str, reason: str = "") -> None:
        super().__init__(reason or answer)
        self.answer = cut(str(answer))
        self.reason = reason or answer


class NoAnswer(Failed):
    """Who was asked by :meth:`~xbot.message.Message.ask` did not answer in time.

    Nobody has to catch it: then it says so, and the run is over.
    """

    def __init__(self, answer: str = "Never mind, then.", reason: str = "no answer") -> None:
        super().__init__(answer, reason)


class Misused(XbotError):
    """What was said to a responder fits its pattern, and still makes no sense. ::

        raise Misused("APP is one of web, api")

    Whoever asked reads the usage, and that below it. It is counted, and makes
    no line in the log. What does not convert to the type of a parameter raises
    it by itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Call = Callable[[Message, Mapping[str, str]], Deferred[Answers]]
"""Takes a message and the named groups that its pattern found."""

Fill = Callable[[Message, Mapping[str, str]], str]
"""Takes the same, and gives the answer itself; it neither fails nor takes time."""


def call_of(fill: Fill) -> Call:
    """The same as a call."""
    return lambda message, groups: succeed(collect(fill(message, groups)))


Kind = Literal["match", "hear", "fallback"]

#: One thing that is said, and the beginning of each answer to it.
Example = tuple[str, ...]


@frozen
class Route:
    """One thing that a responder answers to, and ``call``, which gives the answers.

    ``pattern`` is None for what takes every text to the bot that nothing else
    answers to. ``usage`` and ``help`` are what people read about it; ``example``
    is a command and what it is answered. ``effect`` is False for what only
    answers: to run it twice does no harm, so it does not wait for the journal.
    What is ``for_everyone`` is so whomever the responder is for. Where the answer
    is a text and nothing else, ``fill`` gives it without more ado, and ``call`` the same.
    """

    pattern: Pattern | None
    call: Call
    usage: str = ""
    help: str = ""
    example: Example = ()
    effect: bool = True
    for_everyone: bool = False
    fill: Fill | None = field(default=None, kw_only=True)

    @property
    def kind(self) -> Kind:
        """When it is asked: for commands, for anything said, or when nobody else answers."""
        return kind_of(self.pattern)


def kind_of(pattern: Pattern | None) -> Kind:
    """When what has this pattern is asked."""
    return "fallback" if pattern is None else pattern.kind


@frozen
class Responder:
    """A name and its routes, which share a time limit (seconds) and who may use them.

    At most ``runs`` of it are under way at once, each of which says ``output``
    characters at most; ``rate`` is how often it answers, None for as often as asked.
    ``confirm``: whoever asks for something with effects is asked once more.
    ``approve``: so many others who may use it have to agree. ``scope`` is None for
    what has no code of its own.
    """

    name: str
    routes: tuple[Route, ...]
    timeout: float = 30.0
    access: Access = EVERYONE
    confirm: bool = field(default=False, kw_only=True)
    approve: int = field(default=0, kw_only=True)
    scope: Scope | None = field(default=None, eq=False, repr=False, kw_only=True)
    runs: int = field(default=MAX_RUNS, kw_only=True)
    output: int = field(default=MAX_LENGTH, kw_only=True)
    rate: Rate | None = field(default=None, kw_only=True)

    @property
    def has_effects(self) -> bool:
        """Whether any of it waits for the journal."""
        return any(route.effect for route in self.routes)


Chosen = tuple[Responder, Route, dict[str, str]]
"""Who answers, to what, and the named groups that its pattern found."""


# In code


def _check_example(_: object, __: object, value: object) -> None:
    if isinstance(value, str):
        raise TypeError('an example is a tuple: a command and its answers, as in ("ping", "pong")')


@frozen
class Declared:
    """What a decorator says about its function."""

    pattern: Pattern | None
    usage: str | None = field(default=None, kw_only=True)
    help: str | None = field(default=None, kw_only=True)
    example: Example = field(default=(), kw_only=True, validator=_check_example)
    effect: bool = field(default=True, kw_only=True)
    for_everyone: bool = field(default=False, kw_only=True)

    @property
    def kind(self) -> Kind:
        """As of the route that it makes."""
        return kind_of(self.pattern)


def respond(
    pattern: str,
    *,
    usage: str | None = None,
    help: str | None = None,
    example: Example = (),
    effect: bool = True,
) -> Callable[[F], F]:
    r"""The decorated callable answers when what is said *to the bot* is ``pattern``, all of it.

    For example::

        @respond(
            r"deploy (?P<app>[\w-]+)( to (?P<env>\w+))?",
            usage="deploy APP [to ENV]",
            help="ship APP",
            example=("deploy web to staging", "web is on staging"),
        )
        async def deploy(message, app, env="production"):
            await ship(app, env)
            return f"{app} is on {env}"

    It takes the message, and by keyword the pattern's named groups that took
    part, converted to what its annotations say (docs/responders.md has the
    table); what does not convert is answered with the usage. It answers with
    what it returns (a str, a list of them, or None), yields, or replies with
    :meth:`Message.reply`. A coroutine function, an ``async def`` generator, or
    what is annotated to return a Deferred, runs on the reactor and must not
    block; everything else runs in a thread. Several decorators make several
    commands; decorated methods make one each.

    ``usage`` is how it is written, for people, and made of the pattern by
    default; ``help`` is one line about it, the docstring's first by default;
    ``example`` is a command and the beginning of each answer to it.

    ``effect=False`` promises that it only answers: no harm is done by running
    it twice, and it still runs while the journal cannot be written.

    :raises re.error: when ``pattern`` is no regular expression.
    """
    declared = Declared(
        Pattern.match(pattern), usage=usage, help=help, example=example, effect=effect
    )
    return partial(_attach, declared)


def hear(
    pattern: str,
    *,
    usage: str | None = None,
    help: str | None = None,
    example: Example = (),
    effect: bool = True,
) -> Callable[[F], F]:
    r"""The decorated callable answers whenever ``pattern`` is found in what anyone says.

    That is when no command of anybody's fits what was said. A group that does
    not convert says nothing here, since nothing was asked. The rest is as in
    :func:`respond`. ::

        @hear(r"\bgood (?P<time>morning|evening)\b", effect=False)
        async def greet(message, time):
            return f"Good {time}, {message.speaker}!"
    """
    declared = Declared(
        Pattern.hear(pattern), usage=usage, help=help, example=example, effect=effect
    )
    return partial(_attach, declared)


@overload
def fallback(function: F) -> F: ...


@overload
def fallback(*, example: Example = (), for_everyone: bool = False) -> Callable[[F], F]: ...


def fallback(
    function: F | None = None, *, example: Example = (), for_everyone: bool = False
) -> F | Callable[[F], F]:
    """The decorated callable answers what is said to the bot and fits nothing else.

    It takes the message alone. Fallbacks are asked in turn, in the order of the
    ini, until one says something: one that says nothing leaves it to the next.
    With ``for_everyone=True`` it is asked whomever ``allow`` and ``deny`` name.
    """
    declared = Declared(
        None, usage="", help="", example=example, effect=False, for_everyone=for_everyone
    )
    if function is None:
        return partial(_attach, declared)
    return _attach(declared, function)


#: Nothing is done again sooner, or later, than after so many seconds.
MIN_PERIOD = 1.0
MAX_PERIOD = 366 * 86400.0


@frozen
class Every:
    """That a function is called again and again: every so many seconds."""

    period: float
    at_start: bool = False


def every(period: str | timedelta, *, at_start: bool = False) -> Callable[[F], F]:
    """The decorated function or method is called again and again, without a message.

    ``period`` is written as in the ini (``"30s"``, ``"10m"``, ``"1h30m"``,
    ``"1d"``), or a timedelta, and is from one second to 366 days. First after
    one period, or, with ``at_start=True``, also at once when the bot starts. ::

        @every("10m")
        async def look():
            if await is_down():
                say("ops@rooms.example.org", "the shop is down")

    It takes nothing (but ``self``), and what it returns is not used: what is
    to be heard is said with :func:`say`. As any responder's code, a coroutine
    function runs on the reactor and a plain one in a thread. It has the
    responder's time limit. While it is at work it is not called again. When it
    raises, that is one line in the log (the first time with the traceback), and
    it goes on. It stops when the responder is unloaded.

    A ValueError when the period is wrong.
    """
    seconds = (
        period.total_seconds()
        if isinstance(period, timedelta)
        else durations.seconds(period, MAX_PERIOD)
    )
    if not MIN_PERIOD <= seconds <= MAX_PERIOD:
        raise ValueError(f"every {period}: it is from 1s to 366d")
    declared = Every(seconds, at_start)

    def attach(target: F) -> F:
        setattr(target, _EVERY, (declared, *getattr(target, _EVERY, ())))
        return target

    return attach


def repeated_by(target: object) -> Iterator[tuple[Callable[..., Any], tuple[Every, ...]]]:
    """Each callable of ``target`` that is called again and again, and how often."""
    if inspect.isroutine(target):
        if every := getattr(target, _EVERY, ()):
            yield target, every
        return
    for name, method in _methods(target):
        if every := getattr(method, _EVERY, ()):
            yield getattr(target, name), every


def webhook(name: str) -> Callable[[F], F]:
    """The decorated function or method takes what is posted to ``[webhook NAME]`` of the ini.

    That section says ``template = responder``, and where, with which secret and
    in which room. It takes the JSON object that was posted and the headers, by
    their names in small letters and without the proof of the secret. What it
    returns (a str, a list of them, or None) is said in the webhook's room, by the
    same rules as all that webhooks say. ::

        @webhook("orders")
        def ordered(payload, headers):
            if payload.get("total", 0) > 1000:
                return f"A large order: {payload['total']}"

    A coroutine function runs on the reactor and a plain one in a thread, with
    the responder's time limit. To raise :class:`Failed` refuses the post, with
    its text for who posted. **Whatever was posted is a stranger's**: any part of
    it may be missing, or of another type.
    """

    def attach(target: F) -> F:
        setattr(target, _POSTED, (name, *getattr(target, _POSTED, ())))
        return target

    return attach


def posted_to(target: object) -> Iterator[tuple[Callable[..., Any], tuple[str, ...]]]:
    """Each callable of ``target`` that takes posts, and the names of the webhooks."""
    if inspect.isroutine(target):
        if names := getattr(target, _POSTED, ()):
            yield target, names
        return
    for name, method in _methods(target):
        if names := getattr(method, _POSTED, ()):
            yield getattr(target, name), names


def is_responder(value: object) -> bool:
    """Whether a function, an object or a class answers to something, or is done by itself."""
    parts = [value]
    if not inspect.isroutine(value):
        cls = value if isinstance(value, type) else type(value)
        parts += [method for base in cls.__mro__ for method in vars(base).values()]
    return any(hasattr(part, mark) for part in parts for mark in (_DECLARED, _EVERY, _POSTED))


def _methods(target: object) -> Iterator[tuple[str, object]]:
    """What is in the classes of ``target``, each name once, as the nearest class has it."""
    seen = set()
    for base in type(target).__mro__:
        for name, method in vars(base).items():
            if name not in seen:
                seen.add(name)
                yield name, method


def _attach(declared: Declared, target: F) -> F:
    setattr(target, _DECLARED, (declared, *getattr(target, _DECLARED, ())))
    return target


def declared_by(target: object) -> Iterator[tuple[Callable[..., Any], tuple[Declared, ...]]]:
    """Each callable of ``target`` that answers to something, and to what; topmost first.

    A function, or an object with decorated methods, whose class may be
    decorated in place of ``__call__``.
    """
    if inspect.isroutine(target):
        if declared := getattr(target, _DECLARED, ()):
            yield target, declared
        return
    on_object: tuple[Declared, ...] = getattr(target, _DECLARED, ())
    for name, method in _methods(target):
        found: tuple[Declared, ...] = getattr(method, _DECLARED, ())
        if name == "__call__" and (on_object or found):
            yield cast(Callable[..., Any], target), on_object + found
        elif found:
            yield getattr(target, name), found
