"""Mutation tests: without any one guard, a test fails."""

import unittest as standard

from twisted.trial import unittest

from tests.hostile.guards import GUARDS, Guard
from xbot.model.jid import _prepare


class GuardTests(unittest.TestCase):
    def failures(self, guard):
        """What fails when the guard's test runs now."""
        (test,) = standard.TestLoader().loadTestsFromName(guard.test_name)
        result = standard.TestResult()
        test.run(result)
        self.flushLoggedErrors()
        self.assertEqual((result.testsRun, result.skipped), (1, []))
        return result.failures + result.errors

    def check(self, guard):
        self.assertEqual(self.failures(guard), [], f"{guard.test} fails as it is")
        # What was prepared without the guard is not to be found by other tests.
        self.addCleanup(_prepare.cache_clear)
        guard.remove(self.patch)
        self.assertNotEqual(self.failures(guard), [], f"nobody notices the loss of: {guard.name}")

    def test_names(self):
        """Each guard is listed once."""
        names = [guard.name for guard in GUARDS]
        self.assertEqual(len(set(names)), len(names))
        self.assertGreaterEqual(len(names), 30)


def _add(number: int, guard: Guard) -> None:
    def test(self: GuardTests) -> None:
        self.check(guard)

    words = "".join(character if character.isalnum() else "_" for character in guard.name)
    test.__doc__ = f"Without this guard a test fails: {guard.name} ({guard.test})."
    setattr(GuardTests, f"test_{number:02}_{words}", test)


for _number, _guard in enumerate(GUARDS, 1):
    _add(_number, _guard)
