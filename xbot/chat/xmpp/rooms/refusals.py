"""Refused joins and removals from a room: reason, and whether to retry (XEP-0045); pure."""

from __future__ import annotations

from typing import NamedTuple

from xbot.chat.xmpp.stanzas import status_codes
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.stanzas.stanza import StanzaError


class Refusal(NamedTuple):
    """Why we are not in a room.

    ``reason`` is text for people. ``is_final``: only a person can change it, so retry
    rarely. ``is_unexplained``: the room gave no reason. ``is_gone``: there is no such room
    any more, and to join would make a new one, so do not retry.
    """

    reason: str
    is_final: bool = False
    is_unexplained: bool = False
    is_gone: bool = False


#: Error conditions of a refused join: XEP-0045 7.2.5 to 7.2.11, and RFC 6120 8.3.3.
_REFUSALS = {
    "forbidden": Refusal("we are banned", True),
    "registration-required": Refusal("it is for members only", True),
    "not-authorized": Refusal("it needs a password: none is set, or it is wrong", True),
    "not-allowed": Refusal("it does not exist, and we may not create it", True),
    "jid-malformed": Refusal("it does not accept this nick", True),
    "gone": Refusal("it is gone", True, is_gone=True),
    "conflict": Refusal("each of our nicks is taken"),
    "not-acceptable": Refusal("refused: it accepts only another nick (not-acceptable)"),
    "item-not-found": Refusal("refused: it is not there, or not open yet (item-not-found)"),
    "service-unavailable": Refusal(
        "refused: it is full, or its service is away (service-unavailable)"
    ),
    "resource-constraint": Refusal("refused: it is full (resource-constraint)"),
    "recipient-unavailable": Refusal("refused: its service is away (recipient-unavailable)"),
    "remote-server-not-found": Refusal("refused: there is no such server now (not-found)"),
    "remote-server-timeout": Refusal("refused: its server does not answer (timeout)"),
}

#: Status codes of a removal (XEP-0045 15.6.2). A ban, a failure or a shutdown may carry
#: the code of a kick, too: the first of these that is present counts.
_REMOVALS = {
    status_codes.BANNED: Refusal("we were banned", True),
    status_codes.REMOVED_AFFILIATION: Refusal("we are no longer a member", True),
    status_codes.REMOVED_MEMBERSHIP: Refusal("it is now for members only", True),
    status_codes.REMOVED_SHUTDOWN: Refusal("the room service shuts down"),
    status_codes.REMOVED_ERROR: Refusal("the service had a problem"),
    status_codes.KICKED: Refusal("we were kicked"),
}


def refusal(error: StanzaError) -> Refusal:
    """Why the room refused our join, with what the service says about it."""
    known = _REFUSALS.get(error.condition) or Refusal(f"refused: {error.condition}")
    where = f"; it moved to {error.address}" if error.condition == "gone" and error.address else ""
    said = f" ({error.text})" if error.text else ""
    return known._replace(reason=known.reason + where + said)


def removal(presence: RoomPresence) -> Refusal:
    """Why we were removed, from the unavailable presence."""
    said = f" ({presence.reason})" if presence.reason else ""
    if presence.destroyed:
        # Reported, but not joined: a person can order that.
        where = f"; it moved to {presence.alternative}" if presence.alternative else ""
        return Refusal(f"the room was destroyed{where}{said}", True, is_gone=True)
    for code, exclusion in _REMOVALS.items():
        if code in presence.codes:
            return Refusal(exclusion.reason + said, exclusion.is_final)
    return Refusal("we were removed" + said, is_unexplained=True)
