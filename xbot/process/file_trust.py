"""Ownership and write permissions of the files that the bot obeys: could another user change them?

One rule for the ini, templates (``file:``), the responder folder, the state folder and the
files in it: a file and each folder above it belong to us or to root, and no other user may
write to them. :func:`distrust` decides from a stat result; :func:`find_distrust` looks at a
path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import evolve, frozen

#: Maximum number of symbolic links in one path, as in Linux (path_resolution(7)).
MAX_LINKS = 40

ROOT = 0


@frozen
class TrustedUsers:
    """The users and groups who may write to what the bot obeys: our own user, and root.

    ``owners`` are user IDs. ``is_private(gid)`` tells whether a group has no other members.
    """

    us: int
    owners: frozenset[int]
    is_private: Callable[[int], bool]


@frozen
class Distrust:
    """Why a path is not trusted, with the remedy.

    ``is_owner``: for its owner, not its mode. ``is_far``: for a folder further above than
    the one that holds it, which is worth a warning.
    """

    reason: str
    is_owner: bool = False
    is_far: bool = False


def distrust(
    path: Path, status: os.stat_result, users: TrustedUsers, *, is_above: bool = False
) -> Distrust | None:
    """Why another user could change, or replace, what is at ``path``; None if not.

    ``is_above``: ``path`` is a folder above the file. In it the sticky bit protects the
    entries of other users; a folder whose entries are all read needs more.
    """
    if status.st_uid not in users.owners:
        who = f"{path} belongs to another user ({status.st_uid}), who could change it"
        return Distrust(f"{who}: look through it, then chown {users.us} {path}", is_owner=True)
    # The mode of a symbolic link means nothing.
    if stat.S_ISLNK(status.st_mode) or (is_above and status.st_mode & stat.S_ISVTX):
        return None
    if status.st_mode & stat.S_IWOTH:
        return Distrust(f"anyone can write to it: chmod o-w {path}")
    if status.st_mode & stat.S_IWGRP and not users.is_private(status.st_gid):
        return Distrust(f"others in the group {status.st_gid} can write to it: chmod g-w {path}")
    return None


def find_distrust(path: Path, users: TrustedUsers) -> Iterator[Distrust]:
    """Why another user could change or replace the file or folder ``path``, if they could.

    Symbolic links are followed: the links, and the folders above both, count too. What does
    not exist yet is trusted if the folders above it are. Raises OSError.
    """
    waiting = [(path.absolute(), 0)]
    seen: set[Path] = set()
    links = 0
    while waiting:
        target, begin = waiting.pop()
        for height, place in enumerate((target, *target.parents), begin):
            if place in seen:
                continue
            seen.add(place)
            try:
                status = os.lstat(place)
            except FileNotFoundError:
                continue
            found = distrust(place, status, users, is_above=height > 0)
            if found is not None and (found.is_owner or not _is_lent(place, status)):
                yield evolve(found, is_far=height > 1)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                waiting.append((place.parent / os.readlink(place), height))


def _is_lent(place: Path, status: os.stat_result) -> bool:
    """Whether it is a folder that a container runtime mounted read-only.

    Kubernetes mounts a ConfigMap as a folder of root's with the mode 777.
    """
    return (
        stat.S_ISDIR(status.st_mode)
        and os.path.ismount(place)
        and bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    )


def trusted_users() -> TrustedUsers:
    """Our own user and root, as this process sees them."""
    us = os.geteuid()
    owners = {us, ROOT}
    try:
        with open("/proc/self/uid_map") as mapping:
            hides_root = is_root_hidden(mapping.read())
        if hides_root:
            with open("/proc/sys/kernel/overflowuid") as number:
                owners.add(int(number.read()))
    except (OSError, ValueError):
        pass  # No Linux, or no /proc: root is 0.
    return TrustedUsers(us, frozenset(owners), lambda group: _is_private(group, us))


def is_root_hidden(uid_map: str) -> bool:
    """Whether the root user of the machine has no user ID here, as in a rootless container.

    Root's files then seem to belong to the overflow user (65534, nobody). ``uid_map`` is
    described in user_namespaces(7): lines of first ID here, first ID outside, count.
    """
    outside = [int(line.split()[1]) for line in uid_map.splitlines() if line.strip()]
    return bool(outside) and ROOT not in outside


def _is_private(group: int, us: int) -> bool:
    """Whether the user database knows no member of the group but us and root."""
    import grp
    import pwd

    ours = {ROOT, us}
    try:
        entry = grp.getgrgid(group)
    except KeyError:
        # A number that has no name, as of a volume in Kubernetes: has no listed members.
        members: list[str] = []
        name = ""
    else:
        members, name = entry.gr_mem, entry.gr_name
    for member in members:
        try:
            if pwd.getpwnam(member).pw_uid not in ours:
                return False
        except KeyError:
            continue  # A user who does not exist cannot write.
    try:
        # Most systems give each user a group of the same name: no need to list all users.
        if name and pwd.getpwuid(us).pw_name == name:
            return True
    except KeyError:
        pass
    return all(user.pw_uid in ours for user in pwd.getpwall() if user.pw_gid == group)
