"""Scope: one loaded responder's life cycle, and everything that unloading it must undo."""

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
from xbot.runtime.answers import MAX_LENGTH, TOO_LONG, Answers, cut
from xbot.runtime.call_types import Call, Prepare, Start, TakesPost, TwoStepCall, Work
from xbot.runtime.environment import Environment
from xbot.runtime.failures import Failed
from xbot.runtime.interfaces import IBot
from xbot.runtime.timer import Timer
from xbot.runtime.unflushed import Unflushed

#: Rate limit of :func:`xbot.say` per responder: MAX_SAID messages in PERIOD seconds.
MAX_SAID = 100
PERIOD = 60.0

#: Maximum number of ``on_close`` functions per responder.
MAX_TO_CLOSE = 1000

#: Time limit of a ``stop`` method, and of an ``on_close`` function, in seconds.
STOP_LIMIT = 5.0

T = TypeVar("T")


class OutsideResponder(XbotError):
    """The function was called outside of a responder's code, so its responder is not known.

    In a thread or a callback of your own, call it through
    ``contextvars.copy_context().run``, where the context was copied in the responder.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} works only in code that a loaded responder runs")
        self.what = what


class NotInThread(XbotError):
    """The function works on the reactor's thread only: use it in an ``async def`` function."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not work in a thread: write a coroutine function")
        self.what = what


class Unloaded(XbotError):
    """The responder was unloaded, by a reload or at shutdown."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the responder {name} was unloaded")
        self.name = name


class MayNotWrite(XbotError):
    """The ini does not permit to write to this person unasked: add it to ``may-write-to``."""

    def __init__(self, name: str, person: Jid) -> None:
        super().__init__(
            f"{name} may not write to {person}: it is no room, and neither may-write-to in [xbot]"
            f" nor allow in [responder {name}] names it"
        )
        self.name = name
        self.person = person


class SaysTooMuch(XbotError):
    """The responder exceeded the rate limit of ``say``: call it less often."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has said {MAX_SAID} things within {PERIOD:g} s")
        self.name = name


class State(Enum):
    """State in a scope's life cycle."""

    LOADED = "loaded"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    CLOSING = "closing"  # waits for its runs to end
    STOPPING = "stopping"
    CLOSED = "closed"


#: States in which the responder answers nothing.
_NOT_ANSWERING = frozenset({State.FAILED, State.STOPPING, State.CLOSED})

_CURRENT: ContextVar[Scope] = ContextVar("xbot_scope")


def current(what: str) -> Scope:
    """The scope of the calling responder; ``what`` names the caller's function for the error."""
    scope = _CURRENT.get(None)
    if scope is None:
        raise OutsideResponder(what)
    return scope


