"""Responders: what answers to which patterns, and the decorators that say so in code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import Deferred

from xbot.access import EVERYONE, Access
from xbot.answers import Answers, cut
from xbot.errors import XbotError
from xbot.matching.pattern import Pattern
from xbot.message import Message

_DECLARED = "__xbot_routes__"
F = TypeVar("F", bound=Callable[..., Any])


class Failed(XbotError):
    """A responder cannot do what it was asked, and ``answer`` says so to whoever asked.

    Raise it for what is no mistake in the code: it makes one line in the log,
    with ``reason`` in it, and no traceback.
    """

    def __init__(self, answer: str, reason: str = "") -> None:
        super().__init__(reason or answer)
        self.answer = cut(str(answer))
        self.reason = reason or answer


Call = Callable[[Message, Mapping[str, str]], Deferred[Answers]]
"""Takes a message and the named groups that its pattern found."""

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
    """

    pattern: Pattern | None
    call: Call
    usage: str = ""
    help: str = ""
    example: Example = ()
    effect: bool = True

    @property
    def kind(self) -> Kind:
        """When it is asked: for commands, for anything said, or when nobody else answers."""
        return "fallback" if self.pattern is None else self.pattern.kind


@frozen
class Responder:
    """A name and its routes, which share a time limit (seconds) and who may use them.

    ``confirm``: whoever asks for something with effects is asked once more.
    ``approve``: so many others who may use it have to agree.
    """

    name: str
    routes: tuple[Route, ...]
    timeout: float = 30.0
    access: Access = EVERYONE
    confirm: bool = field(default=False, kw_only=True)
    approve: int = field(default=0, kw_only=True)

    @property
    def has_effects(self) -> bool:
        """Whether any of it waits for the journal."""
        return any(route.effect for route in self.routes)


# In code


@frozen
class Declared:
    """What a decorator says about its function."""

    pattern: Pattern | None
    usage: str | None = field(default=None, kw_only=True)
    help: str | None = field(default=None, kw_only=True)
    example: Example = field(default=(), kw_only=True)
    effect: bool = field(default=True, kw_only=True)


def respond(
    pattern: str,
    *,
    usage: str | None = None,
    help: str | None = None,
    example: Example = (),
    effect: bool = True,
) -> Callable[[F], F]:
    """The decorated callable answers when what is said *to the bot* is ``pattern``, all of it.

    ``effect=False`` promises that it only answers: no harm is done by running
    it twice, and it still runs while the journal cannot be written.
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
    """The decorated callable answers whenever ``pattern`` is found in what anyone says.

    The rest is as in :func:`respond`.
    """
    declared = Declared(
        Pattern.hear(pattern), usage=usage, help=help, example=example, effect=effect
    )
    return partial(_attach, declared)


def fallback(function: F) -> F:
    """The decorated callable answers what is said to the bot and fits nothing else."""
    return _attach(Declared(None, usage="", help="", effect=False), function)


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
    seen = set()
    for base in type(target).__mro__:
        for name, method in vars(base).items():
            if name in seen:
                continue
            seen.add(name)
            found: tuple[Declared, ...] = getattr(method, _DECLARED, ())
            if name == "__call__" and (on_object or found):
                yield cast(Callable[..., Any], target), on_object + found
            elif found:
                yield getattr(target, name), found
