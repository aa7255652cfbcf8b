"""Own sessions: warn of another session of our account that gets messages meant for us.

A message to our bare JID goes to the session with the highest priority (RFC 6121, section
8.5.2). The server tells each session of an account about the others (section 4.2.2).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire import ns
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid

#: The priority of our own presence, which names none (RFC 6121, section 4.7.2.3).
OWN_PRIORITY = 0

#: Maximum number of other sessions that are remembered.
MAX_SESSIONS = 32

#: Maximum length of a resource in the log, in characters.
MAX_SHOWN = 100


class OwnSessions(Handler):
    """Logs one warning for each other session of our account of our priority or above.

    ``own_jid`` returns our full JID of this session.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, own_jid: Callable[[], Jid | None]) -> None:
        super().__init__()
        self._own_jid = own_jid
        # By resource: its priority.
        self._told: OrderedDict[str, int] = OrderedDict()

    def observe(self) -> None:
        self.watch("presence", self.got_presence)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._told.clear()

    def got_presence(self, stanza: domish.Element) -> None:
        """Handle a presence; only those of our own account count."""
        own = self._own_jid()
        try:
            sender = Jid.parse(stanza.getAttribute("from", ""))
        except InvalidJid:
            return
        if own is None or sender.bare != own.bare or sender.resource in (None, own.resource):
            return
        resource, kind = str(sender.resource), stanza.getAttribute("type")
        if kind is not None:
            if self._told.pop(resource, None) is not None and kind == "unavailable":
                self._log.info("the other session {resource} of our account has ended",
                               resource=resource[:MAX_SHOWN])  # fmt: skip
            return
        priority = _priority(stanza)
        if priority < OWN_PRIORITY:
            self._told.pop(resource, None)
        elif self._told.get(resource) != priority:
            self._told[resource] = priority
            if len(self._told) > MAX_SESSIONS:
                self._told.popitem(last=False)
            self._warn(resource, priority)

    def _warn(self, resource: str, priority: int) -> None:
        is_higher = priority > OWN_PRIORITY
        self._log.warn(
            "another session of our account, {resource}, has the {which} priority ({priority}):"
            " private messages go to it{consequence}; give the bot an account of its own, or that"
            " session a negative priority",
            resource=resource[:MAX_SHOWN],
            which="higher" if is_higher else "same",
            priority=priority,
            consequence=", and not to us" if is_higher else ", too, or to it alone",
        )


def _priority(stanza: domish.Element) -> int:
    """The priority of a presence; 0 if it is missing or invalid."""
    found = child(stanza, ns.CLIENT, "priority")
    text = str(found).strip() if found is not None else ""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,3}", text) else 0
