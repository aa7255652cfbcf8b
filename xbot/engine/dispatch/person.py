"""Identity of a sender in one place, so that no one answers for another person."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from xbot.model.fair_share import domain_of
from xbot.model.message import Message


@frozen
class Person:
    """A person in one place: a room, in private through a room, or elsewhere.

    Equal for two messages of the same person in the same place. A nick that changed hands is
    another person: by the room's occupant and the real address. Another nick of one occupant
    is the same person. ``sender`` is the address of a person of whom no occupant is known,
    else empty.
    """

    sender: str
    identity: str | None
    occupant: str | None
    room: str | None
    is_public: bool

    @property
    def name(self) -> str:
        """The real address if it is known, else the room and the occupant, else the address."""
        return self.identity or self.sender or f"{self.room} {self.occupant}"

    @property
    def share(self) -> str:
        """Key for fair shares of a limit: the room, or the domain of the person's address.

        A person is not a good key: anyone can use many nicks in a room, or many accounts.
        """
        return self.room or domain_of(self.name)


def person_of(message: Message) -> Person:
    """The person who sent ``message``."""
    return Person(
        "" if message.room and message.occupant else message.sender,
        message.identity,
        message.occupant,
        message.room,
        message.is_public,
    )


def name_of(message: Message) -> str:
    """Key of the sender for limits, the same under each nick: see :attr:`Person.name`."""
    if message.identity is None and message.room and message.occupant:
        return f"{message.room} {message.occupant}"
    return message.identity or message.sender


def party_of(message: Message) -> str:
    """Key of the sender for shares of a common limit.

    The newcomers of a room are one party, because one person can enter again and again under
    new nicks.
    """
    return f"{message.room} newcomers" if message.newcomer else name_of(message)


class Reader(NamedTuple):
    """The readers of an answer: a whole room, one person, or one occupant.

    ``occupant`` is the occupant's number, because a nick can change hands.
    """

    address: str
    occupant: str = ""


def reader_of(message: Message) -> Reader:
    """The readers of an answer to ``message``."""
    if message.room is None:
        return Reader(message.identity or message.sender)
    if message.is_public:
        return Reader(message.room)
    return Reader(message.sender, message.occupant or "")