class Scope:
    """Resources of one loaded responder; closing the scope releases all of them.

    The responder is loaded in :meth:`entered`. :meth:`start` runs its ``start``
    method and :meth:`begin` starts its timers. :meth:`close` stops the timers, waits
    for its runs, and calls its ``stop`` method and its ``on_close`` functions.
    ``limit`` is the time limit of its functions, in seconds.
    """

    _log = Logger()

    def __init__(self, name: str, environment: Environment, limit: float = 30.0) -> None:
        self.name = name
        self.state = State.LOADED
        #: The webhook handlers, by the webhook's name.
        self.posts: dict[str, TakesPost] = {}
        #: Counts brain writes that are not durable yet.
        self.unsaved = Unflushed(name, environment.saved)
        self._environment = environment
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

    # For the responder's code, in any thread

    def say(self, to: str | Jid, text: str) -> None:
        """Send ``text`` to a room or a person, subject to the rate limit."""
        if not isinstance(text, str):
            raise TypeError(f"say takes a str, not {type(text).__name__}")
        jid = to if isinstance(to, Jid) else Jid.parse(to)
        self._check_open()
        if not text.strip():
            return
        environment = self._environment
        bare = str(jid.bare)
        room = bare if environment.is_room(bare) else None
        if room is None:
            self.check_person(jid)
        self._count()
        if len(text) > MAX_LENGTH:
            self._log.warn(
                "{responder} said more to {recipient} than is shown: {cut}",
                responder=self.name,
                recipient=str(jid),
                cut=TOO_LONG,
            )
        kind = "groupchat" if room and not jid.resource else "chat"
        message = Message(environment.address, str(jid), cut(text), {"type": kind}, room=room)
        self._on_reactor(environment.say, message)

    def bot(self, what: str) -> IBot:
        """The bot; ``what`` names the caller's function for the error."""
        self._check_open()
        if threading.get_ident() != self._home:
            raise NotInThread(what)
        if self._environment.bot is None:
            raise OutsideResponder(what)
        return self._environment.bot

    def check_person(self, person: Jid) -> None:
        """Raise MayNotWrite if the ini does not permit to write to ``person`` unasked."""
        if not self._environment.may_write_to(self.name, person):
            raise MayNotWrite(self.name, person)

    def obey(self, obey: Callable[..., None], *args: Any) -> None:
        """Call ``obey(*args)`` of the bot; it counts towards the rate limit of ``say``."""
        self._count()
        # A fresh context, because another responder answers: current() must not return this one.
        Context().run(obey, *args)

    def _count(self) -> None:
        """Count one message towards the rate limit; raises SaysTooMuch beyond it."""
        with self._lock:
            now = self._environment.clock.seconds()
            while self._said and now - self._said[0] >= PERIOD:
                self._said.popleft()
            if len(self._said) >= MAX_SAID:
                raise SaysTooMuch(self.name)
            self._said.append(now)

    @property
    def memory(self) -> MutableMapping[str, Any]:
        """The responder's namespace in the brain. After a write, call ``unsaved.got_write``."""
        self._check_open()
        if self._memory is None:
            self._memory = self._environment.memory(self.name)
        return self._memory

    def on_close(self, function: Callable[[], object]) -> None:
        """Register ``function()`` to be called, on the reactor, when the responder is unloaded."""
        self._check_open()
        if not callable(function):
            raise TypeError("on_close takes a function")
        with self._lock:
            if len(self._to_close) >= MAX_TO_CLOSE:
                raise XbotError(f"{self.name} has {MAX_TO_CLOSE} on_close functions already")
            self._to_close.append(function)

    def _check_open(self) -> None:
        if self.state is State.CLOSED:
            raise Unloaded(self.name)

    def _on_reactor(self, function: Callable[..., object], *args: object) -> None:
        if threading.get_ident() == self._home:
            function(*args)
        else:
            self._environment.clock.callFromThread(function, *args)

    # Life cycle, on the reactor

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Context manager: code that runs in the block belongs to this responder."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` as this responder's code, including what it starts.

        Coroutines, inlineCallbacks and :class:`~xbot.process.threads.InThread` copy the
        context in which they are started.
        """
        token = _CURRENT.set(self)
        try:
            return function(*args)
        finally:
            _CURRENT.reset(token)

    def bound(self, call: Call, kind: Kind) -> Call:
        """Wrap ``call`` to run in this scope: it waits for ``start``, and fails once unloaded."""
        if not isinstance(call, TwoStepCall):
            return self._bound(call, kind)
        given = call.prepare

        def prepare(message: Message, groups: Mapping[str, str]) -> Start:
            return self._prepared(given, kind, message, groups)

        return TwoStepCall(self._bound(call.call, kind), prepare)

    def _prepared(
        self, prepare: Prepare, kind: Kind, message: Message, groups: Mapping[str, str]
    ) -> Start:
        if self.state in _NOT_ANSWERING:
            refusal = self._refusal()
            # The message did not address the bot: stay silent.
            raise Failed("", refusal.reason) if kind == "hear" else refusal
        start = self.run(prepare, message, groups)
        bound = self._bound(lambda message, groups: start(message), kind)
        return lambda message: bound(message, groups)

    def _bound(self, call: Call, kind: Kind) -> Call:
        def run(message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
            if self.state in _NOT_ANSWERING:
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
        """Add a timer that calls ``work`` every ``period`` seconds after :meth:`begin`."""
        self._timers.append(
            Timer(
                f"{self.name}: {name}",
                period,
                lambda: self.run(work),
                self._limit,
                self._environment.clock,
                at_start=at_start,
            )
        )

    def add_life(self, start: Work | None, stop: Work | None) -> None:
        """Add a start and a stop function; ``stop`` is called only if ``start`` succeeded."""
        self._lives.append((start, stop))

    def add_post(self, name: str, take: TakesPost) -> None:
        """Register ``take`` as the handler of posts to the webhook ``name``."""

        def run(payload: dict[str, Any], headers: Mapping[str, str]) -> Deferred[Answers]:
            if self.state is not State.READY:
                return fail(Unloaded(self.name))
            answers = maybeDeferred(self.run, take, payload, headers)
            answers.addTimeout(self._limit, self._environment.clock)
            answers.addCallback(self._got_posted, name)
            self._under_way += 1
            return answers.addBoth(self._got_end)

        self.posts[name] = run

    def start(self) -> Deferred[None]:
        """Run the ``start`` methods; fails if one fails. Messages wait until it is over."""
        self._starting = Deferred.fromCoroutine(self._start())
        return self._starting

    def begin(self) -> None:
        """Start the timers. Call it when the responder begins to answer messages."""
        if self.state in (State.LOADED, State.READY):
            for timer in self._timers:
                timer.start()

    def close(self) -> Deferred[None]:
        """Release everything. Fires when that is done, and never fails."""
        if self.state in (State.CLOSING, State.STOPPING, State.CLOSED):
            return succeed(None)
        self.state = State.CLOSING
        return Deferred.fromCoroutine(self._close()).addErrback(self._got_surprise)

    async def _start(self) -> None:
        """Run the start functions in order; undo them all if one fails."""
        if self.state is not State.LOADED:
            # The bot was stopped before this responder started.
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
        """Stop timers, wait for runs, then call the stop and ``on_close`` functions."""
        for timer in self._timers:
            timer.stop()
        if self._starting is not None:
            self._starting.cancel()
        if self._under_way:
            self._until_idle = Deferred()
            try:
                await self._until_idle.addTimeout(self._limit, self._environment.clock)
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
                "{responder} failed while it was stopped", responder=self.name, level=LogLevel.error
            )

    async def _within(self, limit: float, function: Callable[[], object]) -> None:
        done: Deferred[Any] = maybeDeferred(self.run, _awaitable, function)
        await done.addTimeout(limit, self._environment.clock)

    def _got_posted(self, answers: Answers, name: str) -> Answers:
        if answers.cut:
            self._log.warn(
                "{responder} said more about the post to {webhook} than is shown: {cut}",
                responder=self.name,
                webhook=name,
                cut=answers.cut,
            )
        return answers

    def _got_end(self, result: T) -> T:
        self._under_way -= 1
        if self._until_idle is not None and not self._under_way:
            idle, self._until_idle = self._until_idle, None
            # Later, so that the answers of the last run are sent first.
            self._environment.clock.callLater(0, idle.callback, None)
        return result

    def _refuse(self, kind: Kind) -> Deferred[Answers]:
        if kind == "hear":
            # The message did not address the bot: stay silent.
            return succeed(Answers())
        return fail(self._refusal())

    def _refusal(self) -> Failed:
        """Why it does not answer."""
        if self.state is State.FAILED:
            answer, reason = "is not available; the log says why.", "it could not be started"
        else:
            answer, reason = "was just reloaded; say it again.", "it was unloaded"
        return Failed(f"{self.name} {answer}", reason)

    def _got_surprise(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("internal error unloading {responder}", failure, responder=self.name)


def _awaitable(function: Callable[[], object]) -> object:
    result = function()
    return ensureDeferred(result) if inspect.iscoroutine(result) else result
