"""Tests of :mod:`xbot.model.fair_share`: some is always left for users who hold little."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from xbot.model.fair_share import domain_of, may_have_more


class ShareTests(unittest.TestCase):
    @given(st.lists(st.integers(0, 5), max_size=200), st.integers(1, 64))
    def test_something_is_left(self, asking, most):
        """Whoever asks how often, the bound holds, and nobody has more than half of it."""
        taken: dict[int, int] = {}
        for who in asking:
            own, free = taken.get(who, 0), most - sum(taken.values())
            if may_have_more(own, most - free, most):
                taken[who] = own + 1
        self.assertLessEqual(sum(taken.values()), most)
        for own in taken.values():
            self.assertLessEqual(own, most // 2 + 1)

    def test_alone(self):
        """One alone has half of it; of one thing all."""
        for most, expected in (1, 1), (2, 1), (4, 2), (64, 32):
            own = 0
            while may_have_more(own, own, most):
                own += 1
            self.assertEqual(own, expected, most)

    def test_domains(self):
        """The domain of an address, whatever else it has."""
        for address in "b.example", "a@b.example", "a@b.example/c@d/e", "b.example/c@d":
            self.assertEqual(domain_of(address), "b.example")
