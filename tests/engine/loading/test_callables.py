"""Tests of :mod:`xbot.engine.loading.callables`."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from attrs import evolve
from twisted.internet import defer, reactor
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from xbot.engine.loading.callables import BadSignature, call_of, work_of
from xbot.matching.pattern import Pattern
from xbot.model.message import Message
from xbot.process.threads import Busy, InThread
from xbot.runtime.answers import MAX_ANSWERS, Answers
from xbot.runtime.failures import Misused
from xbot.runtime.timer import StillAtWork

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")


class Counted:
    """A fake thread pool that runs calls in this thread, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, function: Callable[..., Any], /, *args: Any, cancel: Any = None) -> Any:
        self.count += 1
        return defer.maybeDeferred(function, *args)


async def coroutine(message: Message, a: str = "?") -> str:
    return await succeed(a)


@inlineCallbacks
def generated(message: Message, a: str = "?"):  # type: ignore[no-untyped-def]
    yield succeed(None)
    return a


def annotated(message: Message, a: str = "?") -> Deferred[str]:
    return succeed(a)


def annotated_with_text(message: Message, a: str = "?") -> defer.Deferred[str]:
    return succeed(a)


class CallableObject:
    async def __call__(self, message: Message, a: str = "?") -> str:
        return a


def plain(message: Message, a: str = "?") -> str:
    return a


def gives_deferred(message: Message, a: str = "?") -> Any:
    return succeed(a)


def gives_coroutine(message: Message, a: str = "?") -> Any:
    return coroutine(message, a)


@functools.wraps(coroutine)
def wrapper(message: Message, a: str = "?") -> Any:
    return coroutine(message, a)


class RunTests(TestCase):
    def run_it(
        self,
        function: Callable[..., object],
        groups: Mapping[str, str] | None = None,
        pattern: str = "(?P<a>.*)(?P<b>.*)",
        in_thread: Any = None,
    ) -> Answers:
        run = call_of(function, [Pattern.match(pattern)], in_thread or Counted(), clock=Clock())
        return self.successResultOf(run(MESSAGE, groups or {}))

    def test_on_the_reactor(self) -> None:
        """Coroutines, inlineCallbacks and what returns a Deferred need no thread."""
        really_annotated = functools.partial(annotated)
        annotated.__annotations__["return"] = Deferred[str]
        for function in (
            coroutine,
            generated,
            annotated,
            annotated_with_text,
            CallableObject(),
            really_annotated,
        ):
            threads = Counted()
            answers = self.run_it(function, {"a": "hi"}, in_thread=threads)
            self.assertEqual(answers, Answers(("hi",)), function)
            self.assertEqual(threads.count, 0, function)

    def test_in_a_thread(self) -> None:
        """Every other callable gets a thread, and what it then awaits is awaited."""
        for function in (plain, gives_deferred, gives_coroutine, wrapper):
            threads = Counted()
            answers = self.run_it(function, {"a": "hi"}, in_thread=threads)
            self.assertEqual(answers, Answers(("hi",)), function)
            self.assertEqual(threads.count, 1, function)

    async def test_real_thread(self) -> None:
        """A blocking function blocks a thread of its own, not the reactor."""
        seen = []

        def function(message: Message) -> str:
            seen.append(threading.get_ident())
            return message.body

        run = call_of(function, [], InThread(reactor), clock=Clock())
        self.assertEqual(await run(MESSAGE, {}), Answers(("ping",)))
        self.assertNotEqual(seen, [threading.get_ident()])

    def test_groups(self) -> None:
        """Groups go to the parameters of their names; absent ones leave the defaults."""

        def takes_all(message: Message, **groups: str) -> str:
            return repr(sorted(groups.items()))

        self.assertEqual(self.run_it(plain, {"b": "x"}).said, ("?",))
        self.assertEqual(self.run_it(plain, {"a": "y", "b": "x"}).said, ("y",))
        self.assertEqual(self.run_it(takes_all, {"b": "x"}).said, ("[('b', 'x')]",))

    def test_converted(self) -> None:
        """Groups become what the annotations say; what does not is misuse, and runs nothing."""
        ran = []

        async def takes_int(message: Message, a: int = 0, *, b: int | None = None) -> str:
            ran.append(a)
            return repr((a, b))

        self.assertEqual(self.run_it(takes_int, {"a": "3", "b": "4"}).said, ("(3, 4)",))
        self.assertEqual(self.run_it(takes_int, {}).said, ("(0, None)",))
        ran.clear()
        call = call_of(takes_int, [Pattern.match("(?P<a>.*)")], Counted(), clock=Clock())
        failure = self.failureResultOf(call(MESSAGE, {"a": "three"}), Misused)
        self.assertEqual(str(failure.value), "A is no whole number")
        self.assertEqual(ran, [])

    def test_unknown_annotations(self) -> None:
        """What no text can become is found at load, where a group would need it."""

        def takes_bytes(message: NobodyKnows, a: bytes = b"", c: bytes = b"") -> None:  # type: ignore[name-defined]  # noqa: F821
            ...

        call_of(takes_bytes, [Pattern.match("x")], Counted(), clock=Clock())
        for pattern in ("(?P<a>x)", "(?P<c>x)"):
            with self.assertRaises(BadSignature) as caught:
                call_of(takes_bytes, [Pattern.match(pattern)], Counted(), clock=Clock())
            self.assertIn("can become a value of type bytes", str(caught.exception))

    def test_failures(self) -> None:
        """Whatever is raised, wherever, is the run's failure."""
        for error in (ValueError, SystemExit, GeneratorExit, StopIteration, defer.CancelledError):

            def raises(message: Message, error: type[BaseException] = error) -> None:
                raise error

            answers = self.run_it(raises)
            assert answers.failure is not None
            self.assertIsInstance(answers.failure.value, error)

            async def raises_later(message: Message, error: type[BaseException] = error) -> None:
                await succeed(None)
                raise error

            run = call_of(raises_later, [], Counted(), clock=Clock())
            self.failureResultOf(run(MESSAGE, {}))

    def test_bad_signatures(self) -> None:
        """A callable that cannot be called is found before anyone calls it."""

        def positional(message: Message, a: str, /) -> None: ...

        for function, reason in (
            (lambda: None, "takes no message"),
            (lambda *, message: None, "takes no message"),
            (lambda message, c: None, "'c' has no default"),
            (lambda message, *, c: None, "'c' has no default"),
            (positional, "cannot be given by name"),
            (dict, "cannot be known"),
        ):
            with self.assertRaises(BadSignature) as caught:
                self.run_it(function)
            self.assertIn(reason, str(caught.exception))
        for function in (lambda *args: None, lambda m, a, b: None, lambda m, c=1, *, d=2: None):
            call_of(function, [Pattern.match("(?P<a>.)(?P<b>.)")], Counted(), clock=Clock())

    def test_group_of_every_pattern(self) -> None:
        """A parameter without default needs its group in every pattern."""
        patterns = [Pattern.match("(?P<a>x)"), Pattern.match("y")]
        with self.assertRaises(BadSignature):
            call_of(lambda message, a: None, patterns, Counted(), clock=Clock())


