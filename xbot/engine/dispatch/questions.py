"""Open questions to people: the person's next message in that place is the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from xbot.engine.dispatch.person import Person, person_of
from xbot.model.fair_share import may_have_more
from xbot.model.message import Message
from xbot.process.threads import Busy
from xbot.runtime.answers import Answers
from xbot.runtime.failures import NoAnswer
from xbot.runtime.responder import Chosen, Responder, Route
from xbot.text.durations import shown

#: Maximum number of open questions. One room, or the private chats with one domain, get no more
#: than their fair share (:mod:`xbot.model.fair_share`).
MAX_QUESTIONS = 400


@define(eq=False, repr=False)
class _Question:
    """An open question; ``limit`` is its time-out, None if it is just being opened."""

    answered: Deferred[Message]
    takes: Callable[[str], bool]
    hint: str
    limit: IDelayedCall | None = None


class Questions:
    """The open questions, at most one per person and place; a new one replaces the old one."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: dict[Person, _Question] = {}
        self._route = Route(None, self._answer, effect=False)
        self._unclear = Route(None, self._hint, effect=False)
        self._responder = Responder("answer", (self._route, self._unclear), is_internal=True)

    def __len__(self) -> int:
        return len(self._open)

    def ask(
        self,
        message: Message,
        timeout: float,
        takes: Callable[[str], bool] = lambda text: True,
        hint: str = "",
    ) -> Deferred[Message]:
        """Open a question; fires with the next message of this sender in the same place.

        Only a text for which ``takes`` is true is an answer; others go where they would go
        without the question, and if they address the bot without being a command, ``hint``
        is the answer. Does not send anything. Cancelling it withdraws the question.

        Fails with :class:`NoAnswer` after ``timeout`` seconds or when another question to
        the same person replaces it, and with :class:`Busy` when there are too many
        questions.
        """
        person = person_of(message)
        self._fail(person, NoAnswer("", "asked something else"))
        there = sum(each.share == person.share for each in self._open)
        if not may_have_more(there, len(self._open), MAX_QUESTIONS):
            return fail(Busy(there))
        question = _Question(Deferred(lambda _: self._take(person, question)), takes, hint)
        self._open[person] = question
        question.limit = self._clock.callLater(timeout, self._got_limit, person, timeout)
        return question.answered

    def find(self, message: Message, text: str | None) -> Chosen | None:
        """The route that takes ``message`` as an answer; ``text`` is what addresses the bot."""
        question = self._question_to(message)
        answer = message.body if text is None else text
        if question is None or not question.takes(answer):
            return None
        return self._responder, self._route, {"text": answer}

    def unclear(self, message: Message) -> Chosen | None:
        """The route that gives the hint, if a question to the sender of ``message`` is open."""
        return (self._responder, self._unclear, {}) if self._question_to(message) else None

    def _question_to(self, message: Message) -> _Question | None:
        question = self._open.get(person_of(message)) if self._open else None
        if question is None or question.limit is None:
            return None
        # If the process stood still (suspend), this message was read before the timer fired.
        return question if question.limit.getTime() > self._clock.seconds() else None

    def _hint(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        question = self._question_to(message)
        return succeed(Answers((question.hint,) if question is not None else ()))

    def _answer(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        question = self._open.get(person_of(message))
        if question is not None:
            self._take(person_of(message), question)
            question.answered.callback(evolve(message, body=groups["text"], reply_channel=None))
        return succeed(Answers())

    def _got_limit(self, person: Person, timeout: float) -> None:
        self._fail(person, NoAnswer(reason=f"no answer within {shown(timeout)}"))

    def _fail(self, person: Person, reason: NoAnswer) -> None:
        question = self._open.get(person)
        if question is not None:
            self._take(person, question)
            question.answered.errback(reason)

    def _take(self, person: Person, question: _Question) -> None:
        if self._open.get(person) is question:
            del self._open[person]
        if question.limit is not None and question.limit.active():
            question.limit.cancel()
