"""The bounded FIFO of joins."""

import time

from twisted.trial import unittest

from xbot.chat.xmpp.rooms.join_queue import JoinQueue


class TurnsTests(unittest.TestCase):
    def setUp(self):
        self.turns, self.gone = JoinQueue(2, 6), []

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

    def test_who_answers_quickly(self):
        """Each that is answered lets one more go from then on, up to the most."""
        self.ask(*range(40))
        for answered, gone in enumerate((2, 4, 6, 8, 10, 11, 12)):
            self.assertEqual(len(self.gone), gone)
            self.turns.end(answered, answered=True)

    def widen(self):
        """Twenty ask; four were answered, so that six go now."""
        self.ask(*range(20))
        for number in range(4):
            self.turns.end(number, answered=True)
        self.assertEqual(self.gone, list(range(10)))

    def test_no_answer(self):
        """One that is not answered takes back what the others won."""
        self.widen()
        for number in (4, 5, 6, 7):
            self.turns.end(number)
            self.assertEqual(len(self.gone), 10)
        self.turns.end(8)
        self.assertEqual(len(self.gone), 11)

    def test_afterwards(self):
        """When nobody waits any more, or all is over, it begins anew."""
        for end in (
            lambda: [self.turns.end(number, answered=True) for number in range(4, 20)],
            lambda: self.turns.clear(),
        ):
            self.setUp()
            self.widen()
            end()
            self.gone.clear()
            self.ask(*"abcd")
            self.assertEqual(self.gone, ["a", "b"])

    def test_who_had_no_turn(self):
        """Who ends without having had a turn changes nothing for those who come."""
        self.ask(*"abcd")
        self.turns.end("x", answered=True)
        self.turns.end("d")
        self.turns.end("a")
        self.assertEqual(self.gone, ["a", "b", "c"])

    def test_many(self):
        """Fifty thousand take no quadratic time."""
        began = time.process_time()
        self.ask(*range(50_000))
        for number in range(50_000):
            self.turns.end(number)
        self.assertEqual(self.gone, list(range(50_000)))
        self.assertLess(time.process_time() - began, 5)
