"""How code says what it answers to: the decorators, and what they have declared of a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast, overload

from attrs import field, frozen

from xbot.matching.pattern import Kind, Pattern, kind_of
from xbot.runtime.responder import Example
from xbot.text import durations

_DECLARED = "__xbot_routes__"
_EVERY = "__xbot_every__"
_POSTED = "__xbot_posted__"
F = TypeVar("F", bound=Callable[..., Any])


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
    return partial(_mark, _DECLARED, declared)


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
    return partial(_mark, _DECLARED, declared)


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
        return partial(_mark, _DECLARED, declared)
    return _mark(_DECLARED, declared, function)


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
    return partial(_mark, _EVERY, Every(seconds, at_start))


def repeated_by(target: object) -> Iterator[tuple[Callable[..., Any], tuple[Every, ...]]]:
    """Each callable of ``target`` that is called again and again, and how often."""
    return _marked(target, _EVERY)


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
    return partial(_mark, _POSTED, name)


def posted_to(target: object) -> Iterator[tuple[Callable[..., Any], tuple[str, ...]]]:
    """Each callable of ``target`` that takes posts, and the names of the webhooks."""
    return _marked(target, _POSTED)


def is_responder(value: object) -> bool:
    """Whether a function, an object or a class answers to something, or is done by itself."""
    parts = [value]
    if not inspect.isroutine(value):
        cls = value if isinstance(value, type) else type(value)
        parts += [method for base in cls.__mro__ for method in vars(base).values()]
    return any(hasattr(part, mark) for part in parts for mark in (_DECLARED, _EVERY, _POSTED))


def declared_by(target: object) -> Iterator[tuple[Callable[..., Any], tuple[Declared, ...]]]:
    """Each callable of ``target`` that answers to something, and to what; topmost first.

    A function, or an object with decorated methods, whose class may be
    decorated in place of ``__call__``.
    """
    if inspect.isroutine(target):
        yield from _marked(target, _DECLARED)
        return
    on_object: tuple[Declared, ...] = getattr(target, _DECLARED, ())
    for name, method in _methods(target):
        found: tuple[Declared, ...] = getattr(method, _DECLARED, ())
        if name == "__call__" and (on_object or found):
            yield cast(Callable[..., Any], target), on_object + found
        elif found:
            yield getattr(target, name), found


def _mark(mark: str, what: object, target: F) -> F:
    """``target`` with one thing more, before the others, that its decorators say of it."""
    setattr(target, mark, (what, *getattr(target, mark, ())))
    return target


def _marked(target: object, mark: str) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """A function, or each method of an object, that bears this mark, and what that says."""
    if inspect.isroutine(target):
        if found := getattr(target, mark, ()):
            yield target, found
        return
    for name, method in _methods(target):
        if found := getattr(method, mark, ()):
            yield getattr(target, name), found


def _methods(target: object) -> Iterator[tuple[str, object]]:
    """What is in the classes of ``target``, each name once, as the nearest class has it."""
    seen = set()
    for base in type(target).__mro__:
        for name, method in vars(base).items():
            if name not in seen:
                seen.add(name)
                yield name, method
