"""Tests of :mod:`xbot.app.state_folder`."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import evolve

from tests.config.test_reader import Folder
from xbot.app.state_folder import NAMES, check_state, is_ours
from xbot.chat.xmpp.rooms.invited_rooms import FILE_NAME as ROOMS
from xbot.control.protocol import SOCKET_NAME
from xbot.model.errors import InvalidConfig
from xbot.process.file_trust import TrustedUsers, trusted_users
from xbot.state.brain.brain import FILE_NAME as BRAIN
from xbot.state.journal.file import FILE_NAME as JOURNAL
from xbot.webhooks.file import FILE_NAME as WEBHOOKS

INI = "[xbot]\nstate = state\n[xmpp]\nserver = embedded\n"


class StateTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.state = self.folder / "state"

    def refused(self, users: TrustedUsers | None = None) -> list[str]:
        """Why the bot does not start, with the test's folder called DIR."""
        try:
            check_state(self.load(INI), users)
        except InvalidConfig as error:
            return [
                str(each).removeprefix(f"{self.path}:").replace(str(self.folder), "DIR")
                for each in error.problems
            ]
        return []

    def test_ours(self) -> None:
        """A folder that is only ours is fine, also before it exists, and through a link."""
        self.assertEqual(self.refused(), [])
        (self.folder / "private").mkdir(0o755)
        self.state.symlink_to("private")
        (self.state / "brain.sqlite").touch(0o644)
        self.assertEqual(self.refused(), [])

    def test_writable(self) -> None:
        """With a state folder that others can write to the bot does not start."""
        self.state.mkdir()
        for mode in (0o777, 0o1777, 0o703):
            self.state.chmod(mode)
            self.assertEqual(
                self.refused(), ["2: [xbot] state: anyone can write to it: chmod o-w DIR/state"]
            )
        self.state.chmod(0o770)
        others = evolve(trusted_users(), is_private=lambda group: False)
        self.assertIn("chmod g-w DIR/state", self.refused(others)[0])

    def test_files(self) -> None:
        """Each file that the bot reads there is looked at, and no other."""
        self.state.mkdir(0o700)
        names = [JOURNAL, BRAIN, WEBHOOKS, ROOMS, "login.json", f"{BRAIN}-wal", ".rooms.json.new"]
        for name in (*names, "notes.txt"):
            path = self.state / name
            path.touch()
            path.chmod(0o666)
        self.assertEqual(
            self.refused(),
            [
                f"2: [xbot] state: anyone can write to it: chmod o-w DIR/state/{name}"
                for name in sorted(names)
            ],
        )

    def test_names(self) -> None:
        """The names are those that the bot uses."""
        names = (JOURNAL, BRAIN, WEBHOOKS, ROOMS, "login.json", SOCKET_NAME)
        self.assertTrue(all(map(is_ours, names)))
        self.assertEqual(len({name.partition(".")[0] for name in names}), len(NAMES))
        self.assertFalse(is_ours(".bash_history"))

    def test_another_owner(self) -> None:
        """A state folder of another user's is refused."""
        self.state.mkdir(0o700)
        owner = os.geteuid()
        other = evolve(trusted_users(), us=owner + 1, owners=frozenset({owner + 1}))
        reasons = "\n".join(self.refused(other))
        self.assertIn(f"DIR/state belongs to another user ({owner})", reasons)
        self.assertIn(f"chown {owner + 1} DIR/state", reasons)

    def test_unreadable(self) -> None:
        """If it cannot be looked at, the bot does not start."""

        def denied(path: Path) -> list[str]:
            raise PermissionError(13, "Permission denied", str(path))

        self.state.mkdir(0o700)
        self.patch(os, "listdir", denied)
        self.assertIn("Permission denied", self.refused()[0])
