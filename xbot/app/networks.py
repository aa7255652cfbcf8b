"""Chat networks of an ini: one for each account in it (today only one is possible)."""

from __future__ import annotations

from typing import Any

from xbot.chat.interfaces import NetworkEnvironment
from xbot.chat.xmpp.network import XmppNetwork


def make_network(reactor: Any, environment: NetworkEnvironment, trace: Any = None) -> XmppNetwork:
    """Make the chat network of the current ini; ``trace`` logs the traffic on the wire.

    :raises xbot.model.errors.InvalidConfig: for unusable files of the account.
    """
    return XmppNetwork(reactor, environment, trace)
