"""The oldest releases that we take, which are tested: ``.ci/oldest.txt``."""

import configparser
import re

from twisted.trial import unittest

from tests.daemon import ROOT


class OldestTests(unittest.TestCase):
    def test_as_declared(self) -> None:
        """Each dependency has a lower bound in setup.cfg, and just that release is tested."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        declared = {}
        for line in setup["options"]["install_requires"].split():
            name, bound = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<\d+)?", line).groups()
            declared[name] = bound
        self.assertIn("twisted", declared)
        pins = dict(
            line.split("==")
            for line in (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
            if line and not line.startswith("#")
        )
        for name, bound in declared.items():
            pinned = pins[name].split(".")
            self.assertEqual(pinned[: len(bound.split("."))], bound.split("."), name)
            self.assertFalse(any(int(part) for part in pinned[len(bound.split(".")) :]), name)
