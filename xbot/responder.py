"""Responders: what answers to which patterns, and the decorators that say so in code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred

from xbot.answers import Answers, cut
from xbot.errors import XbotError
from xbot.matching.pattern import Pattern
from xbot.message import Message

_ROUTES = "__xbot_routes__"
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


Run = Callable[[Message, Mapping[str, str]], Deferred[Answers]]


@frozen
class Responder:
    """A name, what it answers to, and ``run``, which gives the answers.

    ``usage`` and ``help`` are what people read about it, ``timeout`` (seconds)
    what a run may take. ``effect`` is False for one that only answers: to run
    it twice does no harm, so it does not wait for the journal.
    """

    name: str
    patterns: tuple[Pattern, ...]
    run: Run
    usage: str = ""
    help: str = ""
    timeout: float = 30.0
    effect: bool = True

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
    effect: bool = field(default=True, kw_only=True)


def respond(
    pattern: str, *, usage: str | None = None, help: str | None = None, effect: bool = True
) -> Callable[[F], F]:
    """The decorated callable answers when what is said *to the bot* is ``pattern``, all of it.

    ``effect=False`` promises that it only answers: no harm is done by running
    it twice, and it still runs while the journal cannot be written.
    """
    return partial(_attach, Route(Pattern.match(pattern), usage=usage, help=help, effect=effect))


def hear(
    pattern: str, *, usage: str | None = None, help: str | None = None, effect: bool = True
) -> Callable[[F], F]:
    """The decorated callable answers whenever ``pattern`` is found in what anyone says.

    ``effect`` is that of :func:`respond`.
    """
    return partial(_attach, Route(Pattern.hear(pattern), usage=usage, help=help, effect=effect))


def _attach(route: Route, target: F) -> F:
    setattr(target, _ROUTES, (route, *getattr(target, _ROUTES, ())))
    return target


def routes_of(target: Callable[..., object]) -> tuple[Route, ...]:
    """The routes attached to a function, or to an object's class or ``__call__``; topmost first."""
    on_call: tuple[Route, ...] = getattr(type(target).__call__, _ROUTES, ())
    own: tuple[Route, ...] = getattr(target, _ROUTES, ())
    return own + on_call
