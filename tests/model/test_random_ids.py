"""Tests of :mod:`xbot.model.random_ids`."""

import re

from twisted.trial import unittest

from xbot.model.random_ids import new_ident


class IdentTests(unittest.TestCase):
    def test_different_and_alike(self):
        """Each is new, across the portions in which chance is asked for, and of one form."""
        given = [new_ident() for _ in range(1000)]
        self.assertEqual(len(set(given)), 1000)
        self.assertTrue(all(re.fullmatch(r"[\w-]{12}", each) for each in given))
