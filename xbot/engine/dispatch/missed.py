"""Missed commands: messages that came too late are not run; the sender is told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from xbot.engine.dispatch.interrupted import MAX_NAME, MAX_NAMED, MAX_TEXT, one_line
from xbot.model.cooldown import Cooldown
from xbot.model.fair_share import domain_of
from xbot.model.message import Message, reply_to
from xbot.runtime.responder import Chosen

#: A server gives out all that it kept at once; what comes within so many seconds is one answer.
GATHER = 2.0

#: Each person (in a room: all of them) is told once in so many seconds, and so many of
#: both in that time.
PERIOD = 60.0
MAX_PEOPLE = 200

IsNew = Callable[[Message, Chosen], "Deferred[bool]"]
"""Whether nobody knows yet what became of a command; never fails."""


@define(eq=False, repr=False)
class _Late:
    """Missed commands of one place; after the first few only their number is kept."""

    timer: IDelayedCall
    named: list[tuple[Message, Chosen]] = field(factory=list)
    others: int = 0


class Missed:
    """Tells people which of their commands came too late to be obeyed.

    Only those that they might have used, as everything that answers is looked at
    first: a delay can be made up, and whoever does that is told no more than
    by a live command. Those who spoke in a room are told there, by one answer for all.
    ``command_of`` tells what of a message was said to the bot.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        say: Callable[[Message], None],
        command_of: Callable[[Message], str],
        is_new: IsNew,
    ) -> None:
        self._clock = clock
        self._say = say
        self._command_of = command_of
        self._is_new = is_new
        self._told = Cooldown(clock, PERIOD, MAX_PEOPLE)
        # By whom an answer reaches: what was said to the bot alone must not be told in a room,
        # nor to another occupant who has the nick since.
        self._late: dict[_Reader, _Late] = {}

    def got(self, message: Message, chosen: Sequence[Chosen]) -> None:
        """Note a message that came too late; ``chosen`` would have answered it."""
        if message.echo or not chosen or not _is_command(message, chosen[0]):
            return
        reader = _reader(message)
        late = self._late.get(reader)
        if late is None:
            if not self._told.allows(" ".join(reader), domain_of(reader.address)):
                return
            timer = self._clock.callLater(GATHER, self._got_all, reader)
            late = self._late[reader] = _Late(timer)
        if len(late.named) < MAX_NAMED:
            late.named.append((message, chosen[0]))
        else:
            late.others += 1

    def stop(self) -> None:
        """Send no more notices."""
        for late in self._late.values():
            late.timer.cancel()
        self._late.clear()

    def _got_all(self, reader: _Reader) -> None:
        late = self._late.pop(reader)
        known = gatherResults([self._is_new(message, chosen) for message, chosen in late.named])
        known.addCallback(self._tell, reader.address, late)
        known.addErrback(
            lambda failure: self._log.failure(
                "internal error in the report of missed messages", failure
            )
        )

    def _tell(self, are_new: list[bool], to: str, late: _Late) -> None:
        messages = [
            message for (message, _), is_new in zip(late.named, are_new, strict=True) if is_new
        ]
        if not messages:
            return
        commands = ", ".join(map(self._named, messages))
        more = f" and {late.others} more" if late.others else ""
        self._log.info(
            "{count} commands of {sender} came too late",
            count=len(messages) + late.others,
            sender=to,
        )
        text = f"{commands}{more}: I was away and missed that; please repeat what you still want."
        self._say(reply_to(messages[0], text))

    def _named(self, message: Message) -> str:
        """A command in words, in public with whose it was."""
        command = f'"{one_line(self._command_of(message), MAX_TEXT)}"'
        return (
            f"{command} ({one_line(message.speaker, MAX_NAME)})" if message.is_public else command
        )


class _Reader(NamedTuple):
    """Who reads an answer: everyone in a room, one occupant (by the number, too), or one person."""

    address: str
    occupant: str = ""


def _reader(message: Message) -> _Reader:
    if message.room is None:
        return _Reader(message.identity or message.sender)
    if message.is_public:
        return _Reader(message.room)
    return _Reader(message.sender, message.occupant or "")


def _is_command(message: Message, chosen: Chosen) -> bool:
    """Whether it was meant for us, by somebody whom it would have been for."""
    responder, route, _ = chosen
    is_for_them = route.for_everyone or responder.access.allows(message)
    return route.kind == "match" and is_for_them
