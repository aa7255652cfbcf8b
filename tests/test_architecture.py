"""The picture in docs/ARCHITECTURE.md, kept honest: imports point down only."""

import ast
from pathlib import Path

from twisted.trial import unittest

import xbot

PACKAGE = Path(xbot.__file__).parent

#: Layers from the bottom up. A module imports from its own and from lower ones.
LAYERS = [
    {"logs", "matching", "model", "process", "text"},
    {"api", "chat", "config", "embedded_server", "runtime"},
    {"engine", "state"},
    {"app", "control", "web", "webhooks"},
    {"testing"},
    {"tap"},
    {"cli"},
]

#: What stands beside the layers: the public face, and those who know it alone.
FACE = "xbot"


def imports_of(path: Path) -> set[str]:
    """The full names of all that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    """The module or subpackage below xbot that a file belongs to."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def layer_of(room: str) -> int:
    """How high a module stands."""
    return next(height for height, layer in enumerate(LAYERS) if room in layer)


class ArchitectureTests(unittest.TestCase):
    def modules(self) -> list[Path]:
        """Every module of the package but the public face and the bundled responders."""
        return [
            path
            for path in sorted(PACKAGE.rglob("*.py"))
            if room_of(path) not in ("__init__", "responders")
        ]

    def test_every_module_has_a_layer(self):
        """No module stands outside the picture."""
        known = set().union(*LAYERS)
        self.assertEqual({room_of(path) for path in self.modules()}, known)

    def test_imports_point_down(self):
        """No module imports from a layer above its own."""
        for path in self.modules():
            room = room_of(path)
            for name in imports_of(path):
                parts = name.split(".")
                if parts[0] != FACE or len(parts) < 2 or parts[1] in ("responders", "__version__"):
                    continue
                self.assertLessEqual(
                    layer_of(parts[1]), layer_of(room), f"{path} imports {name} from above"
                )

    def test_responders_know_the_public_face_only(self):
        """Bundled responders import from xbot what any author could."""
        for path in sorted((PACKAGE / "responders").glob("*.py")):
            ours = {name for name in imports_of(path) if name.split(".")[0] == FACE}
            self.assertEqual({name for name in ours if name.count(".") > 1}, set(), str(path))

    def test_only_the_loader_knows_the_bundled_responders(self):
        """Nothing but the loader imports them."""
        for path in self.modules():
            names = {name for name in imports_of(path) if name.startswith("xbot.responders")}
            if names:
                self.assertEqual(room_of(path), "loading")

    def test_one_door_to_wokkel(self):
        """Only xbot.chat.xmpp.wire._wokkel imports wokkel."""
        doors = {
            path.name
            for path in self.modules()
            if any(name.split(".")[0] == "wokkel" for name in imports_of(path))
        }
        self.assertEqual(doors, {"_wokkel.py"})

    def test_the_global_reactor_is_taken_at_the_top_only(self):
        """Only the composition takes the global reactor; the rest gets it handed in."""
        takers = {
            room_of(path)
            for path in self.modules()
            if "twisted.internet.reactor" in imports_of(path)
        }
        self.assertLessEqual(takers, {"tap", "cli"})

    def test_the_engine_has_no_sockets(self):
        """What is below the edges imports neither endpoints, protocols nor Twisted Words."""
        forbidden = ("twisted.internet.endpoints", "twisted.internet.protocol", "twisted.words")
        for path in self.modules():
            if layer_of(room_of(path)) < layer_of("xmpp") and room_of(path) != "jid":
                for name in imports_of(path):
                    self.assertFalse(name.startswith(forbidden), f"{path} imports {name}")

    def test_log_formats_are_literal(self):
        """No log call formats before it logs: braces in what people say are never evaluated."""
        levels = {"debug", "info", "warn", "error", "critical", "failure"}
        for path in sorted(PACKAGE.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in levels
                    and "log" in ast.unparse(node.func.value).lower()
                ):
                    self.assertIsInstance(
                        node.args[0], ast.Constant, f"{path}:{node.lineno}: not a literal"
                    )
