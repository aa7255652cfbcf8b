"""Tests of :mod:`xbot.state.sqlite.one_thread`."""

import threading

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from xbot.state.sqlite.one_thread import OneThread


class OneThreadTests(TestCase):
    async def test_in_order(self) -> None:
        """Everything happens in one thread that is not ours, in order, and results come here."""
        in_thread = OneThread(reactor, "test")
        seen: list[int] = []
        ours = threading.get_ident()
        results = await gatherResults(
            [in_thread(lambda n=n: (seen.append(n), threading.get_ident())) for n in range(20)]
        )
        self.assertEqual(seen, list(range(20)))
        self.assertEqual(len({thread for _, thread in results} - {ours}), 1)
        self.assertEqual(threading.get_ident(), ours)
        in_thread.stop()

    async def test_failure(self) -> None:
        """What is raised is the result's failure, and the thread goes on."""
        in_thread = OneThread(reactor, "test")
        for error in (ValueError, SystemExit):

            def raises(error: type[BaseException] = error) -> None:
                raise error

            await self.assertFailure(in_thread(raises), error)
        self.assertEqual(await in_thread(len, "abc"), 3)
        in_thread.stop()

    async def test_stop(self) -> None:
        """The thread ends after what it was given before."""
        in_thread = OneThread(reactor, "test stop")
        last = in_thread(threading.current_thread)
        in_thread.stop()
        thread = await last
        thread.join(10)
        self.assertFalse(thread.is_alive())
