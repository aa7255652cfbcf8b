"""IQ: send requests and match their replies, answer incoming requests (RFC 6120, 8.2.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.stanza import error_reply, read_error, reply_to
from xbot.chat.xmpp.stream.handlers import Handler, Handlers
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, Node, full_name, node_of
from xbot.chat.xmpp.wire.serialize import Unserializable
from xbot.model.errors import NotConnected
from xbot.model.jid import Jid
from xbot.model.random_ids import new_ident

#: Default time-out of a request, in seconds.
IQ_TIMEOUT = 30.0

#: Maximum number of requests in flight; further ones fail with NotConnected.
MAX_PENDING = 1000

#: Maximum length of a request's id and sender in characters, because the reply repeats
#: both. No JID is longer (RFC 7622).
MAX_ECHOED = 3071

_IQ = full_name(ns.CLIENT, "iq")

Answerer = Callable[[domish.Element], domish.Element | None]
"""Takes a request and returns the payload of its result; may raise :class:`IqRefused`."""


TakeItem = Callable[[Node], object]
"""Takes one child of a reply's payload."""


class IqRefused(Exception):
    """The reply is an error, sent or received; ``condition`` is its name (RFC 6120, 8.3.3).

    ``text`` is what the other side says about it.
    """

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(f"{condition} ({text})" if text else condition)
        self.condition = condition


class IqTimeout(ConnectionProblem):
    """No reply came in time."""


class _Pending(NamedTuple):
    sender: str | None
    answer: Deferred[Node]
    deadline: IDelayedCall
    take_item: TakeItem | None


