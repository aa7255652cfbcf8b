"""The rooms that people invited us to, kept on disk so that a restart leads back into them."""

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

#: Rooms to be in by invitation, besides those of the ini; one inviter leads us into as many as are
#: left of these.
MAX_ROOMS = 100

#: More than the file ever holds, in bytes.
MAX_SIZE = 2 << 20

#: The longest password that an invitation may bring, in characters.
MAX_PASSWORD = 1024

#: The file's name in the state folder.
FILE_NAME = "rooms.json"


@frozen
class Invited:
    """A room, who invited us to it (bare JID), and the password that came with it.

    With ``is_ordered`` it was somebody who may tell the bot where to be, and
    ``nick``, if it is not None, what it is called there.
    """

    room: Jid
    inviter: Jid
    password: Secret | None = None
    nick: str | None = None
    is_ordered: bool = False


class InvitedRooms:
    """At most :data:`MAX_ROOMS`, in the JSON file ``path`` (None: in memory alone).

    It is read once and written at every change. One that cannot be read or
    written is told in the log; what is remembered then lasts as long as the
    process.
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
        """Whether there is no place for one more."""
        return len(self) >= MAX_ROOMS

    def takes_from(self, inviter: Jid) -> bool:
        """Whether one more invitation of this person is accepted: others have a share, too."""
        own = sum(each.inviter == inviter for each in self._known().values())
        return may_have_more(own, len(self), MAX_ROOMS)

    def add(self, invited: Invited) -> None:
        """From now on this one is remembered."""
        self._known()[invited.room] = invited
        self._write()

    def forget(self, room: Jid) -> bool:
        """Remember it no more; whether it was remembered."""
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
                # The error's text may hold what stands in the file: passwords.
                self._log.warn(
                    "cannot read to which rooms we were invited, so we are in none of them:"
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
                "cannot note to which rooms we were invited; they are forgotten with this"
                " process: {path}: {error}",
                path=str(self._path),
                error=reason(error),
            )


def _parsed(data: bytes) -> dict[Jid, Invited]:
    """Raises ValueError for what is not what we write."""
    content = json.loads(data)
    if not isinstance(content, dict) or len(content) > MAX_ROOMS:
        raise ValueError("it holds something else")
    rooms = {}
    for name, entry in content.items():
        inviter = entry.get("inviter") if isinstance(entry, dict) else None
        password = entry.get("password") if isinstance(entry, dict) else None
        nick = entry.get("nick") if isinstance(entry, dict) else None
        is_ordered = isinstance(entry, dict) and entry.get("ordered") is True
        if not isinstance(inviter, str) or not isinstance(password, str | None):
            raise ValueError("it holds something else")
        if not isinstance(nick, str | None):
            raise ValueError("it holds something else")
        try:
            room, person = Jid.parse(name), Jid.parse(inviter)
            if nick is not None:
                room.with_resource(nick)
        except InvalidJid as error:
            raise ValueError("it holds something else") from error
        if room.local is None or room.resource is not None:
            raise ValueError("it holds something else")
        secret = Secret(password) if password else None
        rooms[room] = Invited(room, person.bare, secret, nick, is_ordered)
    return rooms
