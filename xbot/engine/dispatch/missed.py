"""Missed commands: messages that came too late are not run; the sender is told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from xbot.engine.dispatch.interrupted import MAX_NAME, MAX_NAMED, MAX_TEXT, one_line
from xbot.engine.dispatch.person import Reader, reader_of
from xbot.model.cooldown import Cooldown
from xbot.model.fair_share import domain_of
from xbot.model.message import Message, reply_to
from xbot.runtime.responder import Chosen

#: Debounce: missed commands that arrive within this many seconds get one common answer. A server
#: delivers all stored messages at once.
GATHER = 2.0

#: Cooldown of notices: one per person (in a room: one for all) in PERIOD seconds, the next one
#: for all that was missed meanwhile; and at most MAX_PEOPLE have one.
PERIOD = 60.0
MAX_PEOPLE = 200

IsNew = Callable[[Message, Chosen], "Deferred[bool]"]
"""Fires with whether a missed command is new, and not a duplicate; never fails."""


@define(eq=False, repr=False)
class _Late:
    """Missed commands of one place; after the first few only their number is kept."""

    timer: IDelayedCall
    named: list[tuple[Message, Chosen]] = field(factory=list)
    others: int = 0


class Missed:
    """Tells people which of their commands arrived too late and were not run.

    Only commands that the sender has access to are reported: a delay stamp can be forged,
    and must not reveal more than a live command would. In a room one notice reports the
    missed commands of all occupants. ``command_of`` gives the part of a message that
    addresses the bot; ``is_new`` deduplicates.
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
        # By reader: a private message must not be quoted in a room, nor to another occupant who
        # has taken the nick meanwhile.
        self._late: dict[Reader, _Late] = {}

    def got(self, message: Message, chosen: Sequence[Chosen]) -> None:
        """Note a late message, if it is a command; ``chosen`` are the routes that match it."""
        if message.echo or not chosen or not _is_command(message, chosen[0]):
            return
        reader = reader_of(message)
        late = self._late.get(reader)
        if late is None:
            delay = self._delay(" ".join(reader), reader.address)
            if delay is None:
                return
            timer = self._clock.callLater(delay, self._got_all, reader)
            late = self._late[reader] = _Late(timer)
        if len(late.named) < MAX_NAMED:
            late.named.append((message, chosen[0]))
        else:
            late.others += 1

    def _delay(self, key: str, address: str) -> float | None:
        """Seconds until a notice: during the cooldown until its end. None: too many people."""
        if self._told.allows(key, domain_of(address)):
            return GATHER
        rest = self._told.remaining(key)
        return max(rest, GATHER) if rest else None

    def stop(self) -> None:
        """Send no more notices."""
        for late in self._late.values():
            late.timer.cancel()
        self._late.clear()

    def _got_all(self, reader: Reader) -> None:
        late = self._late.pop(reader)
        # The cooldown of a notice that was put off begins now.
        self._told.allows(" ".join(reader), domain_of(reader.address))
        known = gatherResults([self._is_new(message, chosen) for message, chosen in late.named])
        known.addCallback(self._tell, reader.address, late)
        known.addErrback(
            lambda failure: self._log.failure(
                "internal error in the report of missed messages", failure
            )
        )

    def _tell(self, are_new: list[bool], to: str, late: _Late) -> None:
        """Send one notice about the new ones of the late commands."""
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
        """The quoted command; in a room with the sender's nick."""
        command = f'"{one_line(self._command_of(message), MAX_TEXT)}"'
        return (
            f"{command} ({one_line(message.speaker, MAX_NAME)})" if message.is_public else command
        )


def _is_command(message: Message, chosen: Chosen) -> bool:
    """Whether the message is a command that its sender has access to."""
    responder, route, _ = chosen
    is_for_them = route.for_everyone or responder.access.allows(message)
    return route.kind == "match" and is_for_them