class Iq(Handler):
    """Sends iq requests and answers incoming ones.

    A reply is accepted only with the id of a request in flight, which cannot be
    guessed, *and* from the JID that was asked. A request without an answerer gets a
    minimal error. ``dropped`` counts the stanzas that get no reply: ``unasked`` replies,
    requests whose id or sender is ``too-long``, and iqs without a valid type
    (``no-type``).
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, own_jid: Callable[[], Jid | None], clock: Any) -> None:
        super().__init__()
        self._own_jid = own_jid
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._answerers: dict[tuple[str, str, str], Answerer] = {}
        self.dropped: Counter[str] = Counter()

    def setHandlerParent(self, parent: Handlers) -> None:
        super().setHandlerParent(parent)
        parent.send_request = self.request

    def answer(self, kind: str, uri: str, name: str, answerer: Answerer) -> None:
        """Register ``answerer`` for requests of this ``kind`` ("get", "set") with this payload."""
        self._answerers[kind, uri, name] = answerer

    def request(
        self,
        kind: str,
        to: str | None,
        payload: domish.Element,
        timeout: float = IQ_TIMEOUT,
        take_item: TakeItem | None = None,
    ) -> Deferred[Node]:
        """Send a request to ``to`` (None: our own account); fires with the result as a node.

        ``take_item`` streams a large result: it may get children of the payload, in
        order, while they arrive; the result then lacks them.

        Fails with :class:`IqRefused`, :class:`IqTimeout`, or the problem that
        ended the connection.
        """
        if len(self._pending) >= MAX_PENDING:
            return fail(NotConnected(to or "the server", "too many requests are unanswered"))
        iq = domish.Element((ns.CLIENT, "iq"))
        iq["type"] = kind
        iq["id"] = identity = new_ident()
        if to is not None:
            iq["to"] = to
        iq.addChild(payload)
        try:
            self.send(iq)
        except NotConnected:
            return fail()
        answer: Deferred[Node] = Deferred(lambda _: self._cancelled(identity))
        deadline = self._clock.callLater(timeout, self._timed_out, identity, timeout)
        self._pending[identity] = _Pending(to, answer, deadline, take_item)
        return answer

    def observe(self) -> None:
        self.watch("iq", self.got_iq)
        self.xmlstream.shortcuts[_IQ] = self.take
        self.xmlstream.item_shortcut = self.take_part

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        for identity in list(self._pending):
            if (pending := self._forget(identity)) is not None:
                pending.answer.errback(reason)

    def take(self, node: Node) -> bool:
        """Fast path of :meth:`got_iq` for results, which may be large; False for other iqs.

        It works on the node, so no element is made
        (:data:`xbot.chat.xmpp.stream.stream.Shortcut`).
        """
        if node[ATTRIBUTES].get("type") != "result":
            return False
        if (pending := self._take_pending(node[ATTRIBUTES])) is not None:
            pending.answer.callback(node)
        return True

    def take_part(self, iq: Node, item: Node) -> bool:
        """Pass one child of an arriving result to its ``take_item``; False if there is none."""
        pending = self._find_pending(iq[ATTRIBUTES])
        if pending is None or pending.take_item is None:
            return False
        pending.take_item(item)
        return True

    def got_iq(self, iq: domish.Element) -> None:
        """Handle an incoming iq of any type."""
        kind = iq.getAttribute("type")
        if kind in ("result", "error"):
            self._got_reply(iq, kind)
        elif kind not in ("get", "set"):
            self.dropped["no-type"] += 1
        elif any(len(iq.getAttribute(name, "")) > MAX_ECHOED for name in ("id", "from")):
            self.dropped["too-long"] += 1
        else:
            self._got_request(iq, kind)

    def _got_reply(self, iq: domish.Element, kind: str) -> None:
        if (pending := self._take_pending(iq.attributes)) is None:
            return
        if kind == "result":
            pending.answer.callback(node_of(iq))
        else:
            error = read_error(node_of(iq))
            pending.answer.errback(IqRefused(error.condition, error.text))

    def _take_pending(self, reply: Mapping[Any, str]) -> _Pending | None:
        """Remove and return the request that a reply with these attributes answers, or None."""
        if self._find_pending(reply) is None:
            self.dropped["unasked"] += 1
            return None
        return self._forget(reply["id"])

    def _find_pending(self, reply: Mapping[Any, str]) -> _Pending | None:
        pending = self._pending.get(reply.get("id", ""))
        if pending is None or not self._is_from(reply.get("from"), pending.sender):
            return None
        return pending

    def _is_from(self, sender: str | None, asked: str | None) -> bool:
        if sender == asked:
            return True
        own = self._own_jid()
        return own is not None and asked in (None, str(own.bare)) and self._is_account(sender, own)

    def is_from_account(self, iq: domish.Element) -> bool:
        """Whether our account, or the server on its behalf, sent this iq (RFC 6120, 8.1.2.1)."""
        own = self._own_jid()
        return own is not None and self._is_account(iq.getAttribute("from"), own)

    def _is_account(self, sender: str | None, own: Jid) -> bool:
        return sender in (None, str(own.bare), str(own), own.domain)

    def _got_request(self, iq: domish.Element, kind: str) -> None:
        payload = iq.firstChildElement()
        answerer = (
            self._answerers.get((kind, payload.uri, payload.name)) if payload is not None else None
        )
        if answerer is None:
            self._reply(error_reply(iq, "service-unavailable"))
            return
        try:
            result = answerer(iq)
        except IqRefused as refusal:
            self._reply(error_reply(iq, refusal.condition))
            return
        except Exception:
            # A bug of ours; reply anyway, so that the requester does not wait.
            self._log.failure("a request could not be answered")
            self._reply(error_reply(iq, "internal-server-error"))
            return
        reply = reply_to(iq, "result")
        if result is not None:
            reply.addChild(result)
        self._reply(reply)

    def _reply(self, stanza: domish.Element) -> None:
        try:
            self.send(stanza)
        except Unserializable:
            # What it repeats of the request is longer when it is escaped.
            self.dropped["too-long"] += 1

    def _timed_out(self, identity: str, timeout: float) -> None:
        if (pending := self._forget(identity)) is not None:
            pending.answer.errback(
                IqTimeout(f"{pending.sender or 'the server'} did not answer within {timeout:g} s")
            )

    def _cancelled(self, identity: str) -> None:
        self._forget(identity)

    def _forget(self, identity: str) -> _Pending | None:
        pending = self._pending.pop(identity, None)
        if pending is not None and pending.deadline.active():
            pending.deadline.cancel()
        return pending
