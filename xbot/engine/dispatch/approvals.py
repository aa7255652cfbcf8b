"""Approvals by other people: ``approve CODE``, counted up to the number needed."""

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
from xbot.model.access import identity_of, refusal
from xbot.model.errors import XbotError
from xbot.model.message import Message, reply_to
from xbot.model.token_bucket import Rate, TokenBuckets, Verdict
from xbot.process.threads import Busy
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Chosen, Responder, Route

#: Time limit of an approval, in seconds.
APPROVE_WITHIN = 600.0

#: Maximum number of open requests, and of those of one person.
MAX_REQUESTS = 50
MAX_EACH = 3

#: Rate limit of answers to wrong codes, for each sender.
WRONG_CODES = Rate(5, 600.0)

#: Codes that are over are known for a while, so that people are told so.
MAX_OVER = 100

#: Neither vowels, which make words, nor letters that look or sound like others.
LETTERS = "BCDFGHJKMPRTVWXZ"
LENGTH = 6

_SAID = re.compile(rf"approve\s+([a-z0-9]{{{LENGTH}}})[.!]?", re.IGNORECASE)


def new_code() -> str:
    """A random code that cannot be guessed."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class NotApproved(XbotError):
    """Not enough people agreed in time."""

    def __init__(self) -> None:
        super().__init__("not approved in time")


@define(eq=False, repr=False)
class _Request:
    """``asked`` is what is to be approved; ``approvers`` are what was said, by real addresses."""

    responder: Responder
    asked: Message
    done: Deferred[None]
    limit: IDelayedCall | None = None
    approvers: dict[str, Message] = field(factory=dict)


class Approvals:
    """The open requests for approval, by code.

    ``may_use(responder, message)`` tells whether the responder's rules allow
    whoever said this there. Each approval goes to ``got_approval``, with the
    responder's name; what others have to hear goes to ``say``. ``now`` gives a message with
    its sender's affiliation of now: who approved is asked for again at the end.
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
        self._responder, self._route = Responder("approve", (route,)), route

    def __len__(self) -> int:
        """How many codes are known."""
        return len(self._requests) + len(self._over)

    def request(self, responder: Responder, asked: Message) -> tuple[str, Deferred[None]]:
        """The code to say, and what fires once enough others have said it.

        It fails with :class:`NotApproved`, or with :class:`Busy` when too many
        requests wait. Cancelling it withdraws the request.
        """
        same = [each for each in self._requests.values() if each.asked.identity == asked.identity]
        if len(self._requests) >= MAX_REQUESTS or len(same) >= MAX_EACH:
            return "", fail(Busy(len(same)))
        code = self._new_code()
        while code in self._requests or code in self._over:
            code = self._new_code()
        request = _Request(responder, asked, Deferred(lambda _: self._take(code)))
        self._requests[code] = request
        request.limit = self._clock.callLater(APPROVE_WITHIN, self._got_limit, code)
        return code, request.done

    def find(self, text: str | None) -> Chosen | None:
        """The route that answers ``text``, said to the bot, if it is ``approve CODE``."""
        if text is None or not (self._requests or self._over):
            return None
        if (found := _SAID.fullmatch(text)) is None:
            return None
        code = found[1].upper()
        if not self._requests and code not in self._over:
            # It may be a command of a responder.
            return None
        return self._responder, self._route, {"code": code}

    def _approve(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        text = self._judge(message, groups["code"])
        return succeed(Answers((text,) if text else ()))

    def _judge(self, message: Message, code: str) -> str:
        """What whoever says ``code`` is told, unless it is told already."""
        request = self._requests.get(code)
        if request is not None and self._is_late(request):
            # The process stood still, and what waited to be read came before the timer.
            return "That is over."
        if request is None:
            if code in self._over:
                return "That is over."
            verdict = self._wrong.take(message.identity or message.sender, WRONG_CODES)
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
        # On record first: one that cannot be is none.
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
        """One more agreed; everyone who has to know is told before anything is done."""
        # Those who may not use it any more, or are not there as what they were, do not count.
        for who, said in list(request.approvers.items()):
            if not self._may_approve(request, self._now(said)):
                del request.approvers[who]
        count, needed = len(request.approvers), request.responder.approve
        text = f"{count} of {needed} approve."
        answer, told = reply_to(message, text), reply_to(request.asked, text)
        self._say(told)
        if answer.recipient != told.recipient:
            self._say(answer)
        if count >= needed:
            self._take(code)
            request.done.callback(None)

    def _may_approve(self, request: _Request, message: Message) -> bool:
        # Whatever somebody is in another room counts for nothing in this one.
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
