"""Multi-user chat service: routes stanzas to rooms and answers iqs (XEP-0045)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.embedded_server import markup
from xbot.embedded_server.markup import DISCO_ITEMS, Element, StanzaError, element
from xbot.embedded_server.requests import answer_to
from xbot.embedded_server.rooms import Occupant, Room
from xbot.embedded_server.sessions import Session
from xbot.model.jid import Jid

SELF_PING = "http://jabber.org/protocol/muc#self-ping-optimization"

#: Maximum number of rooms; clients cannot create more.
MAX_ROOMS = 1000


class ConferenceService:
    """The rooms of one domain. ``rooms`` maps bare JIDs (as text) to rooms.

    A room stays when its last occupant leaves, so that tests can inspect it and a bot
    can rejoin it. Methods refuse a stanza with
    :class:`~xbot.embedded_server.markup.StanzaError`.
    """

    def __init__(
        self, domain: str, now: Callable[[], float], make_token: Callable[[], str]
    ) -> None:
        self.domain = domain
        self.rooms: dict[str, Room] = {}
        self._now = now
        self._make_token = make_token

    def room(self, name: str) -> Room:
        """The room with this local part or bare JID; created if missing."""
        jid = Jid.parse(name if "@" in name else f"{name}@{self.domain}").bare
        if str(jid) not in self.rooms:
            self.rooms[str(jid)] = Room(jid, self._now, self._make_token)
        return self.rooms[str(jid)]

    def ended(self, visitor: Session) -> None:
        """Remove a visitor from all rooms, because its session ended."""
        for room in list(self.rooms.values()):
            occupant = room.occupant_of(visitor.jid)
            if occupant is not None:
                room.leave(occupant)

    def got_stanza(self, visitor: Session, to: Jid, stanza: Element) -> None:
        """Handle a stanza to this domain; its ``from`` is already set by the server."""
        if to.local is None:
            self._got_for_service(visitor, stanza)
        elif stanza.name == "presence":
            try:
                self._got_presence(visitor, to, stanza)
            except StanzaError as refused:
                # The examples of XEP-0045 7.2.6 etc. have this child first; slixmpp needs it.
                answer = markup.refusal(stanza, refused.condition)
                answer.children.insert(0, element(ns.MUC, "x"))
                visitor.send(answer)
        elif stanza.name == "message":
            self._got_message(visitor, to, stanza)
        else:
            self._got_iq(visitor, to, stanza)

    # -- the service itself

    def _got_for_service(self, visitor: Session, stanza: Element) -> None:
        if stanza.name != "iq":
            raise StanzaError("service-unavailable")
        if stanza.getAttribute("type") in ("result", "error"):
            return
        features = (ns.DISCO_INFO, DISCO_ITEMS, ns.MUC, ns.PING)
        info = partial(markup.disco_info, "conference", "text", "Rooms", features)
        names = {jid: room.jid.local for jid, room in self.rooms.items()}
        visitor.send(answer_to(stanza, info, partial(markup.disco_items, names)))

    # -- presence

    def _got_presence(self, visitor: Session, to: Jid, presence: Element) -> None:
        room = self.rooms.get(str(to.bare))
        occupant = room.occupant_of(visitor.jid) if room else None
        kind = presence.getAttribute("type")
        if kind == "unavailable":
            if room is not None and occupant is not None:
                room.leave(occupant, presence)
        elif kind is not None:
            return
        elif to.resource is None:
            # XEP-0045 7.2.1: a nick is required.
            raise StanzaError("jid-malformed")
        elif room is not None and occupant is not None:
            room.got_presence(occupant, to.resource, presence)
        elif child(presence, ns.MUC, "x") is None:
            # A former occupant that has not noticed its removal.
            raise StanzaError("not-acceptable")
        elif room is not None:
            room.join(visitor, to.resource, presence)
        else:
            # XEP-0045 10.1: the first occupant owns the room.
            if len(self.rooms) >= MAX_ROOMS:
                raise StanzaError("resource-constraint")
            self.room(str(to.bare)).join(visitor, to.resource, presence, created=True)

    # -- messages

    def _got_message(self, visitor: Session, to: Jid, message: Element) -> None:
        if message.getAttribute("type") == "error":
            return
        room, sender = self._sender(visitor, to)
        is_public = message.getAttribute("type") == "groupchat"
        if to.resource is None:
            if not is_public:
                raise StanzaError("service-unavailable")
            room.got_message(sender, message)
            return
        if is_public:
            # XEP-0045 7.5: a private message must not have type groupchat.
            raise StanzaError("bad-request")
        recipient = room.occupants.get(to.resource)
        if recipient is None:
            raise StanzaError("item-not-found")
        private = markup.copied(message, from_=room.address(sender.nick))
        private.addChild(element(ns.MUC_USER, "x"))
        recipient.send(private)

    # -- IQ

    def _got_iq(self, visitor: Session, to: Jid, iq: Element) -> None:
        is_request = iq.getAttribute("type") in ("get", "set")
        if to.resource is None:
            if is_request:
                self._got_room_request(visitor, to, iq)
            return
        try:
            room, sender = self._sender(visitor, to)
            recipient = room.occupants.get(to.resource)
            if recipient is None:
                raise StanzaError("item-not-found")
        except StanzaError:
            if is_request:
                raise
            return
        if is_request and recipient is sender and child(iq, ns.PING, "ping") is not None:
            # XEP-0410 3.3: the service answers a self-ping in the client's place.
            visitor.send(markup.result(iq))
        elif recipient.visitor is not None:
            recipient.send(markup.copied(iq, from_=room.address(sender.nick)))
        elif is_request:
            raise StanzaError("service-unavailable")

    def _got_room_request(self, visitor: Session, to: Jid, iq: Element) -> None:
        room = self.rooms.get(str(to))
        if room is None:
            raise StanzaError("item-not-found")
        query = iq.firstChildElement()
        if query.uri == ns.MUC_OWNER:
            self._got_configuration(visitor, room, iq, query)
        else:
            # XEP-0045 6.5: the list of occupants is optional; we send an empty one.
            none = partial(markup.disco_items, {})
            visitor.send(answer_to(iq, lambda: _room_info(room), none))

    def _got_configuration(self, visitor: Session, room: Room, iq: Element, query: Element) -> None:
        """Handle owner requests; rooms are never locked, so the form is empty (XEP-0045 10.1.2)."""
        if room.affiliations.get(str(visitor.jid.bare)) != "owner":
            raise StanzaError("forbidden")
        if iq["type"] == "get":
            answer = element(ns.MUC_OWNER, "query")
            form = element(ns.DATA_FORM, "x", type="form")
            answer.addChild(form)
            field = element(ns.DATA_FORM, "field", type="hidden", var="FORM_TYPE")
            field.addChild(
                element(ns.DATA_FORM, "value", "http://jabber.org/protocol/muc#roomconfig")
            )
            form.addChild(field)
            visitor.send(markup.result(iq, answer))
        elif (destroyed := child(query, ns.MUC_OWNER, "destroy")) is not None:
            visitor.send(markup.result(iq))
            del self.rooms[str(room.jid)]
            room.destroy(markup.text_of(destroyed, ns.MUC_OWNER, "reason") or "")
        else:
            visitor.send(markup.result(iq))

    def _sender(self, visitor: Session, to: Jid) -> tuple[Room, Occupant]:
        room = self.rooms.get(str(to.bare))
        sender = room.occupant_of(visitor.jid) if room else None
        if room is None or sender is None:
            # XEP-0045 7.4 and XEP-0410 3.2: only occupants may send; this error tells a
            # client that it is no longer in the room.
            raise StanzaError("not-acceptable")
        return room, sender


def _room_info(room: Room) -> Element:
    """The disco#info result of a room (XEP-0045 6.4)."""
    features = (
        ns.DISCO_INFO,
        DISCO_ITEMS,
        ns.MUC,
        ns.STANZA_ID,
        ns.PING,
        SELF_PING,
        "muc_public",
        "muc_persistent",
        "muc_unmoderated",
        "muc_semianonymous" if room.anonymous else "muc_nonanonymous",
        "muc_membersonly" if room.members_only else "muc_open",
        "muc_unsecured" if room.password is None else "muc_passwordprotected",
    )
    return markup.disco_info("conference", "text", room.jid.local or "", features)
