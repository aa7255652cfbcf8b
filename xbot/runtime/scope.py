"""One loaded responder's scope: what it uses of the bot, and all that has to end with it."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from enum import Enum
from typing import Any, TypeVar

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    ensureDeferred,
    fail,
    maybeDeferred,
    succeed,
)
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.matching.pattern import Kind
from xbot.model.errors import XbotError
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.runtime.answers import Answers, cut
from xbot.runtime.call_types import Call, TakesPost, Work
from xbot.runtime.environment import Environment
from xbot.runtime.failures import Failed
from xbot.runtime.interfaces import IBot
from xbot.runtime.timer import Timer
from xbot.runtime.unflushed import Unflushed

#: In :data:`PERIOD` seconds one responder says no more than this unasked.
MAX_SAID = 100
PERIOD = 60.0

#: One responder has no more than this to undo.
MAX_TO_CLOSE = 1000

#: Seconds that a ``stop`` method, or a function given to ``on_close``, may take.
STOP_LIMIT = 5.0

T = TypeVar("T")


class OutsideResponder(XbotError):
    """Only code that a responder runs can do this: nobody else has a name or a memory.

    In a thread or a callback of your own, call it through
    ``contextvars.copy_context().run``, where the context was copied in the responder.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} works only in what a loaded responder runs")
        self.what = what


class NotInThread(XbotError):
    """Only coroutine functions can do this: write ``async def``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not work in a thread: write a coroutine function")
        self.what = what


class Unloaded(XbotError):
    """The responder was unloaded by a reload or at the end, and can do nothing any more."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the responder {name} was unloaded")
        self.name = name


