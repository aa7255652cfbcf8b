"""Tests of :mod:`xbot.engine.loading.finding`."""

from __future__ import annotations

import importlib.metadata
import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from tests.environment import FakeEnvironment
from xbot.config.settings import ResponderSettings
from xbot.engine.loading import finding
from xbot.engine.loading.loader import load_responders, modules_of
from xbot.engine.loading.reimport import fresh_modules
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.message import Message
from xbot.runtime.responder import Responder

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "x")


class FindingCase(TestCase):
    def setUp(self) -> None:
        before = set(sys.modules)
        self.addCleanup(
            lambda: [sys.modules.pop(name) for name in set(sys.modules) - before if "xbot_" in name]
        )
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def load(self, *settings: ResponderSettings) -> tuple[Responder, ...]:
        return load_responders(settings, FakeEnvironment().environment(), bundled=False)

    def said(self, responder: Responder) -> tuple[str, ...]:
        answers = self.successResultOf(responder.routes[0].call(MESSAGE, {}))
        self.assertIsNone(answers.failure)
        return answers.said

    def problem(self, settings: ResponderSettings) -> Problem:
        with self.assertRaises(InvalidConfig) as caught:
            self.load(settings)
        (problem,) = caught.exception.problems
        return problem


class FileTests(FindingCase):
    def file(self, name: str, answer: str, more: str = "") -> ResponderSettings:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        source = f"""
            from xbot import respond
            {more}
            @respond("x")
            async def x(message): return {answer}
        """
        path.write_text(textwrap.dedent(source))
        return ResponderSettings(path.stem, file=path)

    def test_of_one_name(self) -> None:
        """Files of one name in two folders are two modules."""
        one, two = self.load(self.file("a/x.py", "'a'"), self.file("b/x.py", "'b'"))
        self.assertEqual((self.said(one), self.said(two)), (("a",), ("b",)))

    def test_siblings(self) -> None:
        """A file imports what lies beside it, and may have a name that Python could not import."""
        (self.folder / "_shared.py").write_text("VALUE = 'shared'\n")
        settings = self.file("my-tea.py", "VALUE", "from ._shared import VALUE")
        (responder,) = self.load(settings)
        self.assertEqual(self.said(responder), ("shared",))

    def test_fresh(self) -> None:
        """A reload has new code even of a file of the same size and age, unless it fails."""
        settings = self.file("x.py", "'one'")
        (old,) = self.load(settings)
        modules = {name: each for name, each in sys.modules.items() if "xbot_folder" in name}
        self.file("x.py", "'two'")
        with fresh_modules(modules_of([settings])):
            (new,) = self.load(settings)
        self.assertEqual((self.said(old), self.said(new)), (("one",), ("two",)))
        newer = {name: each for name, each in sys.modules.items() if "xbot_folder" in name}
        self.assertEqual(newer.keys(), modules.keys())
        self.file("x.py", "'two'", "1 / 0")
        with self.assertRaises(InvalidConfig), fresh_modules(modules_of([settings])):
            self.load(settings)
        for name, module in newer.items():
            self.assertIs(sys.modules[name], module)

    def test_problems(self) -> None:
        """What is wrong with a file is told with its name, and with no option that is not there."""
        problem = self.problem(self.file("x.py", "'x'", "1 / 0"))
        self.assertEqual((problem.section, problem.option), ("responder x", ""))
        self.assertIn("ZeroDivisionError", problem.reason)
        self.assertIn(f"{self.folder}/x.py:3", problem.reason)
        (self.folder / "y.py").write_text("def y(): pass\n")
        problem = self.problem(ResponderSettings("y", file=self.folder / "y.py"))
        self.assertEqual(
            problem.reason,
            f"{self.folder}/y.py defines no responder; decorate one with @respond",
        )


class EntryPointTests(FindingCase):
    OFFERED = (
        EntryPoint("ping", "xbot.responders.ping:ping", finding.GROUP),
        EntryPoint("both", "a:b", finding.GROUP),
        EntryPoint("both", "c:d", finding.GROUP),
    )

    def setUp(self) -> None:
        super().setUp()
        self.patch(importlib.metadata, "entry_points", self.entry_points)

    def entry_points(self, *, group: str, name: str | None = None) -> list[Any]:
        self.assertEqual(group, "xbot.responders")
        return [each for each in self.OFFERED if name in (None, each.name)]

    def test_used(self) -> None:
        """What a package offers is loaded where the ini names it."""
        (responder,) = self.load(ResponderSettings("p", use="entry-point:ping"))
        self.assertEqual([route.usage for route in responder.routes], ["ping"])

    def test_not_used(self) -> None:
        """Installing a package loads nothing of it; what it offers can be listed."""
        self.assertEqual(self.load(), ())
        self.assertEqual([each.name for each in finding.offered()], ["both", "both", "ping"])

    def test_problems(self) -> None:
        """An offer that is not there, or there twice, is a mistake."""
        reason = self.problem(ResponderSettings("p", use="entry-point:tea")).reason
        self.assertIn("no installed package offers 'tea'; there are: both, both, ping", reason)
        reason = self.problem(ResponderSettings("p", use="entry-point:both")).reason
        self.assertIn("several installed packages offer 'both': a:b and c:d", reason)
