"""Lifecycle of loaded responders: start, replace on reload, close."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.config.settings import ResponderSettings
from xbot.engine.loading.loader import problem
from xbot.engine.loading.mistakes import place_of
from xbot.model.errors import InvalidConfig, Problem
from xbot.runtime.responder import Responder
from xbot.runtime.scope import Scope


class Lifecycle:
    """The scopes of the current responders, and of replaced ones that are still closing."""

    _log = Logger("xbot")

    def __init__(self, responders: Sequence[Responder]) -> None:
        self._current = _scopes(responders)
        self._closing: set[Deferred[None]] = set()

    def start(self) -> None:
        """Start all responders; one that fails is logged, and replies with that when used."""
        for scope in self._current:
            started = scope.start()
            started.addCallbacks(
                lambda _, scope=scope: scope.begin(),
                lambda failure, scope=scope: self._got_failure(failure, scope),
            )

    async def prepare(
        self, responders: Sequence[Responder], settings: Iterable[ResponderSettings]
    ) -> None:
        """Start new responders beside the current ones, for :meth:`take_over`.

        :raises InvalidConfig: with those that cannot be started; all new ones are closed.
        """
        scopes = _scopes(responders)
        failures: dict[str, Failure] = {}
        try:
            await DeferredList(
                [
                    scope.start().addErrback(partial(failures.__setitem__, scope.name))
                    for scope in scopes
                ]
            )
        except BaseException:
            self._close(scopes)
            raise
        if failures:
            self._close(scopes)
            raise InvalidConfig(
                [_problem(each, failures[each.name]) for each in settings if each.name in failures]
            )

    def take_over(self, responders: Sequence[Responder]) -> None:
        """Make these prepared responders the current ones; the old ones close after their runs."""
        old, self._current = self._current, _scopes(responders)
        for scope in self._current:
            scope.begin()
        self._close(old)

    def discard(self, responders: Sequence[Responder]) -> None:
        """Close prepared responders that are not taken over."""
        self._close(_scopes(responders))

    def close(self) -> Deferred[object]:
        """Close all responders; fires when they are closed."""
        self._close(self._current)
        return gatherResults(list(self._closing)).addCallback(lambda _: None)

    def _close(self, scopes: Iterable[Scope]) -> None:
        for scope in scopes:
            closed = scope.close()
            self._closing.add(closed)
            closed.addCallback(self._got_closed, closed)

    def _got_closed(self, _: object, closed: Deferred[None]) -> None:
        self._closing.discard(closed)

    def _got_failure(self, failure: Failure, scope: Scope) -> None:
        self._log.failure(
            "{responder} could not be started", failure, LogLevel.error, responder=scope.name
        )


def _scopes(responders: Iterable[Responder]) -> list[Scope]:
    return [responder.scope for responder in responders if responder.scope is not None]


def _problem(settings: ResponderSettings, failure: Failure) -> Problem:
    error = failure.value
    where = place_of(error) if error is not None else ""
    name, what = type(error).__name__, failure.getErrorMessage()
    reason = f"cannot be started: {name}: {what}{where and f' ({where})'}"
    return problem(settings, "use", reason)
