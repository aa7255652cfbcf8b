"""Kept out of a room or put out of it: why, and whether to come back (XEP-0045); pure."""

from __future__ import annotations

from typing import NamedTuple

from xbot.chat.xmpp.stanzas.presence import RoomPresence


class Refusal(NamedTuple):
    """``reason`` is for people. What ``is_final`` only a person can change: we do not come back.

    What ``is_unexplained`` may have been none of our doing.
    """

    reason: str
    is_final: bool = False
    is_unexplained: bool = False


#: XEP-0045 7.2.5 to 7.2.11, and what RFC 6120 8.3.3 has besides.
_REFUSALS = {
    "forbidden": Refusal("we are banned", True),
    "registration-required": Refusal("it is for members only", True),
    "not-authorized": Refusal("it wants a password, and not this one", True),
    "not-allowed": Refusal("it does not exist, and we may not create it", True),
    "jid-malformed": Refusal("it takes no such nick", True),
    "gone": Refusal("it is gone", True),
    "conflict": Refusal("each of our nicks is taken"),
    "not-acceptable": Refusal("refused: it takes another nick only (not-acceptable)"),
    "item-not-found": Refusal("refused: it is not there, or not open yet (item-not-found)"),
    "service-unavailable": Refusal(
        "refused: it is full, or its service is away (service-unavailable)"
    ),
    "resource-constraint": Refusal("refused: it is full (resource-constraint)"),
    "recipient-unavailable": Refusal("refused: its service is away (recipient-unavailable)"),
    "remote-server-not-found": Refusal("refused: there is no such server now (not-found)"),
    "remote-server-timeout": Refusal("refused: its server does not answer (timeout)"),
}

#: XEP-0045 15.6.2. Whoever bans also kicks, and a service that fails or shuts
#: down may call that a kick too: the first of these that is there counts.
_REMOVALS = {
    "301": Refusal("we were banned", True),
    "321": Refusal("we are no longer a member", True),
    "322": Refusal("it is now for members only", True),
    "332": Refusal("the room service shuts down"),
    "333": Refusal("the service had a problem"),
    "307": Refusal("we were kicked"),
}


def refusal(condition: str) -> Refusal:
    """What the error to our wish to join means."""
    return _REFUSALS.get(condition) or Refusal(f"refused: {condition}")


def removal(presence: RoomPresence) -> Refusal:
    """What the presence that ended our stay means."""
    said = f" ({presence.reason})" if presence.reason else ""
    if presence.destroyed:
        # Told, not followed: people follow, and they can tell us to.
        where = f"; it moved to {presence.alternative}" if presence.alternative else ""
        return Refusal(f"the room was destroyed{where}{said}", True)
    for code, exclusion in _REMOVALS.items():
        if code in presence.codes:
            return Refusal(exclusion.reason + said, exclusion.is_final)
    return Refusal("we were removed" + said, is_unexplained=True)
