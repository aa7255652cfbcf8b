"""The chat networks of an ini: one for each account that it names (today that is one)."""

from __future__ import annotations

from typing import Any

from xbot.chat.interfaces import NetworkEnvironment
from xbot.chat.xmpp.network import XmppNetwork


def make_network(reactor: Any, environment: NetworkEnvironment, trace: Any = None) -> XmppNetwork:
    """The network of the ini of now; ``trace`` sees what goes over the wire.

    :raises xbot.model.errors.InvalidConfig: for bad files of the account.
    """
    return XmppNetwork(reactor, environment, trace)
