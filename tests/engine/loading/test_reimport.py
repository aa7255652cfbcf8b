"""Tests of re-imported modules."""

import importlib
import json
import sys
from pathlib import Path

import attr
from twisted.trial import unittest

import xbot.model.jid
from xbot.engine.loading.reimport import fresh_modules


class FreshTests(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.addCleanup(self.forget)
        self.write("fresh_a/__init__", "")
        self.write("fresh_a/one", "from fresh_a.two import VALUE")
        self.write("fresh_a/two", "VALUE = 1")
        self.write("fresh_b", "import fresh_a.two")
        self.one = importlib.import_module("fresh_a.one")
        self.other = importlib.import_module("fresh_b")

    def write(self, name, text):
        path = self.folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")

    def forget(self):
        for name in list(sys.modules):
            if name.startswith("fresh_"):
                del sys.modules[name]

    def test_siblings_too(self):
        """A module and its siblings are new objects with new code; the old ones stay."""
        self.write("fresh_a/two", "VALUE = 22222")
        self.write("fresh_a/three", "VALUE = 3")
        with fresh_modules(["fresh_a.one"]):
            new = importlib.import_module("fresh_a.one")
            self.assertEqual(importlib.import_module("fresh_a.three").VALUE, 3)
        self.assertEqual((new.VALUE, self.one.VALUE), (22222, 1))
        self.assertIs(sys.modules["fresh_a.one"], new)
        self.assertIs(sys.modules["fresh_b"], self.other)

    def test_what_fails_changes_nothing(self):
        """When anything raises inside, every module is the one from before, and none is new."""
        before = {name: each for name, each in sys.modules.items() if name.startswith("fresh_")}
        self.write("fresh_a/three", "1 / 0")
        for wrong in ("fresh_a.three", "fresh_a.four"):
            with self.assertRaises((ZeroDivisionError, ImportError)), fresh_modules(["fresh_a"]):
                importlib.import_module("fresh_a.one")
                importlib.import_module(wrong)
            now = {name: each for name, each in sys.modules.items() if name.startswith("fresh_")}
            self.assertEqual(now, before)

    def test_what_is_installed_stays(self):
        """Neither the standard library, nor site-packages, nor xbot is imported anew."""
        with fresh_modules(["json", "attr", "xbot.model.jid", "sys", "twisted.internet.defer"]):
            for module in (json, attr, xbot.model.jid):
                self.assertIs(sys.modules[module.__name__], module)
