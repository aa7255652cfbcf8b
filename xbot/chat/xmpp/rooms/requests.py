"""Build the stanzas sent to a room: join, change nick, leave, accept defaults (XEP-0045)."""

from __future__ import annotations

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import _wokkel, ns
from xbot.config.settings import Secret
from xbot.model.jid import Jid
from xbot.model.random_ids import new_ident


def join_presence(address: Jid, password: Secret | None, history: int = 0) -> domish.Element:
    """The presence that joins a room as the occupant ``address`` (XEP-0045, 7.2).

    ``history`` is the number of messages of history to ask for.
    """
    join = _wokkel.muc.BasicPresence()
    # XEP-0045 7.2.14; for no history, some older services know only maxchars.
    max_chars = None if history else 0
    join.history = _wokkel.muc.HistoryOptions(maxChars=max_chars, maxStanzas=history)
    if password is not None:
        join.password = password.reveal()
    presence: domish.Element = join.toElement()
    # wokkel leaves the namespace to the stream.
    presence.uri = presence.defaultUri = ns.CLIENT
    presence["to"] = str(address)
    return presence


def nick_presence(address: Jid) -> domish.Element:
    """The presence that changes our nick to that of ``address`` (XEP-0045, 7.6)."""
    presence = domish.Element((ns.CLIENT, "presence"))
    presence["to"] = str(address)
    return presence


def leave_presence(address: Jid) -> domish.Element:
    """The presence with which the occupant ``address`` leaves (XEP-0045, 7.14)."""
    presence = nick_presence(address)
    presence["type"] = "unavailable"
    return presence


def default_configuration(room: Jid) -> domish.Element:
    """The iq that accepts the default configuration and unlocks a new room (XEP-0045, 10.1.2)."""
    iq = domish.Element((ns.CLIENT, "iq"))
    iq["type"] = "set"
    iq["to"] = str(room)
    # The answer is ignored: presence tells when the room is open.
    iq["id"] = new_ident()
    form = _wokkel.data_form.Form("submit")
    iq.addElement((ns.MUC_OWNER, "query")).addChild(form.toElement())
    return iq
