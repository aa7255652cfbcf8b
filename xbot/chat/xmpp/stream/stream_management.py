"""Stream management on the account's streams, one after the other (XEP-0198).

A session outlives its stream: what was sent and not acknowledged is sent again
when it is resumed, and returned to whoever sent it when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.counts import Count, read_count, read_element
from xbot.chat.xmpp.stream.ack_queue import BadAcknowledgement, Sent, Session
from xbot.chat.xmpp.stream.poison import PROMPTLY, Suspects, is_suspicious
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem, PingTimeout, ProtocolViolation
from xbot.model.errors import NotConnected, Undeliverable
from xbot.model.jid import Jid
from xbot.model.message import Message

_TRUE = ("true", "1")

#: So many stanzas of ours under way, and the server is asked which it has.
ASK_AFTER = 50

#: Window: with so many stanzas, or bytes of them, unacknowledged, messages wait. A server
#: that loses a session loses no more than these; fewer would leave the link idle.
WINDOW = 50
WINDOW_BYTES = 8 * 1024

#: More than these, or than so many bytes of them, and it will never say.
MAX_UNACKNOWLEDGED = 5_000
MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024


class StreamManagement:
    """The session of one account, if the server manages its streams.

    ``delivered(message)`` tells that the server has a message of ours,
    ``returned(messages)`` that it may not have these, oldest first, and that
    nobody will send them again but the one who is told. ``refused(message)`` tells
    that this one ended each stream that it was sent on, and must not be sent again.
    ``ready()`` tells that what could not leave may now.

    Over what a stream may have ended is under suspicion. It is sent by itself, so that
    nothing is blamed for its neighbours: ejabberd refuses what it reads at once as a whole.
    """

    _log = Logger("xbot.chat.xmpp.stream.stream_management")

    def __init__(
        self,
        delivered: Callable[[Message], None],
        returned: Callable[[list[Message]], None],
        refused: Callable[[Message], None],
        ready: Callable[[], None],
        clock: Any,
    ) -> None:
        self._delivered = delivered
        self._returned = returned
        self._refused = refused
        self._ready = ready
        self._clock = clock
        self._suspects = Suspects()
        # How the last stream ended, if that may have been over something that we said.
        self._suspicious: ConnectionProblem | None = None
        self._asked_at = 0.0
        # While a suspect is under way, or waits for all else to arrive: until when at most.
        self._alone: IDelayedCall | None = None
        # So many of the last ones under way are written once the suspect before them arrived.
        self._unwritten = 0
        self._session: Session[Message] | None = None
        self._stream: Any = None
        self._has_asked = False
        self._owes_answer = False
        self.jid: Jid | None = None
        self.resumptions = 0

    @property
    def is_active(self) -> bool:
        """Whether the stream of now is managed."""
        return self._stream is not None

    @property
    def can_resume(self) -> bool:
        """Whether there is a session that the server promised to keep for us."""
        return self._session is not None and self._session.previd is not None

    @property
    def location(self) -> str | None:
        """Where the server wants to be asked for the session first, if it said so."""
        return self._session.location if self._session is not None else None

    @property
    def unacknowledged(self) -> int:
        """How many stanzas of ours are under way."""
        return len(self._session.outbound) if self._session is not None else 0

    # For the login.

    def enable_request(self) -> domish.Element:
        """What asks the server to manage this stream and to keep its session."""
        enable = domish.Element((ns.SM, "enable"))
        enable["resume"] = "true"
        return enable

    def got_enabled(self, stream: Any, jid: Jid, answer: domish.Element) -> None:
        """The server's answer: from here on both sides count (XEP-0198, section 3)."""
        if (answer.uri, answer.name) == (ns.SM, "failed"):
            return
        if (answer.uri, answer.name) != (ns.SM, "enabled"):
            raise ProtocolViolation("the server answered something else than was asked")
        previd = location = None
        if answer.getAttribute("resume") in _TRUE:
            previd, location = answer.getAttribute("id"), answer.getAttribute("location")
        self._session = Session(previd, location)
        self.jid = jid
        self._attach(stream)

    def resume_request(self) -> domish.Element:
        """What asks the server to go on with the session on this stream."""
        session = self._session
        assert session is not None
        assert session.previd is not None
        resume = domish.Element((ns.SM, "resume"))
        resume["previd"] = session.previd
        resume["h"] = str(session.inbound.h)
        return resume

    def got_resume_answer(self, stream: Any, answer: domish.Element) -> bool:
        """Whether the session goes on; if so, what the server lacks is sent again first."""
        session = self._session
        assert session is not None
        if (answer.uri, answer.name) == (ns.SM, "failed"):
            # XEP-0198 5: a server may tell what it had handled all the same.
            h = read_count(answer.getAttribute("h"))
            if h is not None:
                self._acknowledge(session, h)
            self.forget(is_exact=h is not None)
            return False
        if (answer.uri, answer.name) != (ns.SM, "resumed"):
            raise ProtocolViolation("the server answered something else than was asked")
        h = read_count(answer.getAttribute("h"))
        if h is None or answer.getAttribute("previd") != session.previd:
            raise ProtocolViolation("the server resumed another session than ours")
        self._acknowledge(session, h)
        self.resumptions += 1
        if session is not self._session:
            # The last one delivered was all that we stayed for.
            return True
        self._blame(session, is_exact=True)
        # By now another person may have the nick that these were sent to.
        private = session.outbound.take(lambda message: message.addressee is not None)
        if private:
            self._returned(private)
        self._attach(stream)
        first = session.outbound.first()
        if first is not None and self._suspects.has_sent(first):
            self._begin_alone()
            stream.write(first.data)
            self._unwritten = len(session.outbound) - 1
        else:
            self._write(session)
        if first is not None:
            self._ask()
        return True

    def forget(self, is_exact: bool = False) -> None:
        """The session is over: what may not have arrived goes back.

        ``is_exact`` tells whether it is known what of that the server has handled.
        """
        session, self._session = self._session, None
        self._stream = None
        self._forget_alone()
        if session is not None:
            self._blame(session, is_exact)
            messages = [sent.token for sent in session.outbound if sent.token is not None]
            if messages:
                self._returned(messages)

    # For the stream.

    def will_send(self, message: Message) -> None:
        """This is next, if it may be: a suspect is sent by itself.

        :raises NotConnected: when enough is under way, or when it has to wait for a suspect.
        :raises Undeliverable: when it ended as many streams as it may.
        """
        if self._stream is not None and self._is_window_full():
            # Its answer says when more may leave.
            self._ask()
            raise NotConnected(message.recipient, "enough is under way")
        if not self._suspects:
            return
        if self._suspects.has_convicted(message):
            raise Undeliverable(message.recipient)
        if self._session is None or self._stream is None:
            return
        is_suspect = self._suspects.has(message)
        has_others = len(self._session.outbound) > 0
        if is_suspect:
            self._begin_alone()
        if self._alone is not None and (has_others or not is_suspect):
            self._ask(again=is_suspect)
            raise NotConnected(message.recipient, "what may have ended a stream is sent by itself")

    def _is_window_full(self) -> bool:
        """Back-pressure: whether so much is unacknowledged that no message is sent now."""
        session = self._session
        if session is None:
            return False
        under_way = session.outbound
        return len(under_way) >= WINDOW or under_way.size >= WINDOW_BYTES

    def keeps(self, data: bytes, message: Message | None) -> bool:
        """Whether this stanza is written later, behind others that are."""
        if not self._unwritten or self._session is None:
            return False
        self._unwritten += 1
        self._session.outbound.sent(data, message)
        self._check_bounds(self._session)
        return True

    def sent(self, data: bytes, message: Message | None) -> None:
        """A stanza was written."""
        if self._session is None:
            return
        under_way = self._session.outbound
        under_way.sent(data, message)
        # What anybody may make us answer (a ping, say) must not pile up either.
        if message is not None or len(under_way) >= ASK_AFTER:
            self._ask()
        self._check_bounds(self._session)

    def _check_bounds(self, session: Session[Message]) -> None:
        under_way = session.outbound
        is_too_much = (
            len(under_way) > MAX_UNACKNOWLEDGED or under_way.size > MAX_UNACKNOWLEDGED_BYTES
        )
        if is_too_much and self._stream is not None:
            # What is under way stays; on another stream the server has to count anew.
            self._stream.end(ProtocolViolation("the server acknowledges nothing"))

    def received(self, safe: Deferred[Any] | None = None) -> None:
        """A stanza came, and is safe once ``safe`` fires; with None it is already."""
        session = self._session
        if session is None:
            # It ended while that one was dealt with.
            return
        if safe is None:
            session.inbound.passed()
            return
        ticket = session.inbound.received()

        def handled(_: object) -> None:
            # The session it came in, even when another stream carries it by now.
            grew = session.inbound.handled(ticket)
            if grew and self._owes_answer and session is self._session:
                self._answer()

        safe.addBoth(handled)

    def got_element(self, element: domish.Element) -> bool:
        """Whether the element was for us, which stream management's are once it runs."""
        if element.uri != ns.SM or self._session is None:
            return False
        try:
            count = read_element(element)
        except ValueError as wrong:
            raise ProtocolViolation(f"the server sent {wrong}") from None
        if count is not None:
            self.got_count(count)
        return True

    def got_count(self, count: Count) -> None:
        """The server asks for our count, or tells its own."""
        session = self._session
        if session is None:
            # It ended, and with it what was counted.
            return
        if count.h is None:
            self._answer()
            return
        self._has_asked = False
        self._acknowledge(session, count.h)
        # Who is told of the last one delivered may say goodbye at once.
        if session is not self._session:
            return
        if self._alone is not None and len(session.outbound) == self._unwritten:
            self._got_all()
        self._ready()
        if session is not self._session:
            return
        if any(sent.token is not None for sent in session.outbound):
            self._ask()

    def detached(self, stream: Any) -> None:
        """The stream ended; its session waits to be resumed."""
        if stream is self._stream:
            self._stream = None
            self._forget_alone()
            if self._has_asked and stream.is_resumed and isinstance(stream.problem, PingTimeout):
                # The server took the session, and says nothing on it: it may never again.
                self.forget()
                return
            is_prompt = not self._has_asked or self._clock.seconds() - self._asked_at <= PROMPTLY
            if is_prompt and is_suspicious(stream.problem):
                self._suspicious = stream.problem

    def say_goodbye(self) -> None:
        """We leave for good: the last count, so that the server sends nothing on to others."""
        if self._stream is not None:
            self._answer()
        self.forget()

    def _attach(self, stream: Any) -> None:
        self._stream = stream
        self._has_asked = self._owes_answer = False
        stream.managed = self

    def _begin_alone(self) -> None:
        """Others wait, for a suspect, but no longer than a server may take."""
        if self._alone is None:
            self._alone = self._clock.callLater(PROMPTLY, self._end_alone)

    def _forget_alone(self) -> None:
        alone, self._alone, self._unwritten = self._alone, None, 0
        if alone is not None and alone.active():
            alone.cancel()

    def _got_all(self) -> None:
        """All that was written arrived: a suspect is next, if one waits, or else all others."""
        if not self._unwritten:
            self._ready()
            if self._session is None or len(self._session.outbound) > 0:
                return
        self._end_alone()

    def _end_alone(self) -> None:
        session, unwritten = self._session, self._unwritten
        self._forget_alone()
        if session is not None and unwritten:
            self._write(session, len(session.outbound) - unwritten)
        self._ready()

    def _write(self, session: Session[Message], start: int = 0) -> None:
        """Write again what is under way, but for the first ``start``."""
        for sent in list(session.outbound)[start:]:
            self._stream.write(sent.data)

    def _blame(self, session: Session[Message], is_exact: bool) -> None:
        """What the server had not handled first may be why it ended the last stream."""
        problem, self._suspicious = self._suspicious, None
        first = session.outbound.first()
        if problem is None or first is None:
            return
        if first.token is None and not is_exact:
            # It has handled nobody knows how much of this. The first message is looked
            # at more closely from now on, no more.
            said = next((sent for sent in session.outbound if sent.token is not None), None)
            if said is not None and not self._suspects.has_sent(said):
                self._suspects.blame(said, problem)
        elif self._suspects.blame(first, problem):
            session.outbound.drop_first()
            self._drop(first)

    def _drop(self, sent: Sent[Message]) -> None:
        message = sent.token
        if message is None:
            self._log.error(
                "dropped a stanza of {size} bytes: each stream ended when it was sent",
                size=len(sent.data),
            )
            return
        self._log.error(
            "dropped what was to be said to {recipient} ({size} bytes, id {id}): each stream"
            " ended when it was sent",
            recipient=message.recipient,
            size=len(sent.data),
            id=message.payload.get("id", ""),
        )
        self._refused(message)

    def _ask(self, again: bool = False) -> None:
        """One question at a time, as its answer leads to the next; but ``again`` is one more."""
        if self._stream is not None and (again or not self._has_asked):
            if not self._has_asked:
                self._asked_at = self._clock.seconds()
            self._has_asked = True
            self._stream.send_count(Count())

    def _answer(self) -> None:
        if self._session is None or self._stream is None:
            return
        # What is still in work is told as soon as it is safe, not when asked again.
        self._owes_answer = self._session.inbound.in_work > 0
        self._stream.send_count(Count(self._session.inbound.h))

    def _acknowledge(self, session: Session[Message], h: int) -> None:
        try:
            freed: Iterable[Sent[Message]] = session.outbound.acknowledged(h)
        except BadAcknowledgement as bad:
            self.forget()
            raise ProtocolViolation(f"the server's count is wrong: {bad}") from None
        for sent in freed:
            if self._suspects:
                self._suspects.clear(sent)
            if sent.token is not None:
                self._delivered(sent.token)
