"""Tests of :mod:`xbot.config.folder`."""

from __future__ import annotations

from pathlib import Path

from tests.config.test_reader import Folder, pretend_others_own
from xbot.config import load
from xbot.config.folder import MAX_FILES
from xbot.config.settings import Config

INI = "[xbot]\nresponders = more.d\n[xmpp]\nserver = embedded\n"


class FolderTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.more = self.folder / "more.d"
        self.more.mkdir(mode=0o755)

    def add(self, name: str, mode: int = 0o644) -> Path:
        return self.write("", f"more.d/{name}", mode)

    def names(self, config: Config) -> list[str]:
        return [each.name for each in config.responders]

    def test_files(self) -> None:
        """Each file is a responder by its name, in their order; others are let alone."""
        for name in ("tea.py", "a-b.py", "_shared.py", ".hidden.py", "notes.txt", "c.pyc"):
            self.add(name)
        (self.more / "folder.py").mkdir()
        config = self.load(INI)
        self.assertEqual(self.names(config), ["a-b", "tea"])
        [_, tea] = config.responders
        self.assertEqual((tea.file, tea.line), (self.more / "tea.py", 2))

    def test_section(self) -> None:
        """A section of a file's name says how it is used, and where it stands in the order."""
        for name in ("a.py", "tea.py"):
            self.add(name)
        config = self.load(
            INI + "[responder tea]\nallow = bob@example.org\nkind = green\n"
            "[responder b]\nmatch = b\nreply = b\n[room r@x]\nresponders = a tea b"
        )
        self.assertEqual(self.names(config), ["tea", "b", "a"])
        tea = config.responders[0]
        self.assertEqual((tea.file, dict(tea.settings)), (self.more / "tea.py", {"kind": "green"}))
        self.assertEqual(tea.lines["kind"], 7)
        self.assertTrue(tea.access.allow)

    def test_mistakes(self) -> None:
        """What is wrong with the folder or its files is told with the option's line."""
        where = "2: [xbot] responders:"
        self.add("tea.py")
        self.assertEqual(
            self.problems(INI + "[responder tea]\nuse = a:b"),
            ["6: [responder tea] use: DIR/more.d/tea.py is the responder of that name already"],
        )
        self.add("open.py", 0o666)
        self.add("a b.py")
        self.assertEqual(
            self.problems(INI),
            [
                f"{where} DIR/more.d/a b.py: a responder's name has only letters, digits, _ and -",
                f"{where} anyone can write to it: chmod o-w DIR/more.d/open.py",
            ],
        )
        (self.more / "a b.py").unlink()
        self.add("open.py", 0o600)
        self.add("_shared.py", 0o666)
        self.assertEqual(
            self.problems(INI),
            [f"{where} anyone can write to it: chmod o-w DIR/more.d/_shared.py"],
        )
        self.more.chmod(0o777)
        self.assertIn(f"{where} anyone can write to it: chmod o-w DIR/more.d", self.problems(INI))
        self.assertEqual(
            self.problems(INI.replace("more.d", "less.d")),
            [f"{where} cannot read the folder DIR/less.d: No such file or directory"],
        )

    def test_another_owner(self) -> None:
        """Code of another user's is not run by the daemon; tools only warn."""
        self.add("tea.py")
        pretend_others_own(self, self.more)
        [tea] = [each for each in self.problems(INI) if "tea.py" in each]
        self.assertIn("2: [xbot] responders: DIR/more.d/tea.py belongs to another user", tea)
        found = load(self.path, self.environ, obeys=False)
        self.assertIn("tea.py belongs to another user", "\n".join(map(str, found.warnings)))

    def test_folders_of_modules(self) -> None:
        """Folders beside the files, which these may import, are looked at, too."""
        (self.more / "parts").mkdir()
        (self.more / "parts").chmod(0o777)
        where = "2: [xbot] responders:"
        self.assertEqual(
            self.problems(INI), [f"{where} anyone can write to it: chmod o-w DIR/more.d/parts"]
        )

    def test_too_many(self) -> None:
        """A folder of thousands of files was named by mistake."""
        for number in range(MAX_FILES + 1):
            (self.more / f"{number}.txt").touch()
        self.assertIn("has more than", self.problems(INI)[0])