class ReplyChannel:
    """A fake output that records what a run says while it runs."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: Message) -> None:
        self.said.append(message.body)


class GeneratorTests(TestCase):
    def setUp(self) -> None:
        self.reply_channel = ReplyChannel()
        self.message = evolve(MESSAGE, reply_channel=self.reply_channel)
        self.threads = Counted()
        self.clock = Clock()

    def run_it(self, function: Callable[..., object]) -> Deferred[Answers]:
        return call_of(function, [], self.threads, clock=self.clock)(self.message, {})

    def test_kinds(self) -> None:
        """What is yielded is said at once: blocking ones in a thread, others on the reactor."""
        said = self.reply_channel.said

        def blocking(message: Message) -> Iterator[str]:
            yield "a"
            self.assertEqual(said, ["a"])
            yield "b"

        async def not_blocking(message: Message) -> AsyncIterator[str]:
            yield "a"
            self.assertEqual(said, ["a"])
            await succeed(None)
            yield "b"

        async def gives_iterator(message: Message) -> Iterator[str]:
            return iter(["a", "b"])

        def gives_asynchronous(message: Message) -> AsyncIterator[str]:
            return not_blocking(message)

        class Callable_:
            async def __call__(self, message: Message) -> AsyncIterator[str]:
                yield "a"
                yield "b"

        for function, threads in (
            (blocking, 1),
            (not_blocking, 0),
            (gives_iterator, 1),
            (gives_asynchronous, 1),
            (Callable_(), 0),
        ):
            self.threads.count = 0
            self.assertEqual(self.successResultOf(self.run_it(function)), Answers())
            self.assertEqual((said, self.threads.count), (["a", "b"], threads), function)
            said.clear()

    def test_goes_on(self) -> None:
        """One that yields more than may be said goes on to its end; the rest is not kept."""
        done: list[str] = []

        def many(message: Message) -> Iterator[str]:
            for number in range(1000):
                yield str(number)
            done.append("plain")

        async def many_later(message: Message) -> AsyncIterator[str]:
            for number in range(50):
                yield str(number)
            done.append("asynchronous")

        for function in (many, many_later):
            self.assertIsNone(self.successResultOf(self.run_it(function)).failure)
        self.assertEqual(done, ["plain", "asynchronous"])
        self.assertEqual(self.reply_channel.said[: MAX_ANSWERS + 2], [*map(str, range(11)), "0"])

    def test_endless(self) -> None:
        """One that never ends, blank or not, is closed at the run's time-out."""
        closed = []
        is_over: list[Callable[[], None]] = []

        def endless(message: Message) -> Iterator[str]:
            try:
                for number in itertools.count():
                    if number == 5000:
                        is_over[0]()
                    yield ""
            finally:
                closed.append("plain")

        async def endless_later(message: Message) -> AsyncIterator[str]:
            try:
                while True:
                    yield "x"
            finally:
                closed.append("asynchronous")

        def in_thread(function: Any, /, *args: Any, cancel: Any = None) -> Any:
            is_over.append(cancel)
            return defer.maybeDeferred(function, *args)

        run = call_of(endless, [], in_thread, clock=self.clock)(self.message, {})
        self.assertIsNone(self.successResultOf(run).failure)
        self.assertEqual((self.reply_channel.said, closed), ([], ["plain"]))
        run = self.run_it(endless_later)
        for _ in range(10):
            # The reactor has its turns meanwhile.
            self.assertNoResult(run)
            self.clock.advance(1)
        run.addErrback(lambda _: None).cancel()
        self.assertEqual(closed, ["plain", "asynchronous"])

    def test_failures(self) -> None:
        """What was yielded before a failure is said; what is no text is one."""

        def fails(message: Message) -> Iterator[str]:
            yield "a"
            raise ValueError

        def yields_bytes(message: Message) -> Iterator[object]:
            yield b"x"

        async def fails_later(message: Message) -> AsyncIterator[str]:
            yield "a"
            raise ValueError

        for function, error in ((fails, ValueError), (yields_bytes, TypeError)):
            failure = self.successResultOf(self.run_it(function)).failure
            assert failure is not None
            self.assertIsInstance(failure.value, error)
        self.failureResultOf(self.run_it(fails_later), ValueError)
        self.assertEqual(self.reply_channel.said, ["a", "a"])

    def test_cancelled(self) -> None:
        """After its limit a generator is closed: at its next answer, or where it waits."""
        waiting: Deferred[None] = Deferred()
        ended = []

        async def waits(message: Message) -> AsyncIterator[str]:
            try:
                yield "a"
                await waiting
            finally:
                ended.append("asynchronous")

        run = self.run_it(waits)
        run.addErrback(lambda _: None).cancel()
        self.assertEqual(ended, ["asynchronous"])

        def goes_on(message: Message) -> Iterator[str]:
            try:
                yield "a"
                yield "b"
            finally:
                ended.append("plain")

        cancelled = []

        def in_thread(function: Any, /, *args: Any, cancel: Any = None) -> Any:
            cancelled.append(cancel)
            cancel()
            return defer.maybeDeferred(function, *args)

        self.reply_channel.said.clear()
        self.successResultOf(call_of(goes_on, [], in_thread, clock=Clock())(self.message, {}))
        self.assertEqual((self.reply_channel.said, ended), (["a"], ["asynchronous", "plain"]))


