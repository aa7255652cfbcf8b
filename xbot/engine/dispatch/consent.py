"""Who is asked before something is done: the same person once more, and others."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from xbot.engine.dispatch.approvals import APPROVE_WITHIN, Approvals, NotApproved
from xbot.engine.dispatch.filters import may_have_effects
from xbot.engine.dispatch.interrupted import MAX_TEXT, one_line
from xbot.engine.dispatch.questions import Questions
from xbot.engine.dispatch.runs import Run
from xbot.model.message import Message, reply_to
from xbot.process.threads import Busy
from xbot.runtime.failures import NoAnswer
from xbot.runtime.responder import Responder

#: Seconds in which somebody has to say that they are sure.
CONFIRM_WITHIN = 60.0


class NoConsent(Exception):
    """It is not done. ``fate`` says why in one word, ``answer`` to whoever asked for it."""

    def __init__(self, fate: str, answer: str) -> None:
        super().__init__(fate)
        self.fate = fate
        self.answer = answer


class Consent:
    """Asks for what the responder of a run demands, ``confirm`` first.

    ``may_use(responder, message)`` tells whether the responder's rules, as they
    are by then, allow whoever said this there. ``command_of`` tells what of a
    message was said to the bot.
    """

    def __init__(
        self,
        questions: Questions,
        approvals: Approvals,
        say: Callable[[Message], None],
        command_of: Callable[[Message], str],
        may_use: Callable[[Responder, Message], bool],
    ) -> None:
        self._questions = questions
        self._approvals = approvals
        self._say = say
        self._command_of = command_of
        self._may_use = may_use

    @staticmethod
    def is_needed(run: Run) -> bool:
        """Whether anybody has to be asked before this."""
        return run.route.effect and (run.responder.confirm or run.responder.approve > 0)

    def ask(self, run: Run) -> Deferred[None]:
        """Fires when all agreed; fails with :class:`NoConsent`."""
        return Deferred.fromCoroutine(self._ask(run)).addErrback(self._busy, run.responder.name)

    async def _ask(self, run: Run) -> None:
        responder, message = run.responder, run.message
        # In quotes: what somebody said must not become a command of ours to somebody else.
        command = f'"{one_line(self._command_of(message), MAX_TEXT)}"'
        if responder.approve and message.identity is None:
            raise NoConsent(
                "denied",
                f"{responder.name} has to be approved by others, and I cannot see here who you"
                " are; ask me directly.",
            )
        if responder.confirm:
            message = await self._confirmed(message, command)
        if responder.approve:
            await self._approved(responder, run.message, command)
        if not self._may_use(responder, message):
            raise NoConsent(
                "denied",
                f"{command} is not done: {responder.name} is not what it was, or not for you.",
            )

    async def _confirmed(self, message: Message, command: str) -> Message:
        # Before it is said: somebody may answer at once.
        answered = self._questions.ask(message, CONFIRM_WITHIN)
        if not answered.called:
            self._tell(message, f"{command}: sure? Say yes within {CONFIRM_WITHIN:g} s.")
        try:
            answer = await answered
        except NoAnswer as nothing:
            raise NoConsent(
                "expired", f"{command} is not done." if nothing.answer else ""
            ) from None
        if answer.body.strip(" .!").lower() != "yes":
            raise NoConsent("declined", f"{command} is not done.")
        if not may_have_effects(answer):
            raise NoConsent(
                "denied",
                f"{command} is not done: a yes outside a conversation does not count; ask again,"
                " and say it as a chat message.",
            )
        return answer

    async def _approved(self, responder: Responder, message: Message, command: str) -> None:
        count, minutes = responder.approve, f"{APPROVE_WITHIN / 60:g} minutes"
        others = "one other" if count == 1 else f"{count} others"
        code, given = self._approvals.request(responder, message)
        if code:
            self._tell(
                message,
                f"{command} has to be approved by {others}: say approve {code} within {minutes}.",
            )
        try:
            await given
        except NotApproved:
            raise NoConsent("unapproved", f"{command} is not done: not approved in time.") from None

    def _tell(self, message: Message, text: str) -> None:
        self._say(reply_to(message, text))

    @staticmethod
    def _busy(failure: Failure, name: str) -> None:
        failure.trap(Busy)
        raise NoConsent("busy", f"{name} is busy; try again in a moment.")
