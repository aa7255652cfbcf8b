"""Tests of the catalogue itself: every row has exactly one test."""

import re
from collections import Counter
from pathlib import Path
from unittest import TestLoader

from twisted.trial import unittest

from tests.hostile.bot import HostileCase
from tests.hostile.catalogue import CATALOGUE, OUTCOMES, ROUTES, SERVERS
from tests.integration import test_ejabberd, test_prosody
from tests.integration.attacks import ATTACKS, ELSEWHERE

#: The page that lists where each row is tested, and which tests back which promise.
PAGE = Path(__file__).parents[2] / "docs" / "SECURITY.md"

#: "X01", and "X01-X06" for a range of rows.
_ROWS = re.compile(r"\b([NAXITLO])(\d\d)\b(?:-\1(\d\d)\b)?")

#: Rows whose guard is not implemented yet.
NOT_YET: set[str] = set()


def rows_in(text):
    """The rows named in ``text``."""
    return {
        f"{letter}{number:02}"
        for letter, first, last in _ROWS.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def tested():
    """The number of tests of each row."""
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
            self.assertIn(row.route, ROUTES)

    def test_attack(self):
        """What an account can send through a server, it sends: all of that, and no other row."""
        by_row = {row: set() for row in CATALOGUE}
        for attack in ATTACKS:
            by_row[attack.row].update(attack.servers)
        routes = {frozenset(): "-", frozenset(SERVERS): "both"}
        routes |= {frozenset([name]): name for name in SERVERS}
        self.assertEqual(
            {row: routes[frozenset(servers)] for row, servers in by_row.items()},
            {row.id: "-" if row.route == "test" else row.route for row in CATALOGUE.values()},
        )

    def test_elsewhere(self):
        """What other tests on servers bring about has a test on each of them."""
        self.assertEqual(
            set(ELSEWHERE), {row.id for row in CATALOGUE.values() if row.route == "test"}
        )
        for name in " ".join(ELSEWHERE.values()).split():
            case, _, test = name.partition(".")
            for module in test_prosody, test_ejabberd:
                self.assertTrue(callable(getattr(getattr(module, case), test)), name)

    def test_page(self):
        """What the page says of rows and tests is so."""
        page = PAGE.read_text()
        for route in ROUTES:
            found = re.search(rf"^\| `{route}` \| (\d+): ([^|]*) \|", page, re.MULTILINE)
            rows = {row.id for row in CATALOGUE.values() if row.route == route}
            self.assertEqual(rows_in(found[2]) if found else set(), rows)
            self.assertEqual(int(found[1]) if found else 0, len(rows))
        self.assertLessEqual(rows_in(page), set(CATALOGUE))
        for name in re.findall(r"`((?:tests|benchmarks|xbot)/[^`*]*)`", page):
            self.assertTrue((PAGE.parents[1] / name).exists(), name)
