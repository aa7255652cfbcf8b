"""What the documentation says, held against the code."""

import argparse
import ast
import inspect
import re
import runpy
import sys
import textwrap
from importlib import import_module
from pathlib import Path

from twisted.trial import unittest

import xbot
from tests.daemon import ROOT
from tests.environment import FakeEnvironment
from xbot import config
from xbot.api.decorators import is_responder
from xbot.cli.main import parser
from xbot.config.ini import parse
from xbot.config.options import BUNDLED, KINDS
from xbot.config.settings import ResponderSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.loading.loader import load_responders
from xbot.model.message import Message


class ConfigurationTests(unittest.TestCase):
    def test_every_option_is_documented(self):
        """docs/configuration.md has a row for each option that the code declares, and no other."""
        text = (ROOT / "docs" / "configuration.md").read_text()
        for kind in KINDS:
            heading = f"## [{kind.name} {kind.argument}]" if kind.argument else f"## [{kind.name}]"
            part = text.split(heading, 1)[1].split("\n## ", 1)[0]
            cells = re.findall(r"^\| (`[^|]+) \|", part, re.MULTILINE)
            documented = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
            self.assertEqual(documented, {option.name for option in kind.options})

    def test_every_bundled_responder_is_documented(self) -> None:
        """docs/responders.md has a row for each bundled responder, and no other."""
        text = (ROOT / "docs" / "responders.md").read_text()
        part = text.split("## Bundled responders", 1)[1].split("\n## ", 1)[0]
        # A table may follow for the options of one of them.
        table = part.split("\n\n")[1]
        cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        documented = [name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)]
        self.assertEqual(sorted(documented), sorted(BUNDLED))


class BoundsTests(unittest.TestCase):
    def test_numbers(self) -> None:
        """Each bound that docs/SECURITY.md names has the number that it tells."""
        text = (ROOT / "docs" / "SECURITY.md").read_text()
        part = text.split("## Bounds, and whose share they are", 1)[1].split("\n## ", 1)[0]
        found = re.findall(r"`([\w.]+)\.([A-Z_]+)` ([\d,]+)", part)
        self.assertGreater(len(found), 30)
        for module, name, number in found:
            value = getattr(import_module(f"xbot.{module}"), name)
            self.assertEqual(value, int(number.replace(",", "")), f"{module}.{name}")


#: Files that a reader of CONTRIBUTING.md is told to make.
TO_BE_MADE = {
    "tests/chat/xmpp/test_entity_time.py",
    "tests/responders/test_flip.py",
    "xbot/chat/queue/__init__.py",
    "xbot/chat/xmpp/entity_time.py",
    "xbot/responders/flip.py",
}


class PathTests(unittest.TestCase):
    def test_what_is_named_is_there(self) -> None:
        """Each file of ours that a page names is where it says."""
        named = set()
        top = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
        for page in (*top, *sorted((ROOT / "docs").rglob("*.md"))):
            for path in re.findall(r"`((?:tests|xbot|docs|benchmarks)/[\w./]+)`", page.read_text()):
                named.add(path)
                there = (ROOT / path).exists()
                self.assertTrue(there or path in TO_BE_MADE, f"{page.name}: {path}")
        self.assertIn("tests/engine/test_outbox.py", named)