class SaysTooMuch(XbotError):
    """The responder has said too much unasked. Say less, or later."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has said {MAX_SAID} things within {PERIOD:g} s")
        self.name = name


class State(Enum):
    """Where a scope is in its life."""

    LOADED = "loaded"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    CLOSING = "closing"  # what it runs may end
    STOPPING = "stopping"
    CLOSED = "closed"


#: In these it answers to nothing.
_UNABLE = frozenset({State.FAILED, State.STOPPING, State.CLOSED})

_CURRENT: ContextVar[Scope] = ContextVar("xbot_scope")


def current(what: str) -> Scope:
    """The scope of the responder whose code calls this, to do ``what``."""
    scope = _CURRENT.get(None)
    if scope is None:
        raise OutsideResponder(what)
    return scope


class Scope:
    """Everything that one loaded responder has: closing it undoes all of it.

    Loading it happens in :meth:`entered`. :meth:`start` runs its ``start``
    method, :meth:`begin` begins its timers, and :meth:`close` ends the timers,
    waits for its runs, runs its ``stop`` method and what was given to
    :meth:`on_close`. ``limit`` (seconds) is for whatever it runs.
    """

    _log = Logger()

    def __init__(self, name: str, surroundings: Environment, limit: float = 30.0) -> None:
        self.name = name
        self.state = State.LOADED
        #: What takes what is posted, by the webhook's name.
        self.posts: dict[str, TakesPost] = {}
        #: What it remembers, and may forget in a crash.
        self.unsaved = Unflushed(name, surroundings.saved)
        self._surroundings = surroundings
        self._limit = limit
        self._timers: list[Timer] = []
        self._lives: list[tuple[Work | None, Work | None]] = []
        self._to_stop: list[Work] = []
        self._to_close: list[Callable[[], object]] = []
        self._said: deque[float] = deque()
        self._lock = threading.Lock()
        self._memory: MutableMapping[str, Any] | None = None
        self._under_way = 0
        self._starting: Deferred[None] | None = None
        self._until_started: list[Deferred[None]] = []
        self._until_idle: Deferred[None] | None = None
        self._home = threading.get_ident()

    # What its code can do, in any thread

    def say(self, to: str | Jid, text: str) -> None:
        """Say ``text`` to a room or a person."""
        if not isinstance(text, str):
            raise TypeError(f"said {type(text).__name__}")
        jid = to if isinstance(to, Jid) else Jid.parse(to)
        self._check_open()
        if not text.strip():
            return
        around = self._surroundings
        self._count()
        bare = str(jid.bare)
        room = bare if around.is_room(bare) else None
        kind = "groupchat" if room and not jid.resource else "chat"
        message = Message(around.address, str(jid), cut(text), {"type": kind}, room=room)
        self._on_reactor(around.say, message)

    def bot(self, what: str) -> IBot:
        """The bot itself, to do ``what``."""
        self._check_open()
        if threading.get_ident() != self._home:
            raise NotInThread(what)
        if self._surroundings.bot is None:
            raise OutsideResponder(what)
        return self._surroundings.bot

    def obey(self, obey: Callable[..., None], *args: Any) -> None:
        """Have the bot obey something; that counts as if it were said."""
        self._count()
        # What answers it is no part of this responder.
        Context().run(obey, *args)

    def _count(self) -> None:
        """One more thing is said unasked, if that is not too much."""
        with self._lock:
            now = self._surroundings.clock.seconds()
            while self._said and now - self._said[0] >= PERIOD:
                self._said.popleft()
            if len(self._said) >= MAX_SAID:
                raise SaysTooMuch(self.name)
            self._said.append(now)

    @property
    def memory(self) -> MutableMapping[str, Any]:
        """What it remembers. Whoever changes that tells ``unsaved``."""
        self._check_open()
        if self._memory is None:
            self._memory = self._surroundings.memory(self.name)
        return self._memory

    def on_close(self, function: Callable[[], object]) -> None:
        """``function()`` is called, on the reactor, when the responder is unloaded."""
        self._check_open()
        if not callable(function):
            raise TypeError("what is to be called on close cannot be called")
        with self._lock:
            if len(self._to_close) >= MAX_TO_CLOSE:
                raise XbotError(f"{self.name} has {MAX_TO_CLOSE} things to close already")
            self._to_close.append(function)

    def _check_open(self) -> None:
        if self.state is State.CLOSED:
            raise Unloaded(self.name)

    def _on_reactor(self, function: Callable[..., object], *args: object) -> None:
        if threading.get_ident() == self._home:
            function(*args)
        else:
            self._surroundings.clock.callFromThread(function, *args)

    # Its life, on the reactor

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What is imported, made and called within is the responder's."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` as the responder: so is what it begins there.

        Coroutines, inlineCallbacks and :class:`~xbot.process.threads.InThread` take a copy
        of the context in which they begin.
        """
        token = _CURRENT.set(self)
        try:
            return function(*args)
        finally:
            _CURRENT.reset(token)

    def bound(self, call: Call, kind: Kind) -> Call:
        """``call``, as the responder's own: once it is started, and while it is loaded."""

        def run(message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
            if self.state in _UNABLE:
                return self._refuse(kind)
            if self.state is State.STARTING:
                started: Deferred[None] = Deferred()
                self._until_started.append(started)
                return started.addCallback(lambda _: run(message, groups))
            answers = self.run(call, message, groups)
            self._under_way += 1
            return answers.addBoth(self._got_end)

        return run

    def add_timer(self, name: str, period: float, at_start: bool, work: Work) -> None:
        """From :meth:`begin` on, ``work`` is done again and again."""
        self._timers.append(
            Timer(
                f"{self.name}: {name}",
                period,
                lambda: self.run(work),
                self._limit,
                self._surroundings.clock,
                at_start=at_start,
            )
        )

    def add_life(self, start: Work | None, stop: Work | None) -> None:
        """Something of its is to be started, and stopped if it was."""
        self._lives.append((start, stop))

    def add_post(self, name: str, take: TakesPost) -> None:
        """While it is ready, ``take`` gets what is posted to the webhook ``name``."""

        def run(payload: dict[str, Any], headers: Mapping[str, str]) -> Deferred[Answers]:
            if self.state is not State.READY:
                return fail(Unloaded(self.name))
            answers = maybeDeferred(self.run, take, payload, headers)
            answers.addTimeout(self._limit, self._surroundings.clock)
            self._under_way += 1
            return answers.addBoth(self._got_end)

        self.posts[name] = run

    def start(self) -> Deferred[None]:
        """Run its ``start`` method; fails with whatever that did. Who asks meanwhile waits."""
        self._starting = Deferred.fromCoroutine(self._start())
        return self._starting

    def begin(self) -> None:
        """It has taken over: its timers begin."""
        if self.state in (State.LOADED, State.READY):
            for timer in self._timers:
                timer.start()

    def close(self) -> Deferred[None]:
        """Undo all that it did. Fires when that is done, and never fails."""
        if self.state in (State.CLOSING, State.STOPPING, State.CLOSED):
            return succeed(None)
        self.state = State.CLOSING
        return Deferred.fromCoroutine(self._close()).addErrback(self._got_surprise)

    async def _start(self) -> None:
        if self.state is not State.LOADED:
            # The bot was stopped before it had started.
            return
        self.state = State.STARTING
        try:
            for start, stop in self._lives:
                if start is not None:
                    await self._within(self._limit, start)
                if stop is not None:
                    self._to_stop.append(stop)
        except BaseException:
            if self.state is State.STARTING:
                self.state = State.FAILED
                await self._undo()
            raise
        else:
            if self.state is State.STARTING:
                self.state = State.READY
        finally:
            waiting, self._until_started = self._until_started, []
            for each in waiting:
                each.callback(None)

    async def _close(self) -> None:
        for timer in self._timers:
            timer.stop()
        if self._starting is not None:
            self._starting.cancel()
        if self._under_way:
            self._until_idle = Deferred()
            try:
                await self._until_idle.addTimeout(self._limit, self._surroundings.clock)
            except TimeoutError:
                self._until_idle = None
        self.state = State.STOPPING
        await self._undo()
        self.state = State.CLOSED
        self._memory = None

    async def _undo(self) -> None:
        while self._to_stop:
            await self._ended(self._to_stop.pop())
        while self._to_close:
            await self._ended(self._to_close.pop())

    async def _ended(self, function: Callable[[], object]) -> None:
        try:
            await self._within(STOP_LIMIT, function)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._log.failure(
                "{responder} failed on being stopped", responder=self.name, level=LogLevel.error
            )

    async def _within(self, limit: float, function: Callable[[], object]) -> None:
        done: Deferred[Any] = maybeDeferred(self.run, _awaitable, function)
        await done.addTimeout(limit, self._surroundings.clock)

    def _got_end(self, result: T) -> T:
        self._under_way -= 1
        if self._until_idle is not None and not self._under_way:
            idle, self._until_idle = self._until_idle, None
            # Not before what it came to is said.
            self._surroundings.clock.callLater(0, idle.callback, None)
        return result

    def _refuse(self, kind: Kind) -> Deferred[Answers]:
        if kind == "hear":
            # Nothing was asked of it.
            return succeed(Answers())
        if self.state is State.FAILED:
            answer, reason = "is not available; the log says why.", "it could not be started"
        else:
            answer, reason = "was just reloaded; say it again.", "it was unloaded"
        return fail(Failed(f"{self.name} {answer}", reason))

    def _got_surprise(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("a mistake in closing {responder}", failure, responder=self.name)


def _awaitable(function: Callable[[], object]) -> object:
    result = function()
    return ensureDeferred(result) if inspect.iscoroutine(result) else result
