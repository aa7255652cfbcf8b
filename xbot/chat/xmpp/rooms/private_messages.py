"""Readdress private messages through a room to the person, not the nick (XEP-0045, section 7.5).

A nick may change hands between question and answer, and its next holder must not read the
answer. So the answer goes to the same occupant under the current nick; else to the
person's real address, if the room reveals it; else it is dropped.
"""

from __future__ import annotations

from attrs import evolve

from xbot.chat.xmpp.stanzas.addresses import Address
from xbot.chat.xmpp.stanzas.occupants import Occupants
from xbot.model.errors import InvalidJid, NotConnected, Unreachable
from xbot.model.message import Addressee, Message

#: The reason for which a message is dropped, for the log.
GONE = "the person whom it is for left the room, which does not tell their address"


def readdressed(message: Message, recipient: Address, occupants: Occupants) -> Message:
    """``message``, addressed to the current nick or the real address of its addressee.

    A message without an addressee is for the nick itself. It is bound to the occupant who
    has this nick now, in case it has to be sent again.

    :raises Unreachable: when the addressee left, and their real address is not known.
    :raises NotConnected: while the room is asked whether its occupant ids count (XEP-0421).
    """
    nick = recipient.jid.resource
    if nick is None:
        return message
    addressee = message.addressee
    if addressee is None:
        number = occupants.number(nick)
        if number is None:
            return message
        holder = occupants.get(nick)
        identity = None if holder is None else holder.identity
        return evolve(message, addressee=Addressee(number, identity))
    if addressee.occupant is not None and occupants.number(nick) == addressee.occupant:
        return message
    now = occupants.nick_of(addressee.occupant)
    if now is None and occupants.may_tell_later(addressee.occupant):
        raise NotConnected(recipient.jid, "it is not known yet who is who in the room")
    if now is None and addressee.identity is not None:
        # The person may have rejoined, or we did: then the occupant's number is another one.
        holder = occupants.get(nick)
        if holder is not None and holder.identity == addressee.identity:
            return message
        return evolve(message, recipient=addressee.identity, room=None, addressee=None)
    if now is None:
        raise Unreachable(recipient.jid, GONE)
    try:
        return evolve(message, recipient=str(recipient.jid.with_resource(now)))
    except InvalidJid as error:
        raise Unreachable(recipient.jid, GONE) from error
