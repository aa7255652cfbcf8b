"""The decorators ``respond``, ``hear``, ``fallback``, ``every`` and ``webhook``.

They only mark functions; the loader reads the marks with the functions below them.
"""

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
    """What ``respond``, ``hear`` or ``fallback`` declares about its function."""

    pattern: Pattern | None
    usage: str | None = field(default=None, kw_only=True)
    help: str | None = field(default=None, kw_only=True)
    example: Example = field(default=(), kw_only=True, validator=_check_example)
    effect: bool = field(default=True, kw_only=True)
    for_everyone: bool = field(default=False, kw_only=True)

    @property
    def kind(self) -> Kind:
        """The kind of route that it makes."""
        return kind_of(self.pattern)


def respond(
    pattern: str,
    *,
    usage: str | None = None,
    help: str | None = None,
    example: Example = (),
    effect: bool = True,
) -> Callable[[F], F]:
    r"""Decorator: answer commands *to the bot* whose whole text matches ``pattern``.

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

    The function takes the message, and by keyword the pattern's named groups that
    matched, converted to the types of its annotations (table in docs/responders.md).
    If a value does not convert, the answer is the usage. The function answers with
    what it returns (a str, a list of them, or None), yields, or sends with
    :meth:`Message.reply`. A coroutine function, an ``async def`` generator, or a
    function annotated to return a Deferred runs on the reactor and must not block;
    any other runs in a thread. Several decorators make several commands; each
    decorated method makes its own.

    ``usage`` is the syntax for people, by default derived from the pattern; ``help``
    is one line about it, by default the first of the docstring; ``example`` is a
    command and the beginning of each answer to it.

    ``effect=False`` promises that the function only answers: running it twice does no
    harm, and it also runs while the journal cannot be written.

    :raises re.error: when ``pattern`` is no valid regular expression.
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
    r"""Decorator: answer any message in which ``pattern`` is found, addressed to the bot or not.

    It is tried only if no command of any responder matches the message. If a group does
    not convert, there is no answer. All else is as in :func:`respond`. ::

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
    """Decorator: answer messages to the bot that nothing else matches.

    The function takes only the message. Fallbacks are called in the order of the ini
    until one answers; one that returns nothing passes to the next. With
    ``for_everyone=True`` it ignores ``allow`` and ``deny``.
    """
    declared = Declared(
        None, usage="", help="", example=example, effect=False, for_everyone=for_everyone
    )
    if function is None:
        return partial(_mark, _DECLARED, declared)
    return _mark(_DECLARED, declared, function)


#: Limits of the period of ``every``, in seconds.
MIN_PERIOD = 1.0
MAX_PERIOD = 366 * 86400.0


@frozen
class Every:
    """What ``every`` declares about its function: the period in seconds."""

    period: float
    at_start: bool = False


def every(period: str | timedelta, *, at_start: bool = False) -> Callable[[F], F]:
    """Decorator: call the function or method periodically, without a message.

    ``period`` is written as in the ini (``"30s"``, ``"10m"``, ``"1h30m"``,
    ``"1d"``), or a timedelta, from one second to 366 days. The first call is after
    one period, or, with ``at_start=True``, at once when the bot starts. ::

        @every("10m")
        async def look():
            if await is_down():
                say("ops@rooms.example.org", "the shop is down")

    The function takes no arguments (but ``self``), and its result is ignored: use
    :func:`say` to send messages. A coroutine function runs on the reactor, a plain
    one in a thread, with the responder's time limit. Calls do not overlap: while one
    runs the next is skipped. An exception is logged (the first time with its
    traceback) and does not stop the timer. Unloading the responder does.

    :raises ValueError: when the period is invalid.
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
    """Each callable of ``target`` that ``every`` marked, and its marks."""
    return _marked(target, _EVERY)


def webhook(name: str) -> Callable[[F], F]:
    """Decorator: handle posts to the ini's ``[webhook NAME]`` with the function or method.

    That section has ``template = responder``, and the path, secret and room. The
    function takes the posted JSON object and the headers, with names in lower case and
    without signature or token. What it returns (a str, a list of them, or None) is
    sent to the webhook's room, like the text of any webhook. ::

        @webhook("orders")
        def ordered(payload, headers):
            if payload.get("total", 0) > 1000:
                return f"A large order: {payload['total']}"

    A coroutine function runs on the reactor and a plain one in a thread, with
    the responder's time limit. Raise :class:`Failed` to refuse the post; the client
    gets its text. **Do not trust the payload**: any part of it may be missing, or of
    another type.
    """
    return partial(_mark, _POSTED, name)


def posted_to(target: object) -> Iterator[tuple[Callable[..., Any], tuple[str, ...]]]:
    """Each callable of ``target`` that ``webhook`` marked, and the webhooks' names."""
    return _marked(target, _POSTED)


def is_responder(value: object) -> bool:
    """Whether a function, an object or a class has one of these decorators."""
    parts = [value]
    if not inspect.isroutine(value):
        cls = value if isinstance(value, type) else type(value)
        parts += [method for base in cls.__mro__ for method in vars(base).values()]
    return any(hasattr(part, mark) for part in parts for mark in (_DECLARED, _EVERY, _POSTED))


def declared_by(target: object) -> Iterator[tuple[Callable[..., Any], tuple[Declared, ...]]]:
    """Each callable of ``target`` that answers messages, and its declarations, topmost first.

    ``target`` is a function, or an object with decorated methods; its class may be
    decorated instead of ``__call__``.
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
    """Prepend ``what`` to the marks of ``target``; return ``target``."""
    setattr(target, mark, (what, *getattr(target, mark, ())))
    return target


def _marked(target: object, mark: str) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """The function ``target``, or each method of it, that has ``mark``, and the marks' values."""
    if inspect.isroutine(target):
        if found := getattr(target, mark, ()):
            yield target, found
        return
    for name, method in _methods(target):
        if found := getattr(method, mark, ()):
            yield getattr(target, name), found


def _methods(target: object) -> Iterator[tuple[str, object]]:
    """The class attributes of ``target``, each name once, in method resolution order."""
    seen = set()
    for base in type(target).__mro__:
        for name, method in vars(base).items():
            if name not in seen:
                seen.add(name)
                yield name, method
