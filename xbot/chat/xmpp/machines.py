"""Senders of direct messages that are no person's client: gateways, services and scripts.

An answer to a notice of theirs may do harm: an IRC gateway, for one, sends what is said to
it to the IRC server as a raw command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from xbot.chat.xmpp.stanzas.addresses import Address
from xbot.model.cooldown import Cooldown
from xbot.model.jid import Jid

#: Seconds between two log lines about one sender.
QUIET = 3600.0


class Machines:
    """Recognises senders that are no client. ``is_named(jid)``: whether the ini names one."""

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, clock: Any, is_named: Callable[[Jid], bool] = lambda jid: False) -> None:
        self._is_named = is_named
        self._cooldown = Cooldown(clock, QUIET)

    def has_sent(self, sender: Address) -> bool:
        """Whether a direct message from ``sender`` is a machine's; the first is logged.

        A client's messages come from its full JID (RFC 6120, 8.1.2.1). A gateway speaks for a
        person behind it as ``nick%server@gateway``.
        """
        jid = sender.jid
        if jid.resource is not None or (jid.local is not None and "%" in jid.local):
            return False
        if jid.local is not None and self._is_named(jid):
            return False
        if self._cooldown.allows(sender.bare_text, jid.domain):
            self._log.info(
                "not obeyed: {sender} is a gateway, a service or a script; name it in an allow, if"
                " it is to be obeyed",
                sender=sender.bare_text,
            )
        return True
