"""Approvals by other people (k of n): they say ``approve CODE`` within a time-out."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from xbot.engine.dispatch.filters import may_have_effects
from xbot.engine.dispatch.person import party_of
from xbot.model.access import identity_of, refusal
from xbot.model.errors import XbotError
from xbot.model.message import Message, reply_to
from xbot.model.token_bucket import Rate, TokenBuckets, Verdict
from xbot.process.threads import Busy
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Chosen, Responder, Route

#: Time-out of a request for approval, in seconds.
APPROVE_WITHIN = 600.0

#: Maximum number of open requests, in all and per person.
MAX_REQUESTS = 50
MAX_EACH = 3

#: Rate limit of wrong codes for each sender, against guessing.
WRONG_CODES = Rate(5, 600.0)

#: Maximum number of expired and used codes that are remembered, to answer that they are over.
MAX_OVER = 100

#: Alphabet and length of a code. No vowels, which could form words, and no letters that look
#: or sound like others.
LETTERS = "BCDFGHJKMPRTVWXZ"
LENGTH = 6

_SAID = re.compile(rf"approve\s+([a-z0-9]{{{LENGTH}}})[.!]?", re.IGNORECASE)


def new_code() -> str:
    """A random code from a cryptographically secure generator."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class NotApproved(XbotError):
    """Too few people approved before the time-out."""

    def __init__(self) -> None:
        super().__init__("not approved in time")


@define(eq=False, repr=False)
class _Request:
    """An open request. ``asked`` is the message with the command to approve.

    ``approvers`` maps real addresses to the messages that approved. ``limit`` is the time-out.
    """

    responder: Responder
    asked: Message
    done: Deferred[None]
    limit: IDelayedCall | None = None
    approvers: dict[str, Message] = field(factory=dict)


