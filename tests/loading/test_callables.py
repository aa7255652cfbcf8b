"""What :mod:`xbot.loading.callables` promises."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet import defer, reactor
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.trial.unittest import TestCase

from xbot.answers import Answers
from xbot.loading.callables import BadSignature, call_of, work_of
from xbot.matching.pattern import Pattern
from xbot.message import Message
from xbot.responder import Misused
from xbot.threads import Busy, InThread
from xbot.timer import StillAtWork

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")


class Counted:
    """Runs in this thread, and counts how often."""

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


def gives_generator(message: Message, a: str = "?") -> Iterator[str]:
    yield a


class RunTests(TestCase):
    def run_it(
        self,
        function: Callable[..., object],
        groups: Mapping[str, str] | None = None,
        pattern: str = "(?P<a>.*)(?P<b>.*)",
        in_thread: Any = None,
    ) -> Answers:
        run = call_of(function, [Pattern.match(pattern)], in_thread or Counted())
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
        for function in (plain, gives_deferred, gives_coroutine, wrapper, gives_generator):
            threads = Counted()
            answers = self.run_it(function, {"a": "hi"}, in_thread=threads)
            self.assertEqual(answers, Answers(("hi",)), function)
            self.assertEqual(threads.count, 1, function)

    def test_generator_from_a_coroutine(self) -> None:
        """An iterator is consumed in a thread wherever it comes from."""

        async def function(message: Message) -> Iterator[str]:
            return iter(["a", "b"])

        threads = Counted()
        self.assertEqual(self.run_it(function, in_thread=threads), Answers(("a", "b")))
        self.assertEqual(threads.count, 1)

    async def test_real_thread(self) -> None:
        """A blocking generator function blocks a thread of its own, not the reactor."""
        seen = []

        def function(message: Message) -> Iterator[str]:
            seen.append(threading.get_ident())
            yield message.body

        run = call_of(function, [], InThread(reactor))
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
        call = call_of(takes_int, [Pattern.match("(?P<a>.*)")], Counted())
        failure = self.failureResultOf(call(MESSAGE, {"a": "three"}), Misused)
        self.assertEqual(str(failure.value), "A is no whole number")
        self.assertEqual(ran, [])

    def test_unknown_annotations(self) -> None:
        """What no text can become is found at load, where a group would need it."""

        def takes_bytes(message: NobodyKnows, a: bytes = b"", c: bytes = b"") -> None:  # type: ignore[name-defined]  # noqa: F821
            ...

        call_of(takes_bytes, [Pattern.match("x")], Counted())
        for pattern in ("(?P<a>x)", "(?P<c>x)"):
            with self.assertRaises(BadSignature) as caught:
                call_of(takes_bytes, [Pattern.match(pattern)], Counted())
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

            run = call_of(raises_later, [], Counted())
            self.failureResultOf(run(MESSAGE, {}))

    def test_bad_signatures(self) -> None:
        """A callable that cannot be called is found before anyone calls it."""

        async def yields(message: Message) -> Any:
            yield "x"

        def positional(message: Message, a: str, /) -> None: ...

        for function, reason in (
            (lambda: None, "takes no message"),
            (lambda *, message: None, "takes no message"),
            (lambda message, c: None, "'c' has no default"),
            (lambda message, *, c: None, "'c' has no default"),
            (positional, "cannot be given by name"),
            (yields, "asynchronous generator"),
            (dict, "cannot be known"),
        ):
            with self.assertRaises(BadSignature) as caught:
                self.run_it(function)
            self.assertIn(reason, str(caught.exception))
        for function in (lambda *args: None, lambda m, a, b: None, lambda m, c=1, *, d=2: None):
            call_of(function, [Pattern.match("(?P<a>.)(?P<b>.)")], Counted())

    def test_group_of_every_pattern(self) -> None:
        """A parameter without default needs its group in every pattern."""
        patterns = [Pattern.match("(?P<a>x)"), Pattern.match("y")]
        with self.assertRaises(BadSignature):
            call_of(lambda message, a: None, patterns, Counted())


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
