"""What we send to a room: to be let in, to be called otherwise, to leave (XEP-0045)."""

from __future__ import annotations

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.config.settings import Secret
from xbot.model.jid import Jid
from xbot.model.random_ids import new_ident


def join_presence(address: Jid, password: Secret | None) -> domish.Element:
    """The wish to enter as the occupant ``address``."""
    presence = nick_presence(address)
    x = presence.addElement((ns.MUC, "x"))
    if password is not None:
        x.addElement("password", content=password.reveal())
    # XEP-0045 7.2.14: no history; older services know maxchars better.
    history = x.addElement("history")
    history["maxchars"] = "0"
    history["maxstanzas"] = "0"
    return presence


def nick_presence(address: Jid) -> domish.Element:
    """The wish of somebody who is inside to be the occupant ``address`` (XEP-0045, 7.6)."""
    presence = domish.Element((ns.CLIENT, "presence"))
    presence["to"] = str(address)
    return presence


def leave_presence(address: Jid) -> domish.Element:
    """The occupant ``address`` goes."""
    presence = nick_presence(address)
    presence["type"] = "unavailable"
    return presence


def default_configuration(room: Jid) -> domish.Element:
    """XEP-0045 10.1.2: a room that we made stays locked until we accept its defaults."""
    iq = domish.Element((ns.CLIENT, "iq"))
    iq["type"] = "set"
    iq["to"] = str(room)
    # Nobody waits for the answer: what it changes is told by presence.
    iq["id"] = new_ident()
    form = iq.addElement((ns.MUC_OWNER, "query")).addElement((ns.DATA_FORM, "x"))
    form["type"] = "submit"
    return iq