class Approvals:
    """The open requests for approval, by code.

    - ``may_use(responder, message)``: whether the responder's access rules allow the sender
      of ``message`` now. Only such people may approve.
    - ``got_approval(message, name)`` journals an approval; ``name`` is the responder's.
    - ``say(message)`` sends the progress to all who have to know it.
    - ``now(message)`` returns the message with its sender's current affiliation: earlier
      approvals are checked again at each new one.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        may_use: Callable[[Responder, Message], bool],
        got_approval: Callable[[Message, str], None],
        say: Callable[[Message], None],
        new_code: Callable[[], str] = new_code,
        now: Callable[[Message], Message] = lambda message: message,
    ) -> None:
        self._now = now
        self._clock = clock
        self._may_use = may_use
        self._got_approval = got_approval
        self._say = say
        self._new_code = new_code
        self._requests: dict[str, _Request] = {}
        self._over: deque[str] = deque(maxlen=MAX_OVER)
        self._wrong = TokenBuckets(clock.seconds)
        route = Route(None, self._approve, effect=False)
        self._responder, self._route = Responder("approve", (route,), is_internal=True), route

    def __len__(self) -> int:
        """Number of open and remembered codes."""
        return len(self._requests) + len(self._over)

    @property
    def is_asking(self) -> bool:
        """Whether a request is open."""
        return bool(self._requests)

    def is_full(self, asked: Message) -> bool:
        """Whether too many requests are open for another one by the sender of ``asked``."""
        same = [each for each in self._requests.values() if each.asked.identity == asked.identity]
        return len(self._requests) >= MAX_REQUESTS or len(same) >= MAX_EACH

    def request(self, responder: Responder, asked: Message) -> tuple[str, Deferred[None]]:
        """Open a request; return its code, and a Deferred that fires once enough people approved.

        The Deferred fails with :class:`NotApproved` after :data:`APPROVE_WITHIN` seconds, or
        with :class:`Busy`, and an empty code, if too many requests are open. Cancelling it
        withdraws the request.
        """
        if self.is_full(asked):
            return "", fail(Busy(len(self._requests)))
        code = self._new_code()
        while code in self._requests or code in self._over:
            code = self._new_code()
        request = _Request(responder, asked, Deferred(lambda _: self._take(code)))
        self._requests[code] = request
        request.limit = self._clock.callLater(APPROVE_WITHIN, self._got_limit, code)
        return code, request.done

    def find(self, text: str | None) -> Chosen | None:
        """The route for ``approve CODE``, or None; ``text`` is what addresses the bot."""
        if text is None or not (self._requests or self._over):
            return None
        if (found := _SAID.fullmatch(text)) is None:
            return None
        code = found[1].upper()
        if not self._requests and code not in self._over:
            # No request is open: leave the text to a responder, which may know this command.
            return None
        return self._responder, self._route, {"code": code}

    def _approve(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        text = self._judge(message, groups["code"])
        return succeed(Answers((text,) if text else ()))

    def _judge(self, message: Message, code: str) -> str:
        """Check the code and the sender, count the approval; return the reply, or ""."""
        request = self._requests.get(code)
        if request is not None and self._is_late(request):
            # The process stood still (suspend): this message was read before the timer fired.
            return "That is over."
        if request is None:
            if code in self._over:
                return "That is over."
            verdict = self._wrong.take(party_of(message), WRONG_CODES)
            return {
                Verdict.WITHIN: "Nothing waits for that code.",
                Verdict.OVER: "Those were too many wrong codes; wait ten minutes.",
                Verdict.STILL: "",
            }[verdict]
        responder, asked = request.responder, request.asked
        if not may_have_effects(message):
            self._log.warn(
                "{sender} approves {responder} outside a conversation, which does not count",
                sender=message.sender,
                responder=responder.name,
            )
            return "That does not count outside a conversation; say it again as a chat message."
        who = identity_of(message)
        if who is None or not self._may_approve(request, message):
            self._log.warn(
                "{sender} may not approve {responder}",
                sender=message.sender,
                responder=responder.name,
            )
            return refusal(responder.name, message)
        if who == identity_of(asked):
            return "Somebody else has to approve it."
        if str(who) in request.approvers:
            return "You approved it already."
        # Journal the approval before it counts.
        self._got_approval(message, responder.name)
        request.approvers[str(who)] = message
        self._log.info(
            "{who} approves {responder} for {sender}",
            who=str(who),
            responder=responder.name,
            sender=asked.sender,
        )
        self._approved(code, request, message)
        return ""

    def _approved(self, code: str, request: _Request, message: Message) -> None:
        """Count the approvals, announce the number, and fire the request if there are enough."""
        # Drop approvals of people who have lost access meanwhile.
        for who, said in list(request.approvers.items()):
            if not self._may_approve(request, self._now(said)):
                del request.approvers[who]
        count, needed = len(request.approvers), request.responder.approve
        is_enough = count >= needed
        if is_enough:
            self._take(code)
        text = f"{count} of {needed} {'approves' if count == 1 else 'approve'}."
        answer, told = reply_to(message, text), reply_to(request.asked, text)
        self._say(told)
        if answer.recipient != told.recipient:
            self._say(answer)
        if is_enough:
            request.done.callback(None)

    def _may_approve(self, request: _Request, message: Message) -> bool:
        # An affiliation counts only in its own room.
        is_here = message.room == request.asked.room
        here = message if is_here else evolve(message, affiliation="none")
        return self._may_use(request.responder, here)

    def _is_late(self, request: _Request) -> bool:
        return request.limit is not None and request.limit.getTime() <= self._clock.seconds()

    def _got_limit(self, code: str) -> None:
        request = self._requests[code]
        self._take(code)
        request.done.errback(NotApproved())

    def _take(self, code: str) -> None:
        request = self._requests.pop(code, None)
        if request is not None:
            self._over.append(code)
            if request.limit is not None and request.limit.active():
                request.limit.cancel()
