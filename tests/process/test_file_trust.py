"""Tests of :mod:`xbot.process.file_trust`."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from xbot.process import file_trust
from xbot.process.file_trust import (
    TrustedUsers,
    distrust,
    find_distrust,
    is_root_hidden,
    trusted_users,
)

#: We are user 7, whose own group is 70; in the group 80 are others.
US = TrustedUsers(7, frozenset({0, 7}), lambda group: group == 70)
FILE, FOLDER, LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK


def status(mode: int, owner: int, group: int = 80) -> os.stat_result:
    """What stat() says of such a file."""
    return os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))


class DistrustTests(SynchronousTestCase):
    def reason(self, mode: int, owner: int, group: int = 80, *, is_above: bool = False) -> str:
        found = distrust(Path("/p"), status(mode, owner, group), US, is_above=is_above)
        return found.reason if found else ""

    def test_trusted(self) -> None:
        """What we or root own, and nobody else may write to, is trusted."""
        for mode, owner in (
            (FILE | 0o600, 7),
            (FILE | 0o644, 7),
            (FILE | 0o644, 0),
            (FOLDER | 0o755, 0),
            (FOLDER | 0o700, 7),
            (LINK | 0o777, 0),
        ):
            with self.subTest(oct(mode), owner=owner):
                self.assertEqual(self.reason(mode, owner), "")

    def test_another_owner(self) -> None:
        """What belongs to another user is not trusted, whatever its mode."""
        cure = "/p belongs to another user (8), who could change it: look through it, then chown"
        for mode in (FILE | 0o600, FILE | 0o444, FOLDER | 0o1755, LINK | 0o777):
            for is_above in (False, True):
                reason = self.reason(mode, 8, is_above=is_above)
                self.assertEqual(reason, f"{cure} 7 /p")

    def test_as_root(self) -> None:
        """Root trusts its own files, and not those of other users."""
        root = TrustedUsers(0, frozenset({0}), lambda group: False)
        self.assertIsNone(distrust(Path("/p"), status(FILE | 0o644, 0, 0), root))
        found = distrust(Path("/p"), status(FILE | 0o644, 7), root)
        self.assertTrue(found and found.is_owner)

    def test_writable(self) -> None:
        """What everyone may write to is not trusted, whoever owns it."""
        for owner in (0, 7):
            self.assertEqual(
                self.reason(FILE | 0o666, owner, 70), "anyone can write to it: chmod o-w /p"
            )

    def test_group(self) -> None:
        """A group may write only if it has no members but us and root (umask 002)."""
        self.assertEqual(self.reason(FILE | 0o664, 7, 70), "")
        self.assertEqual(self.reason(FOLDER | 0o2775, 0, 70), "")
        self.assertEqual(
            self.reason(FILE | 0o664, 7), "others in the group 80 can write to it: chmod g-w /p"
        )

    def test_sticky(self) -> None:
        """In a folder like /tmp others cannot replace our file, but can add files."""
        self.assertEqual(self.reason(FOLDER | 0o1777, 0, is_above=True), "")
        self.assertNotEqual(self.reason(FOLDER | 0o1777, 0), "")
        self.assertNotEqual(self.reason(FOLDER | 0o777, 0, is_above=True), "")


class PathTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        us = os.geteuid()
        self.users = TrustedUsers(us, frozenset({0, us}), lambda group: True)
        self.path = self.folder / "a/b/file"
        self.path.parent.mkdir(parents=True)
        self.path.touch(0o644)

    def reasons(self, path: Path, users: TrustedUsers | None = None) -> list[tuple[str, bool]]:
        """What is found below the test's folder, and whether it is only worth a warning."""
        return [
            (found.reason.rpartition(str(self.folder))[2], found.is_far)
            for found in find_distrust(path, users or self.users)
            if str(self.folder) in found.reason
        ]

    def test_folders_above(self) -> None:
        """Who may write to a folder may replace what is in it; far above it is a warning."""
        self.assertEqual(self.reasons(self.path), [])
        self.path.parent.chmod(0o777)
        self.assertEqual(self.reasons(self.path), [("/a/b", False)])
        self.assertEqual(self.reasons(self.path.with_name("none")), [("/a/b", False)])
        self.path.parent.parent.chmod(0o777)
        self.assertEqual(self.reasons(self.path), [("/a/b", False), ("/a", True)])

    def test_links(self) -> None:
        """A link is as good as what it links to, and as the folders of both."""
        link = self.folder / "link"
        link.symlink_to("a/b/file")
        self.assertEqual(self.reasons(link), [])
        self.path.parent.chmod(0o777)
        self.assertEqual(self.reasons(link), [("/a/b", False)])
        self.path.parent.chmod(0o755)
        self.path.chmod(0o666)
        self.assertEqual(self.reasons(link), [("/a/b/file", False)])
        folder_link = self.folder / "c"
        folder_link.symlink_to("a")
        self.path.parent.parent.chmod(0o777)
        self.assertIn(("/a", True), self.reasons(folder_link / "b/file"))

    def test_circle(self) -> None:
        """Links without an end are an error, and not an endless search."""
        for number in range(100):
            (self.folder / str(number)).symlink_to(str(number + 1))
        self.assertRaises(OSError, list, find_distrust(self.folder / "0", self.users))

    def test_owner(self) -> None:
        """For another user neither the file nor its folder are trusted."""
        owner = os.geteuid()
        others = evolve(self.users, us=owner + 1, owners=frozenset({owner + 1}))
        found = [each for each in find_distrust(self.path, others) if not each.is_far]
        self.assertEqual(len(found), 2)
        self.assertTrue(all(each.is_owner for each in found))

    def test_lent(self) -> None:
        """A folder that is mounted read-only, as a ConfigMap is, may have any mode."""
        self.path.parent.chmod(0o777)
        self.patch(os.path, "ismount", lambda place: place == self.path.parent)
        self.patch(os, "statvfs", lambda place: SimpleNamespace(f_flag=os.ST_RDONLY))
        self.assertEqual(self.reasons(self.path), [])
        self.patch(os, "statvfs", lambda place: SimpleNamespace(f_flag=0))
        self.assertEqual(self.reasons(self.path), [("/a/b", False)])


