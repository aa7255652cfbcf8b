"""Tests of the list of gates: what the dispatcher runs, explains and counts is in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import ROOT
from xbot.engine.dispatch import consent, dispatcher, journal_gate, runs
from xbot.engine.dispatch.gates import DISPATCHED, GATES, RUN, RUN_GATES
from xbot.web import metrics

#: Fates of runs.
OF_RUNS = {fate for gate in (*RUN_GATES, RUN) for fate in gate.fates}


def ends(module: object) -> Iterator[str]:
    """The words with which the code of a module ends runs: ``end(run, WORD)``, ``NoConsent``."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        place = {"end": 1, "NoConsent": 0}.get(name)
        if place is not None and len(call.args) > place:
            for word in ast.walk(call.args[place]):
                if isinstance(word, ast.Constant):
                    yield word.value


class GatesTests(SynchronousTestCase):
    def test_ends(self) -> None:
        """Each word with which the code ends a run is a fate of a gate, and each is used."""
        found = {
            word for module in (consent, dispatcher, journal_gate, runs) for word in ends(module)
        }
        self.assertEqual(found - OF_RUNS, set())
        # These two are constants where they are used.
        self.assertEqual(OF_RUNS - found, {"throttled", "refused"})

    def test_metrics(self) -> None:
        """The metrics count as runs what only runs can come to."""
        of_messages = {fate for gate in GATES for fate in gate.fates if gate not in RUN_GATES}
        of_messages -= set(RUN.fates)
        self.assertEqual(metrics._RUNS, OF_RUNS - of_messages | {"undelivered"})
        self.assertEqual(set(metrics._MESSAGES), of_messages | {DISPATCHED})
        self.assertEqual(set(metrics._OUTCOMES), OF_RUNS - {"unsaid"})
        self.assertNotIn(DISPATCHED, OF_RUNS)

    def test_modules(self) -> None:
        """Each gate names modules that there are, and has a name of its own."""
        for gate in GATES:
            for name in gate.modules:
                import_module(f"xbot.{name}")
        self.assertEqual(len({gate.name for gate in GATES}), len(GATES))

    def test_page(self) -> None:
        """docs/ARCHITECTURE.md has a row for each gate, in order, with its fates and modules."""
        text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
        part = text.split("### Through dispatch", 1)[1].split("\n## ", 1)[0]
        rows = [
            (name, re.findall(r"`([^`]+)`", fates), re.findall(r"`([^`]+)`", modules))
            for name, fates, modules in re.findall(
                r"^\| ([a-z ]+) \| (`[^|]*) \| ([^|]*) \|", part, re.MULTILINE
            )
        ]
        expected = [
            (gate.name, list(gate.fates), [name.rpartition(".")[2] for name in gate.modules])
            for gate in GATES
        ]
        self.assertEqual(rows, expected)
