"""Readdressing of private messages through a room: they follow the person, not the nick.

In between question and answer a nick may change hands, and its next holder must not
read the answer. So it goes to the occupant who asked, under the nick of now; else
to the person's real address, where the room tells it; else nowhere.
"""

from __future__ import annotations

from attrs import evolve

from xbot.chat.xmpp.stanzas.addresses import Address
from xbot.chat.xmpp.stanzas.occupants import Occupants
from xbot.model.errors import InvalidJid, Unreachable
from xbot.model.message import Addressee, Message

#: Why such a message is dropped.
GONE = "the person whom it is for left the room, which does not tell their address"


def readdressed(message: Message, recipient: Address, occupants: Occupants) -> Message:
    """The same message to where its addressee is now.

    One without an addressee is for the nick as such; it is bound to the occupant who
    has it now, in case that it has to be sent again.

    :raises Unreachable: when the addressee is not there, and their real address is not known.
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
    now = occupants.nick_of(addressee.occupant)
    if now == nick:
        return message
    if now is None and addressee.identity is not None:
        # They may have come back, or we did.
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
