"""Presence subscriptions: answer requests to see our presence (RFC 6121, section 3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import XmppSettings
from xbot.model.cooldown import Cooldown
from xbot.model.errors import InvalidJid, NotConnected
from xbot.model.jid import Jid


class Subscriptions(Handler):
    """Answers ``subscribe`` by the settings; the other three types need no answer.

    The answer goes to the bare JID and repeats nothing of the request. Rate limit: one
    answer per sender and minute. ``counts`` counts the requests by outcome: ``accepted``,
    ``refused``, ``unanswered`` (a person or a later session decides) and ``too-often``.
    ``contacts`` returns the JIDs of our roster, or None while it is not known.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        settings: XmppSettings,
        contacts: Callable[[], Collection[str] | None],
        clock: IReactorTime,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self._contacts = contacts
        self._account = settings.jid.bare
        self._throttle = Cooldown(clock)

    def observe(self) -> None:
        self.watch("presence", self.got_presence)

    def got_presence(self, stanza: domish.Element) -> None:
        """Handle a presence; only subscription requests are answered."""
        if stanza.getAttribute("type") != "subscribe":
            return
        try:
            sender = Jid.parse(stanza.getAttribute("from", "")).bare
        except InvalidJid:
            return
        if sender == self._account:
            return
        answer = self._answer_to(sender)
        if answer is None:
            self.counts["unanswered"] += 1
            return
        if not self._throttle.allows(str(sender), sender.domain):
            self.counts["too-often"] += 1
            return
        accepted = answer == "subscribed"
        self.counts["accepted" if accepted else "refused"] += 1
        self._log.info(
            "{verb} the subscription of {sender}",
            verb="accepted" if accepted else "refused",
            sender=str(sender),
        )
        reply = domish.Element((ns.CLIENT, "presence"))
        reply["to"] = str(sender)
        reply["type"] = answer
        try:
            self.send(reply)
        except NotConnected:
            # RFC 6121 3.1.3: the server delivers the request again at the next login.
            self._log.debug("a subscription was not answered: the connection is closing")

    def _answer_to(self, sender: Jid) -> str | None:
        """The type of the answer: ``subscribed`` or ``unsubscribed``; None for no answer now."""
        rule = self.settings.subscriptions
        if rule == "accept" or self.settings.subscribers.includes(sender):
            return "subscribed"
        if rule == "ask":
            return None
        if rule == "roster":
            contacts = self._contacts()
            if contacts is None:
                return None
            # RFC 6121 2.1.2.2: a request alone does not put its sender into the roster.
            return "subscribed" if str(sender) in contacts else "unsubscribed"
        return "unsubscribed"
