"""The picture in docs/ARCHITECTURE.md, kept honest: imports point down only."""

import ast
from configparser import ConfigParser
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from twisted.trial import unittest

import xbot

PACKAGE = Path(xbot.__file__).parent

#: Floors from the bottom up, of packages below ``xbot``. A module imports from its own
#: package and from lower floors; the packages of one floor do not know each other.
FLOORS = [
    {"model"},
    {"text"},
    {"logs"},
    {"process"},
    {"matching", "state"},
    {"config"},
    {"runtime"},
    {"api"},
    {"web"},
    {"control", "webhooks"},
    {"chat"},
    {"chat.xmpp.wire"},
    {"chat.xmpp.stanzas"},
    {"chat.xmpp.security"},
    {"chat.xmpp.stream"},
    {"chat.xmpp.rooms", "embedded_server"},
    {"chat.terminal", "chat.xmpp"},
    {"engine"},
    {"app"},
    {"tap", "testing"},
    {"cli"},
]

#: What decides: neither sockets nor protocols are known there.
WITHOUT_SOCKETS = ("model", "text", "state", "config", "runtime", "api", "engine")

#: Beside the floors: the public face, and the bundled responders, who know it alone.
FACE = "xbot"

HEIGHTS = {room: height for height, floor in enumerate(FLOORS) for room in floor}


@cache
def imports_of(path: Path) -> set[str]:
    """The full names of all that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    """The dotted name of a module below ``xbot``, as in ``chat.xmpp.ping``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    """The package of :data:`FLOORS` that a dotted name below ``xbot`` belongs to, or itself."""
    room = name
    while room not in HEIGHTS and "." in room:
        room = room.rpartition(".")[0]
    return room


class ArchitectureTests(unittest.TestCase):
    def modules(self) -> list[Path]:
        """Every module of the package but the public face and the bundled responders."""
        return [
            path
            for path in sorted(PACKAGE.rglob("*.py"))
            if name_of(path).split(".")[0] not in ("", "responders")
        ]

    def ours(self, path: Path) -> set[str]:
        """What a module imports of ours, as dotted names below ``xbot``."""
        return {
            name.removeprefix("xbot.")
            for name in imports_of(path)
            if name.startswith("xbot.") and name.split(".")[1] not in ("responders", "__version__")
        }

    def test_every_module_has_a_floor(self):
        """No module stands outside the picture, and no room of the picture is empty."""
        rooms = {room_of(name_of(path)) for path in self.modules()}
        self.assertEqual(rooms, set(HEIGHTS))

    def test_few_loose_modules(self):
        """At the top of the package stand packages."""
        loose = {path.stem for path in PACKAGE.glob("*.py")}
        self.assertEqual(loose, {"__init__", "tap"})

    def test_packages(self):
        """setup.cfg names each package: what it leaves out would be missing from a wheel."""
        parser = ConfigParser()
        parser.read(PACKAGE.parent / "setup.cfg")
        named = set(parser["options"]["packages"].split()) - {"twisted.plugins"}
        folders = {path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py")}
        self.assertEqual(named, {".".join(folder.parts) for folder in folders})

    def test_imports_point_down(self):
        """A module imports from its own room and from lower floors."""
        for path in self.modules():
            room = room_of(name_of(path))
            for name in self.ours(path):
                other = room_of(name)
                self.assertTrue(
                    other == room or HEIGHTS[other] < HEIGHTS[room],
                    f"{path}, of {room}, imports {name} of {other}",
                )

    def test_no_circles(self):
        """No module needs itself, by however many others."""
        names = {name_of(path): path for path in self.modules()}
        needs = {
            name: {
                other if other in names else other.rpartition(".")[0] for other in self.ours(path)
            }
            for name, path in names.items()
        }
        order = TopologicalSorter({name: needs[name] & set(names) - {name} for name in names})
        try:
            order.prepare()
        except CycleError as circle:
            self.fail(" -> ".join(circle.args[1]))

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
                self.assertTrue(name_of(path).startswith("engine.loading."), str(path))

    def test_one_door_to_wokkel(self):
        """Only one module imports wokkel."""
        doors = {
            path.name
            for path in self.modules()
            if any(name.split(".")[0] == "wokkel" for name in imports_of(path))
        }
        self.assertEqual(doors, {"_wokkel.py"})

    def test_the_global_reactor_is_taken_at_the_top_only(self):
        """Only the composition takes the global reactor; the rest gets it handed in."""
        takers = {
            room_of(name_of(path))
            for path in self.modules()
            if "twisted.internet.reactor" in imports_of(path)
        }
        self.assertLessEqual(takers, {"tap", "cli"})

    def test_the_engine_has_no_sockets(self):
        """What decides imports neither endpoints, protocols nor Twisted Words."""
        forbidden = ("twisted.internet.endpoints", "twisted.internet.protocol", "twisted.words")
        for path in self.modules():
            name = name_of(path)
            # Addresses are prepared by Twisted Words' stringprep.
            if name.split(".")[0] in WITHOUT_SOCKETS and name != "model.jid":
                for imported in imports_of(path):
                    self.assertFalse(imported.startswith(forbidden), f"{path} imports {imported}")

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
