"""What was said to the bot while it was away: not obeyed, but answered, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from xbot.dispatch.interrupted import MAX_NAMED, MAX_TEXT, one_line
from xbot.message import Message, reply_to
from xbot.responder import Chosen
from xbot.share import domain_of
from xbot.throttle import Throttle

#: A server gives out all that it kept at once; what comes within so many seconds is one answer.
GATHER = 2.0

#: Each person is told once in so many seconds, and so many people in that time.
PERIOD = 60.0
MAX_PEOPLE = 200

IsNew = Callable[[Message, Chosen], "Deferred[bool]"]
"""Whether nobody knows yet what became of a command; never fails."""


@define(eq=False, repr=False)
class _Late:
    """What one person said; of the commands after the first few only the number is kept."""

    timer: IDelayedCall
    named: list[tuple[Message, Chosen]] = field(factory=list)
    others: int = 0


class Missed:
    """Tells people which of their commands came too late to be obeyed.

    Only those that they might have used, as everything that answers is looked at
    first: a delay can be made up, and whoever does that is told no more than
    by a live command. ``command_of`` tells what of a message was said to the bot.
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
        self._told = Throttle(clock, PERIOD, MAX_PEOPLE)
        # By person.
        self._late: dict[str, _Late] = {}

    def got(self, message: Message, chosen: Sequence[Chosen]) -> None:
        """This came too late; ``chosen`` would have answered it."""
        if message.echo or not chosen or not _is_command(message, chosen[0]):
            return
        who = message.identity or message.sender
        late = self._late.get(who)
        if late is None:
            if not self._told.allows(who, domain_of(who)):
                return
            timer = self._clock.callLater(GATHER, self._got_all, who)
            late = self._late[who] = _Late(timer)
        if len(late.named) < MAX_NAMED:
            late.named.append((message, chosen[0]))
        else:
            late.others += 1

    def stop(self) -> None:
        """Say nothing more."""
        for late in self._late.values():
            late.timer.cancel()
        self._late.clear()

    def _got_all(self, who: str) -> None:
        late = self._late.pop(who)
        known = gatherResults([self._is_new(message, chosen) for message, chosen in late.named])
        known.addCallback(self._tell, late)
        known.addErrback(lambda failure: self._log.failure("a mistake in what was missed", failure))

    def _tell(self, are_new: list[bool], late: _Late) -> None:
        messages = [
            message for (message, _), is_new in zip(late.named, are_new, strict=True) if is_new
        ]
        if not messages:
            return
        commands = ", ".join(
            f'"{one_line(self._command_of(message), MAX_TEXT)}"' for message in messages
        )
        more = f" and {late.others} more" if late.others else ""
        self._log.info(
            "{count} commands of {sender} came too late",
            count=len(messages) + late.others,
            sender=messages[0].sender,
        )
        text = f"{commands}{more}: I was away and missed that; please repeat what you still want."
        self._say(reply_to(messages[0], text))


def _is_command(message: Message, chosen: Chosen) -> bool:
    """Whether it was meant for us, by somebody whom it would have been for."""
    responder, route, _ = chosen
    is_for_them = route.for_everyone or responder.access.allows(message)
    return route.kind == "match" and is_for_them
