"""Consent before a run: confirmation by the sender, approval by other people."""

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
from xbot.text.yes_no import read_yes_no

#: Seconds that the sender has to confirm a command.
CONFIRM_WITHIN = 60.0

#: Answer to what is neither yes nor no, and no command.
UNCLEAR = "That did not look like yes or no. Say yes to do it, no to leave it."


class NoConsent(Exception):
    """The run is not allowed. ``fate`` is the reason in one word, ``answer`` the reply."""

    def __init__(self, fate: str, answer: str) -> None:
        super().__init__(fate)
        self.fate = fate
        self.answer = answer


class Consent:
    """Asks for the consent that a run's responder requires: ``confirm``, then ``approve``.

    ``may_use(responder, message)`` checks the responder's current access rules for
    the sender of ``message``. ``command_of`` gives the part of a message that
    addresses the bot. ``is_mute(room)``: whether we may not speak in the room; then
    nobody sees a question there, and no answer to it counts.
    """

    def __init__(
        self,
        questions: Questions,
        approvals: Approvals,
        say: Callable[[Message], None],
        command_of: Callable[[Message], str],
        may_use: Callable[[Responder, Message], bool],
        is_mute: Callable[[str], bool] = lambda room: False,
    ) -> None:
        self._questions = questions
        self._approvals = approvals
        self._say = say
        self._command_of = command_of
        self._may_use = may_use
        self._is_mute = is_mute

    @staticmethod
    def is_needed(run: Run) -> bool:
        """Whether the run requires a confirmation or an approval."""
        return run.route.effect and (run.responder.confirm or run.responder.approve > 0)

    def ask(self, run: Run) -> Deferred[None]:
        """Ask for confirmation and approval. Fires with consent; fails with :class:`NoConsent`.

        The sender's access is checked again at the end.
        """
        return Deferred.fromCoroutine(self._ask(run)).addErrback(self._busy, run.responder.name)

    async def _ask(self, run: Run) -> None:
        """Ask in order: confirmation, approval, and the access rules once more."""
        responder, message = run.responder, run.message
        # Quote the command: else another bot in the room might obey the text that we repeat.
        command = f'"{one_line(self._command_of(message), MAX_TEXT)}"'
        self._check_voice(message, command)
        if responder.approve and message.identity is None:
            raise NoConsent(
                "denied",
                f"{responder.name} has to be approved by others, and I cannot see here who you"
                " are; ask me directly.",
            )
        if responder.approve and self._approvals.is_full(message):
            # Before the sender is asked to confirm it.
            raise Busy(len(self._approvals))
        if responder.confirm:
            message = await self._confirmed(message, command)
        if responder.approve:
            await self._approved(responder, run.message, command)
        self._check_voice(run.message, command)
        if not self._may_use(responder, message):
            raise NoConsent(
                "denied",
                f"{command} is not done: {responder.name} has changed meanwhile, or you may no"
                " longer use it.",
            )

    def _check_voice(self, message: Message, command: str) -> None:
        """Raise :class:`NoConsent` where the question cannot be seen."""
        if message.is_public and message.room and self._is_mute(message.room):
            raise NoConsent("unasked", f"{command} is not done: I may not speak here to ask.")

    async def _confirmed(self, message: Message, command: str) -> Message:
        """Ask the sender to say yes; return the message that did."""
        # Open the question before it is sent, because the answer may arrive at once.
        answered = self._questions.ask(
            message, CONFIRM_WITHIN, lambda text: read_yes_no(text) is not None, UNCLEAR
        )
        if not answered.called:
            self._tell(message, f"{command}: sure? Say yes within {CONFIRM_WITHIN:g} s.")
        try:
            answer = await answered
        except NoAnswer as nothing:
            why = "." if nothing.answer else ": you gave another command that asks you something."
            raise NoConsent("expired", f"{command} is not done{why}") from None
        if not read_yes_no(answer.body):
            raise NoConsent("declined", f"{command} is not done.")
        if not may_have_effects(answer):
            raise NoConsent(
                "denied",
                f"{command} is not done: a yes outside a conversation does not count; ask again,"
                " and say it as a chat message.",
            )
        return answer

    async def _approved(self, responder: Responder, message: Message, command: str) -> None:
        """Request approvals, tell the code, and wait until enough people approved."""
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