class ExamplesTests(unittest.TestCase):
    def pages(self) -> list[Path]:
        """Every page."""
        return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

    def blocks(self, language: str) -> list[tuple[str, str]]:
        """The code blocks of a language in all pages, with the page's name."""
        return [
            (page.name, block)
            for page in self.pages()
            for block in re.findall(
                rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.M | re.S
            )
        ]

    def test_every_ini_is_valid(self):
        """Each ini shown is accepted without a warning, together with what it leaves out."""
        folder = Path(self.mktemp())
        (folder / "usr/local/bin").mkdir(parents=True)
        program = folder / "weather"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        found = self.blocks("ini")
        self.assertGreaterEqual(len(found), 4)
        for page, block in found:
            text = re.sub("^ +", "", block, flags=re.MULTILINE)
            text = text.replace("/usr/local/bin/weather", str(program.absolute()))
            if "[xmpp]" not in text:
                text += "\n[xmpp]\nserver = embedded\n"
            elif "password-file" in text:
                (folder / "xmpp.password").write_text("x")
                (folder / "xmpp.password").chmod(0o600)
            elif "embedded" not in text:
                text = text.replace("[xmpp]", "[xmpp]\npassword = x")
            for name in re.findall("^secret-file = (.+)$", text, re.MULTILINE):
                (folder / name).write_text("x")
                (folder / name).chmod(0o600)
            path = folder / "xbot.ini"
            path.write_text(text)
            path.chmod(0o600)
            # Nor is it warned of.
            self.assertEqual(config.load(path, {}).warnings, (), page)

    def test_every_python_block_runs(self):
        """Each Python example is code, and each responder in one does what its examples say."""
        found = answered = 0
        for page in self.pages():
            blocks = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", page.read_text(), re.M | re.S)
            for number, (language, block) in enumerate(blocks):
                if language != "python":
                    continue
                found += 1
                names: dict[str, object] = {"__name__": "example"}
                exec(compile(block, page.name, "exec"), names)
                own = [v for v in names.values() if getattr(v, "__module__", "") == "example"]
                if any(is_responder(value) for value in own):
                    follows = blocks[number + 1 : number + 2]
                    ini = follows[0][1] if follows and follows[0][0] == "ini" else ""
                    answered += self.check_examples(f"example_{found}", block, ini)
        self.assertGreaterEqual(found, 6)
        self.assertGreaterEqual(answered, 5)

    def test_docstrings(self):
        """What the public face shows in its docstrings is code, of names that it has."""
        found = 0
        for name in xbot.__all__:
            doc = inspect.getdoc(getattr(xbot, name)) or ""
            for block in re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", doc + "\n"):
                code = ast.parse(textwrap.dedent(block), name)
                calls = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
                self.assertTrue(calls & set(xbot.__all__), f"{name} does not use the face")
                found += 1
        self.assertGreaterEqual(found, 7)

    def check_examples(self, name: str, block: str, ini: str) -> int:
        """Load a block as a file, with an ini's options for it; how many examples it has."""
        path = Path(self.mktemp()).absolute() / f"{name}.py"
        path.parent.mkdir()
        path.write_text(block)
        common = {option.name for kind in KINDS for option in kind.options}
        options = {
            option: each.value
            for section in parse(ini.encode(), path).sections
            for option, each in section.options.items()
            if option not in common
        }
        around = FakeEnvironment()
        settings = ResponderSettings(name, file=path, settings=options)
        [responder] = load_responders([settings], around.environment(), bundled=False)
        self.successResultOf(responder.scope.start())
        responder.scope.begin()
        sent: list[Message] = []
        dispatcher = Dispatcher(
            [responder],
            sent.append,
            around.clock,
            name="xbot",
            prefix="",
            nick_in=lambda room: None,
            rooms={},
        )
        examples = [route.example for route in responder.routes if route.example]
        for said, *expected in examples:
            sent.clear()
            dispatcher.got_message(
                Message("alice@example.org/a", "xbot@example.org", said, {"type": "chat"})
            )
            for answer, beginning in zip(sent, expected, strict=False):
                self.assertTrue(answer.body.startswith(beginning), f"{said}: {answer.body}")
            self.assertGreaterEqual(len(sent), len(expected), said)
        self.successResultOf(responder.scope.close())
        return len(examples)


class TroubleshootingTests(unittest.TestCase):
    def test_what_the_log_says_is_what_we_log(self):
        """Each text that the page quotes from the log stands in the code."""
        page = (ROOT / "docs" / "troubleshooting.md").read_text()
        code = "".join(path.read_text() for path in (ROOT / "xbot").rglob("*.py"))
        # Long texts are written in pieces.
        code = re.sub(r'"\s*\n\s*f?"', "", code)
        rows = re.findall(r"^\|[^|]+\|([^|]+)\|[^|]+\|$", page.split("## Responders")[0], re.M)
        quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
        self.assertGreater(len(quoted), 15)
        for text in quoted:
            if not text.startswith("nick_"):
                self.assertTrue(text in code, text)


class ManualTests(unittest.TestCase):
    def test_commands(self):
        """xbot(8) names each command of ``xbot``, and no other."""
        page = (ROOT / "docs" / "man" / "xbot.8.md").read_text()
        documented = set(re.findall(r"^`xbot (\w+)`", page, re.M))
        (commands,) = (
            action.choices
            for action in parser()._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        self.assertEqual(documented, set(commands))

    def test_lists(self) -> None:
        """Their definition lists are read as such: without the extension each is one paragraph."""
        page = (ROOT / "docs" / "man" / "xbot.8.md").read_text()
        self.assertRegex(page, r"(?m)^: ")
        path = list(sys.path)
        self.addCleanup(sys.path.__setitem__, slice(None), path)
        conf = runpy.run_path(str(ROOT / "docs" / "conf.py"))
        self.assertIn("deflist", conf["myst_enable_extensions"])
