"""Growth of memory after the warm-up."""

from twisted.trial import unittest

from tests.soak.memory import growth


class Growth(unittest.TestCase):
    def test_flat_after_the_warm_up(self):
        """What is taken at first does not count, nor what comes and goes."""
        samples = [(float(at), 1000 if at < 30 else 5000 + 10 * (at % 2)) for at in range(91)]
        self.assertLess(abs(growth(samples)), 5)

    def test_steady_growth(self):
        """Ten KiB a second are 600 in the sixty seconds after the warm-up."""
        self.assertAlmostEqual(growth([(float(at), 10 * at) for at in range(91)]), 600)
