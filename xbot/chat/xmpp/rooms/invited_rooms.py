"""Rooms joined by invitation, stored in a JSON file so that a restart rejoins them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from xbot.config.credentials import Unusable, read_file
from xbot.config.settings import Secret
from xbot.model.errors import InvalidJid, reason
from xbot.model.fair_share import may_have_more
from xbot.model.jid import Jid
from xbot.state import private_file

#: Maximum number of rooms joined by invitation, besides those of the ini; one inviter may
#: have as many of them as are left.
MAX_ROOMS = 100

#: Maximum size of the file that is read, in bytes; an honest one is smaller.
MAX_SIZE = 2 << 20

#: Maximum length of a password in an invitation, in characters.
MAX_PASSWORD = 1024

#: The file's name in the state folder.
FILE_NAME = "rooms.json"


@frozen
class Invited:
    """A room, its inviter (bare JID), and the password of the invitation.

    ``is_ordered``: a person with the right to do so ordered the bot to join. ``nick``
    is the nick to use there, None for the bot's usual one.
    """

    room: Jid
    inviter: Jid
    password: Secret | None = None
    nick: str | None = None
    is_ordered: bool = False


class InvitedRooms:
    """The stored rooms, up to :data:`MAX_ROOMS`, in the JSON file ``path`` (None: in memory only).

    The file is read once and written at every change. If it cannot be read or
    written, the log says so, and the rooms are kept until the process ends.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rooms: dict[Jid, Invited] | None = None

    def __iter__(self) -> Iterator[Invited]:
        return iter(list(self._known().values()))

    def __len__(self) -> int:
        return len(self._known())

    def __contains__(self, room: object) -> bool:
        return room in self._known()

    @property
    def is_full(self) -> bool:
        """Whether MAX_ROOMS rooms are stored."""
        return len(self) >= MAX_ROOMS

    def takes_from(self, inviter: Jid) -> bool:
        """Whether one more invitation of this person is accepted: others have a share, too."""
        own = sum(each.inviter == inviter for each in self._known().values())
        return may_have_more(own, len(self), MAX_ROOMS)

    def add(self, invited: Invited) -> None:
        """Store a room; it replaces an earlier entry for the same room."""
        self._known()[invited.room] = invited
        self._write()

    def forget(self, room: Jid) -> bool:
        """Delete the entry of ``room``; returns whether there was one."""
        was_there = self._known().pop(room, None) is not None
        if was_there:
            self._write()
        return was_there

    def _known(self) -> dict[Jid, Invited]:
        if self._rooms is None:
            self._rooms = {}
            try:
                if self._path is not None and self._path.exists():
                    data, _ = read_file(self._path, MAX_SIZE)
                    self._rooms = _parsed(data)
            except (OSError, Unusable, ValueError, RecursionError) as error:
                # Not the error's text: it may quote the file, which holds passwords.
                self._log.warn(
                    "cannot read the rooms that we were invited to, so we do not join them:"
                    " {path}: {error}",
                    path=str(self._path),
                    error=reason(error) if isinstance(error, OSError) else type(error).__name__,
                )
        return self._rooms

    def _write(self) -> None:
        if self._path is None:
            return
        content = {
            str(each.room): {
                "inviter": str(each.inviter),
                "password": each.password.reveal() if each.password is not None else None,
                "nick": each.nick,
                "ordered": each.is_ordered,
            }
            for each in self._known().values()
        }
        try:
            private_file.replace(self._path, json.dumps(content, indent=1).encode() + b"\n")
        except OSError as error:
            self._log.warn(
                "cannot store the rooms that we were invited to; after a restart we do not"
                " join them: {path}: {error}",
                path=str(self._path),
                error=reason(error),
            )


def _parsed(data: bytes) -> dict[Jid, Invited]:
    """Parse the file; raise ValueError for content that we do not write."""
    content = json.loads(data)
    if not isinstance(content, dict) or len(content) > MAX_ROOMS:
        raise ValueError("its content is not valid")
    rooms = {}
    for name, entry in content.items():
        inviter = entry.get("inviter") if isinstance(entry, dict) else None
        password = entry.get("password") if isinstance(entry, dict) else None
        nick = entry.get("nick") if isinstance(entry, dict) else None
        is_ordered = isinstance(entry, dict) and entry.get("ordered") is True
        if not isinstance(inviter, str) or not isinstance(password, str | None):
            raise ValueError("its content is not valid")
        if not isinstance(nick, str | None):
            raise ValueError("its content is not valid")
        try:
            room, person = Jid.parse(name), Jid.parse(inviter)
            if nick is not None:
                room.with_resource(nick)
        except InvalidJid as error:
            raise ValueError("its content is not valid") from error
        if room.local is None or room.resource is not None:
            raise ValueError("its content is not valid")
        secret = Secret(password) if password else None
        rooms[room] = Invited(room, person.bare, secret, nick, is_ordered)
    return rooms
