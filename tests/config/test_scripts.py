"""Tests of :mod:`xbot.config.scripts`."""

import shlex

from twisted.trial.unittest import TestCase

from xbot.config.scripts import scripts


class ScriptsTests(TestCase):
    def test_scripts(self) -> None:
        """What a program reads as code is found, behind others too; what only looks so is not."""
        for line, code in (
            ("sh -c 'echo {x}' sh {y}", ["echo {x}"]),
            ("/bin/bash -eu -o pipefail -c 'a {x}'", ["a {x}"]),
            ("/usr/bin/python3.11 -Ic 'print(1)' {x}", ["print(1)"]),
            ("sudo -u web env A=b bash -lc '{x}'", ["{x}"]),
            ("perl -ne '{x}'", ["{x}"]),
            ("node -e {x}", ["{x}"]),
            ("sh script.sh -c {x}", []),
            ("grep -c {x} file", []),
            ("python3 -m thing -c {x}", []),
            ("sh -c", []),
            ("echo {x}", []),
        ):
            self.assertEqual(scripts(shlex.split(line)), code, line)
