"""Tests of :mod:`xbot.config.places`."""

from pathlib import Path

from tests.config.test_reader import Folder
from xbot.config import find, places
from xbot.config.places import StatePlace, of_instance, state_of
from xbot.model.errors import InvalidConfig


class FindTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        (self.folder / "etc").mkdir()
        self.patch(places, "SYSTEM_INIS", self.folder / "etc")
        self.patch(places, "CHECKOUT", self.folder / "checkout.ini")
        self.environ = {"CONFIGURATION_DIRECTORY": f"{self.folder}:/elsewhere"}

    def test_order(self) -> None:
        """systemd's folder comes first, then the installed file, then the checkout's."""
        for name in ("checkout.ini", "etc/xbot.ini", "xbot.ini"):
            path = self.write("", name)
            self.assertEqual(find(self.environ), path)
        self.assertEqual(find({}), self.folder / "etc/xbot.ini")

    def test_nowhere(self) -> None:
        """When there is no ini, all the places are named."""
        error = self.assertRaises(InvalidConfig, find, self.environ)
        places = ", ".join(
            str(self.folder / name) for name in ("xbot.ini", "etc/xbot.ini", "checkout.ini")
        )
        self.assertEqual(error.problems[0].reason, f"not found; tried {places}")


class StateTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.inis, self.states = self.folder / "etc", self.folder / "var"
        self.inis.mkdir()
        self.states.mkdir()
        self.patch(places, "SYSTEM_INIS", self.inis)
        self.patch(places, "SYSTEM_STATES", self.states)

    def state(self, path: Path, **environ: str) -> Path:
        return state_of(path, {"HOME": "/home/me", **environ}).folder

    def test_installed(self) -> None:
        """An installed ini's state is where the shipped units keep it; the ini has priority."""
        for name, folder in (("xbot", "xbot"), ("ops", "xbot-ops")):
            path = self.write("[xbot]\nname = x\n", f"etc/{name}.ini")
            self.assertEqual(of_instance(name), path)
            self.assertEqual(self.state(path), Path("/home/me/.local/state/xbot"))
            # As systemd's DynamicUser= leaves it for all users but root.
            (self.states / folder).symlink_to(self.folder / "private" / folder)
            self.assertEqual(self.state(path), self.states / folder)
            self.assertEqual(self.state(path, STATE_DIRECTORY="/run/s"), Path("/run/s"))
            self.write("[xbot]\nstate = s\n", f"etc/{name}.ini")
            self.assertEqual(self.state(path), self.inis / "s")

    def test_elsewhere(self) -> None:
        """An ini elsewhere has its state in the home of its user, as the daemon does."""
        (self.states / "xbot").mkdir()
        path = self.write("[xmpp]\nserver = embedded\n")
        self.assertEqual(self.state(path), Path("/home/me/.local/state/xbot"))
        self.assertEqual(self.state(path, XDG_STATE_HOME="/xdg"), Path("/xdg/xbot"))
        self.assertEqual(self.load("[xmpp]\nserver = embedded\n").bot.state, self.state(path))

    def test_needs_nothing_else(self) -> None:
        """Neither a secret nor a faultless ini is needed; the account is read if it is one."""
        for jid, account in (("xbot@example.org/bot", "xbot@example.org"), ("@@", None)):
            path = self.write(f"[xbot]\nstate = /s\n[xmpp]\njid = {jid}\n[responder x]\n")
            self.assertEqual(state_of(path, {}), StatePlace(Path("/s"), account))

    def test_no_ini(self) -> None:
        """An ini that cannot be read is told."""
        error = self.assertRaises(InvalidConfig, state_of, self.folder / "none.ini", {})
        self.assertIn("there is no file", str(error))
