"""Tests of :mod:`xbot.config.permissions`."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xbot.config import load
from xbot.config.describe import describe
from xbot.config.permissions import MAX_NAMES, names_of, permissions
from xbot.model.access import ROOM_WORDS, AccessList
from xbot.model.people import People

INI = """\
[xmpp]
server = embedded
accept-invites = admins
[room ops@rooms.example]
[room lounge@rooms.example]
responders = hello ping
[group admins]
members = bob@b alice@a
[responder hello]
match = hello
reply = hello
[responder deploy]
match = deploy
run = true
allow = admins carol@c room-owners
deny = @d
rooms = ops@rooms.example lounge@rooms.example
direct = no
confirm = yes
approve = 2
[responder nowhere]
match = nowhere
reply = x
rooms = lounge@rooms.example
direct = no
approve = 1
[responder off]
match = off
reply = x
enabled = no
"""

#: The cells of each row.
TABLE = [
    ["responder", "who may use it", "where", "before it runs"],
    ["hello", "everyone", "all rooms, in private"],
    [
        "deploy",
        "admins, carol@c, room-owners, but not @d",
        "ops@rooms.example",
        "the sender confirms, 2 others approve",
    ],
    ["nowhere", "everyone", "nowhere", "1 other approves"],
    ["off", "no one: switched off"],
    ["ping", "everyone", "all rooms, in private"],
    ["help", "everyone", "all rooms but lounge@rooms.example, in private"],
]


class PermissionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.write_text(INI)
        self.config = load(path, {"PATH": "/bin:/usr/bin"})

    def test_table(self) -> None:
        """Each responder has one row: who, where by both sections, and what is asked before."""
        found = list(permissions(self.config, ("ping", "hello", "help")))
        self.assertEqual([re.split(" {2,}", row) for row in found], TABLE)
        # The columns are aligned.
        self.assertEqual(
            {row.find(" all rooms") for row in found if " all rooms" in row},
            {found[0].index(" where")},
        )

    def test_described(self) -> None:
        """The check shows the table, the groups' members and who may invite the bot."""
        text = describe(self.config)
        self.assertIn("\npermissions\n  responder  who may use it ", text)
        self.assertIn("\ngroups\n  admins: alice@a, bob@b\n", text)
        self.assertIn("\ninvited by alice@a, bob@b\n", text)

    def test_without_an_ini(self) -> None:
        """A list that no ini named shows its people; a long one ends with the number left."""
        people = People.parse(["a@b", "@c"])
        self.assertEqual(names_of(AccessList(people)), ["@c", "a@b"])
        found = AccessList(people, ROOM_WORDS["room-admins"])
        self.assertEqual(names_of(found), ["@c", "a@b", "room-admins"])
        many = " ".join(f"p{number}@b" for number in range(MAX_NAMES + 3))
        path = Path(self.mktemp())
        path.write_text(f"{INI}[responder many]\nmatch = many\nreply = x\nallow = {many}\n")
        found = list(permissions(load(path, {"PATH": "/bin:/usr/bin"}), ()))
        self.assertIn("p0@b, p1@b, p2@b, p3@b and 3 more  ", found[-1])
