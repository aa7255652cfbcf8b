"""Identity of a sender in one place, so that no one answers for another person."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from xbot.model.fair_share import domain_of
from xbot.model.message import Message


@frozen
class Person:
    """A person in one place: a room, in private through a room, or elsewhere.

    Equal for two messages of the same person in the same place, under the same
    address. A nick that changed hands is another person: by the real address,
    and where that is not known, by the room's occupant.
    """

    sender: str
    identity: str | None
    occupant: str | None
    room: str | None
    is_public: bool

    @property
    def name(self) -> str:
        """The real address if it is known, else the sender's address in this place."""
        return self.identity or self.sender

    @property
    def share(self) -> str:
        """Key for fair shares of a limit: the room, or the domain of the person's address.

        A person is not a good key: anyone can use many nicks in a room, or many accounts.
        """
        return self.room or domain_of(self.name)


def person_of(message: Message) -> Person:
    """The person who sent ``message``."""
    return Person(
        message.sender, message.identity, message.occupant, message.room, message.is_public
    )


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
