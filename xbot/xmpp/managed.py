"""Stream management on the account's streams, one after the other (XEP-0198).

A session outlives its stream: what was sent and not acknowledged is sent again
when it is resumed, and returned to whoever sent it when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.jid import Jid
from xbot.message import Message
from xbot.xmpp import ns
from xbot.xmpp.problems import ProtocolViolation
from xbot.xmpp.sm import BadAcknowledgement, Count, Sent, Session, read_count, read_element

_TRUE = ("true", "1")

#: So many stanzas of ours under way, and the server is asked which it has.
ASK_AFTER = 50

#: More than these, or than so many bytes of them, and it will never say.
MAX_UNACKNOWLEDGED = 5_000
MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024


class Managed:
    """The session of one account, if the server manages its streams.

    ``delivered(message)`` tells that the server has a message of ours,
    ``returned(messages)`` that it may not have these, oldest first, and that
    nobody will send them again but the one who is told.
    """

    _log = Logger("xbot.xmpp.managed")

    def __init__(
        self,
        delivered: Callable[[Message], None],
        returned: Callable[[list[Message]], None],
    ) -> None:
        self._delivered = delivered
        self._returned = returned
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
            self.forget()
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
        self._attach(stream)
        under_way = list(session.outbound)
        for sent in under_way:
            stream.write(sent.data)
        if under_way:
            self._ask()
        return True

    def forget(self) -> None:
        """The session is over: what may not have arrived goes back."""
        session, self._session = self._session, None
        self._stream = None
        if session is not None:
            messages = [sent.token for sent in session.outbound if sent.token is not None]
            if messages:
                self._returned(messages)

    # For the stream.

    def sent(self, data: bytes, message: Message | None) -> None:
        """A stanza was written."""
        if self._session is None:
            return
        under_way = self._session.outbound
        under_way.sent(data, message)
        # What anybody may make us answer (a ping, say) must not pile up either.
        if message is not None or len(under_way) >= ASK_AFTER:
            self._ask()
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
        if session is self._session and any(sent.token is not None for sent in session.outbound):
            self._ask()

    def detached(self, stream: Any) -> None:
        """The stream ended; its session waits to be resumed."""
        if stream is self._stream:
            self._stream = None

    def say_goodbye(self) -> None:
        """We leave for good: the last count, so that the server sends nothing on to others."""
        if self._stream is not None:
            self._answer()
        self.forget()

    def _attach(self, stream: Any) -> None:
        self._stream = stream
        self._has_asked = self._owes_answer = False
        stream.managed = self

    def _ask(self) -> None:
        """One question at a time: its answer leads to the next."""
        if self._stream is not None and not self._has_asked:
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
            if sent.token is not None:
                self._delivered(sent.token)