class UsersTests(SynchronousTestCase):
    def test_us(self) -> None:
        """We trust ourselves and root."""
        users = trusted_users()
        self.assertEqual(users.us, os.geteuid())
        self.assertLessEqual({0, os.geteuid()}, users.owners)

    def test_user_namespaces(self) -> None:
        """Only where the machine's root has no user ID may its files seem to be nobody's."""
        for uid_map, expected in (
            ("         0          0 4294967295\n", False),
            ("0 0 1\n64023 64023 1\n", False),  # PrivateUsers=yes
            ("0 1000 1\n1 100000 65536\n", True),  # A rootless container.
            ("1000 1000 1\n", True),
            ("", False),
        ):
            with self.subTest(uid_map):
                self.assertEqual(is_root_hidden(uid_map), expected)

    def test_private_groups(self) -> None:
        """A group is private if the user database knows no other member."""
        people = {"root": (0, 0), "me": (7, 70), "eve": (8, 80), "ann": (9, 100), "me2": (7, 100)}
        groups = {0: ("root", []), 70: ("me", []), 80: ("eve", []), 90: ("ops", ["me", "eve"])}
        groups |= {91: ("solo", ["me", "root"]), 92: ("old", ["gone"]), 100: ("users", [])}

        def user(name: str) -> SimpleNamespace:
            return SimpleNamespace(pw_name=name, pw_uid=people[name][0], pw_gid=people[name][1])

        def group(gid: int) -> SimpleNamespace:
            name, members = groups[gid]
            return SimpleNamespace(gr_name=name, gr_mem=members)

        self.patch(grp, "getgrgid", group)
        self.patch(pwd, "getpwnam", user)
        self.patch(pwd, "getpwuid", lambda uid: user({0: "root", 7: "me"}[uid]))
        self.patch(pwd, "getpwall", lambda: [user(name) for name in people])
        private = {gid for gid in (*groups, 2000) if file_trust._is_private(gid, 7)}
        # 2000 has no name: the group of a Kubernetes volume. In 100 ann is by default.
        self.assertEqual(private, {0, 70, 91, 92, 2000})