class WorkTests(TestCase):
    def test_kinds(self) -> None:
        """Coroutines run on the reactor, everything else in a thread; both are awaited."""
        done: list[str] = []

        async def on_reactor() -> None:
            await succeed(None)
            done.append("reactor")

        def in_thread() -> Any:
            done.append("thread")
            return on_reactor()

        threads = Counted()
        for function in (on_reactor, in_thread):
            self.successResultOf(work_of(function, threads)())
        self.assertEqual((done, threads.count), (["reactor", "thread", "reactor"], 1))

    def test_thread_that_is_left_behind(self) -> None:
        """While a thread is at work it is not begun again, even if nobody waits for it."""
        threads: list[Callable[[], object]] = []

        def in_thread(function: Any, /, *args: Any, cancel: Any = None) -> Any:
            threads.append(function)
            return Deferred()

        work = work_of(lambda: None, in_thread)
        work().addErrback(lambda _: None).cancel()
        self.failureResultOf(work(), StillAtWork)
        threads.pop()()
        self.assertNoResult(work())

    def test_no_thread(self) -> None:
        """When there is no thread for it, it may be tried again."""
        work = work_of(lambda: None, lambda *args, cancel=None: defer.fail(Busy(1)))
        for _ in range(2):
            self.failureResultOf(work(), Busy)

    def test_bad_signatures(self) -> None:
        """What needs an argument, or yields answers to nobody, is found at load."""

        async def yields() -> Any:
            yield 1

        for function in (lambda message: None, yields):
            self.assertRaises(BadSignature, work_of, function, Counted())
