"""Roster and initial presence of a session (RFC 6121)."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.stream.iq import Iq, IqRefused
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, child_of, full_name, node_of

#: RFC 6121 2.1.2.5; any other value counts as "none".
SUBSCRIPTIONS = ("none", "to", "from", "both")

#: Maximum number of contacts kept; the parser accepts an answer of about that size
#: (:data:`xbot.chat.xmpp.wire.elements.MAX_OWN_ELEMENTS`).
MAX_CONTACTS = 50_000
MAX_JID = 3071

_QUERY = full_name(ns.ROSTER, "query")
_ITEM = full_name(ns.ROSTER, "item")


class Roster(Handler):
    """Roster handler: fetches it at the start of a session, then sends initial presence.

    ``contacts`` maps JIDs to subscriptions; it is None until the roster arrived.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, iq: Iq) -> None:
        super().__init__()
        self._iq = iq
        self.contacts: dict[str, str] | None = None
        # The items of a large roster that arrived before its end.
        self._partial: dict[str, str] = {}
        iq.answer("set", ns.ROSTER, "query", self._got_push)

    def connectionInitialized(self) -> None:
        self._partial = {}
        query = domish.Element((ns.ROSTER, "query"))
        answer = self._iq.request(
            "get", None, query, take_item=lambda item: _take([item], self._partial)
        )
        answer.addCallback(self._got_roster).addErrback(self._got_no_roster)
        # RFC 6121 2.2: the roster is asked for first, but not waited for.
        self.send(domish.Element((ns.CLIENT, "presence")))

    def _got_roster(self, iq: Node) -> None:
        _take(_items(iq), self._partial)
        self.contacts = self._partial
        if len(self.contacts) >= MAX_CONTACTS:
            self._log.warn(
                "the roster holds more than {most} contacts; the others are ignored",
                most=MAX_CONTACTS,
            )
        self._log.debug("the roster holds {contacts} contacts", contacts=len(self.contacts))

    def _got_push(self, iq: domish.Element) -> None:
        # RFC 6121 2.1.6: only a push from our own account is the server's; refuse all others.
        if not self._iq.is_from_account(iq):
            raise IqRefused("service-unavailable")
        if self.contacts is not None:
            _take(_items(node_of(iq)), self.contacts)

    def _got_no_roster(self, failure: Failure) -> None:
        failure.trap(IqRefused, ConnectionProblem)
        self._log.info("no roster: {reason}", reason=failure.getErrorMessage())


def _items(iq: Node) -> list[Node]:
    query = child_of(iq, _QUERY)
    return query[CHILDREN:] if query is not None else []


def _take(items: list[Node], contacts: dict[str, str]) -> None:
    """Apply these children of a roster query to the contacts."""
    for item in items:
        if item[NAME] != _ITEM:
            continue
        jid = item[ATTRIBUTES].get("jid", "")
        subscription = item[ATTRIBUTES].get("subscription")
        if subscription == "remove":
            contacts.pop(jid, None)
        elif len(jid) <= MAX_JID and len(contacts) < MAX_CONTACTS:
            contacts[jid] = subscription if subscription in SUBSCRIPTIONS else "none"
