"""Tests of re-imported modules."""

import importlib
import json
import sys
from pathlib import Path

import attr
from twisted.trial import unittest

import xbot.model.jid
from xbot.engine.loading.reimport import LoadedModules, fresh_modules


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
        self.elsewhere = Path(self.mktemp()).absolute()
        self.elsewhere.mkdir()
        sys.path.insert(0, str(self.elsewhere))
        self.addCleanup(sys.path.remove, str(self.elsewhere))
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

    def test_helpers_too(self):
        """A top-level module beside a responder's is imported anew, also a package."""
        self.write("fresh_h/__init__", "VALUE = 1")
        self.write("fresh_c", "import fresh_b, fresh_h")
        old = importlib.import_module("fresh_c")
        self.write("fresh_b", "VALUE = 2")
        self.write("fresh_h/__init__", "VALUE = 22222")
        with fresh_modules(["fresh_c"]) as fresh:
            new = importlib.import_module("fresh_c")
        self.assertEqual((new.fresh_b.VALUE, new.fresh_h.VALUE), (2, 22222))
        self.assertIs(old.fresh_b, self.other)
        self.assertEqual(fresh, {"fresh_a", "fresh_b", "fresh_c", "fresh_h"})

    def test_helper_of_a_new_responder(self):
        """Also if the responder itself is new, and the helper was there before."""
        self.write("fresh_c", "from fresh_b import VALUE")
        self.write("fresh_b", "VALUE = 2")
        with fresh_modules(["fresh_c"]):
            self.assertEqual(importlib.import_module("fresh_c").VALUE, 2)

    def test_helpers_of_a_failure(self):
        """When anything raises inside, helpers are the old ones, and none is new."""
        before = {name: each for name, each in sys.modules.items() if name.startswith("fresh_")}
        self.write("fresh_new", "")
        self.write("fresh_b", "import fresh_new\n1 / 0")
        with self.assertRaises(ZeroDivisionError), fresh_modules(["fresh_a"]):
            importlib.import_module("fresh_b")
        now = {name: each for name, each in sys.modules.items() if name.startswith("fresh_")}
        self.assertEqual(now, before)

    def test_libraries_beside(self):
        """What a distribution put beside a responder (pip install --target) is left alone."""
        info = self.folder / "fresh_b-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fresh_b\nVersion: 1.0\n")
        (info / "RECORD").write_text("fresh_b.py,,\nfresh_b-1.0.dist-info/RECORD,,\n")
        with fresh_modules(["fresh_a"]):
            self.assertIs(importlib.import_module("fresh_b"), self.other)

    def test_changed_elsewhere(self):
        """A changed module that is not imported anew is told, at each reload."""
        helper = self.elsewhere / "fresh_far.py"
        helper.write_text("VALUE = 1")
        importlib.import_module("fresh_far")
        now = helper.stat().st_ctime
        loaded = LoadedModules(lambda: now + 60)
        self.assertEqual(loaded.changed(()), [])
        loaded = LoadedModules(lambda: now - 60)
        self.assertIn("fresh_far", loaded.changed(()))
        changed = loaded.changed({"fresh_a", "fresh_b"})
        self.assertIn("fresh_far", changed)
        self.assertNotIn("fresh_a", changed)

    def test_imported_later(self):
        """A module that was imported after its last change is not told."""
        loaded = LoadedModules(lambda: 0.0)
        (self.elsewhere / "fresh_far.py").write_text("VALUE = 1")
        importlib.import_module("fresh_far")
        loaded._now = lambda: (self.elsewhere / "fresh_far.py").stat().st_ctime + 1
        self.assertNotIn("fresh_far", loaded.changed(()))
        self.assertNotIn("fresh_far", loaded.changed(()))

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
