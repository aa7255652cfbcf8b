"""So many at a time."""

import time

from twisted.trial import unittest

from xbot.xmpp.turns import Turns


class TurnsTests(unittest.TestCase):
    def setUp(self):
        self.turns, self.gone = Turns(2), []

    def ask(self, *names):
        for name in names:
            self.turns.ask(name, lambda name=name: self.gone.append(name))

    def test_in_order(self):
        """The first go at once, the others in the order in which they asked, as turns end."""
        self.ask(*"abcd")
        self.assertEqual(self.gone, ["a", "b"])
        self.assertTrue(self.turns.is_waiting("c"))
        self.turns.end("b")
        self.turns.end("a")
        self.assertEqual(self.gone, ["a", "b", "c", "d"])
        self.assertFalse(self.turns.is_waiting("c"))

    def test_who_wants_no_more(self):
        """One who waits and ends gets no turn, and nobody else's is taken by that."""
        self.ask(*"abcd")
        self.turns.end("c")
        self.turns.end("c")
        self.turns.end("x")
        self.assertEqual(self.gone, ["a", "b"])
        self.turns.end("a")
        self.assertEqual(self.gone, ["a", "b", "d"])

    def test_clear(self):
        """After the end of all, nobody goes, and all is free."""
        self.ask(*"abcd")
        self.turns.clear()
        self.turns.end("a")
        self.assertEqual(self.gone, ["a", "b"])
        self.ask("e", "f")
        self.assertEqual(self.gone[2:], ["e", "f"])

    def test_many(self):
        """Fifty thousand take no quadratic time."""
        began = time.perf_counter()
        self.ask(*range(50_000))
        for number in range(50_000):
            self.turns.end(number)
        self.assertEqual(self.gone, list(range(50_000)))
        self.assertLess(time.perf_counter() - began, 5)
