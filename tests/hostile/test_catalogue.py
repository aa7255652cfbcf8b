"""The catalogue itself: every row has a test, and nothing else does."""

from collections import Counter
from pathlib import Path
from unittest import TestLoader

from twisted.trial import unittest

from tests.hostile.bot import HostileCase
from tests.hostile.catalogue import CATALOGUE, OUTCOMES

#: Rows whose guard is not there yet.
NOT_YET: set[str] = set()


def tested():
    """How many tests there are of each row."""
    package = Path(__file__).parent
    names = [f"tests.hostile.{path.stem}" for path in package.glob("test_*.py")]
    found, suites = Counter(), [TestLoader().loadTestsFromNames(names)]
    while suites:
        for each in suites.pop():
            if hasattr(each, "__iter__"):
                suites.append(each)
            elif isinstance(each, HostileCase) and each._testMethodName.startswith("test_"):
                found[each._testMethodName.removeprefix("test_")] += 1
    return found


class CatalogueTests(unittest.TestCase):
    def test_each_row_once(self):
        """Each row has one test, which is named after it."""
        self.assertEqual(tested(), Counter(set(CATALOGUE) - NOT_YET))

    def test_rows(self):
        """Each of the 109 rows says what must follow, and from whom it comes."""
        self.assertEqual(len(CATALOGUE), 109)
        for row in CATALOGUE.values():
            self.assertTrue(row.input and row.must)
            self.assertLessEqual(set(row.outcomes), set(OUTCOMES))
            self.assertIn(
                row.sender, ("network", "server", "stranger", "occupant", "owner", "operator")
            )
