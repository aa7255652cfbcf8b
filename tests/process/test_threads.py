"""Tests of :mod:`xbot.process.threads`."""

import threading
from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from xbot.process.threads import Busy, InThread


def raise_system_exit() -> None:
    raise SystemExit(3)


class InThreadTests(TestCase):
    def setUp(self) -> None:
        self.in_thread = InThread(reactor, limit=3, limit_each=2)
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    async def test_result(self) -> None:
        """The result comes back on the reactor's thread, from a daemon thread."""

        def work(number: int) -> tuple[int, bool, int]:
            return number + 1, threading.current_thread().daemon, threading.get_ident()

        result, daemon, thread = await self.in_thread(work, 1)
        self.assertEqual((result, daemon), (2, True))
        self.assertNotEqual(thread, threading.get_ident())

    async def test_failure(self) -> None:
        """Whatever is raised, SystemExit included, is the Deferred's failure."""
        with self.assertRaises(SystemExit):
            await self.in_thread(raise_system_exit)

    async def test_more_at_once(self) -> None:
        """A function may have its own limit, up to that of all."""
        stuck = [self.in_thread(self.release.wait, at_once=3) for _ in range(3)]
        with self.assertRaises(Busy):
            await self.in_thread(self.release.wait, at_once=3)
        self.release.set()
        for each in stuck:
            await each

    async def test_limits(self) -> None:
        """At the limit of one function, or of all, it fails with Busy; later it works again."""
        stuck = [self.in_thread(self.release.wait) for _ in range(2)]
        with self.assertRaises(Busy) as caught:
            await self.in_thread(self.release.wait)
        self.assertEqual(caught.exception.limit, 2)
        other = self.in_thread(partial(self.release.wait))
        with self.assertRaises(Busy) as caught:
            await self.in_thread(int)
        self.assertEqual(caught.exception.limit, 3)
        self.release.set()
        for deferred in (*stuck, other):
            self.assertTrue(await deferred)
        self.assertEqual(await self.in_thread(int), 0)

    async def test_owners(self) -> None:
        """One owner has as many threads as are left, with whatever functions; others have those."""
        self.in_thread = InThread(reactor, limit=4, limit_each=4)
        stuck = [self.in_thread(partial(self.release.wait), owner="hog") for _ in range(2)]
        with self.assertRaises(Busy):
            await self.in_thread(int, owner="hog")
        self.assertEqual(await self.in_thread(int, owner="other"), 0)
        self.release.set()
        for each in stuck:
            await each
        self.assertEqual(await self.in_thread(int, owner="hog"), 0)
        self.assertEqual(self.in_thread._alive_of, {})

    async def test_cancelled(self) -> None:
        """Cancelling calls the hook; the late result is dropped, its thread counted till then."""
        asked: list[bool] = []

        def hook() -> None:
            asked.append(True)
            self.release.set()

        deferred = self.in_thread(self.release.wait, cancel=hook)
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        self.assertEqual(asked, [True])
        await self.in_thread.wind_down()
        self.assertEqual(await self.in_thread(int), 0)

    async def test_result_so_far(self) -> None:
        """What the hook returns is the result of a cancelled call."""

        def hook() -> bool:
            self.release.set()
            return False

        deferred = self.in_thread(self.release.wait, cancel=hook)
        deferred.cancel()
        self.assertIs(self.successResultOf(deferred), False)
        await self.in_thread.wind_down()

    async def test_late_failure(self) -> None:
        """A failure after the cancellation is no error of anybody's."""

        def work() -> None:
            self.release.wait()
            raise ValueError("too late")

        deferred = self.in_thread(work, cancel=self.release.set)
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        await self.in_thread.wind_down()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_wind_down_at_once(self) -> None:
        """Nobody waits for a thread that nobody can ask to stop."""
        deferred = self.in_thread(self.release.wait)
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        self.successResultOf(self.in_thread.wind_down())
