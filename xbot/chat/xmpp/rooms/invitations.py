"""Invitations to rooms: authorise the inviter, join the room, forget it again.

Two kinds exist. A direct invitation (XEP-0249) comes from its inviter, whose address
the servers authenticate. A mediated one (XEP-0045, section 7.8.2) comes from the
room and names its inviter; the operator of the room's service can forge that name. It
is trusted from two kinds of services only: services with a room of the ini, which are
trusted about real JIDs anyway, and subdomains of the inviter's own domain
(``conference.example.org`` for ``alice@example.org``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.rooms.invited_rooms import MAX_PASSWORD, MAX_ROOMS, Invited, InvitedRooms
from xbot.chat.xmpp.rooms.room import State
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.model.cooldown import Cooldown
from xbot.model.errors import InvalidJid, TooManyRooms
from xbot.model.fair_share import domain_of
from xbot.model.jid import Jid


@frozen
class Invitation:
    """A parsed invitation. ``sender`` is the stanza's "from"; ``inviter`` is a bare JID.

    ``is_mediated``: the room's service sent it, and not the inviter.
    """

    room: Jid
    inviter: Jid
    sender: Jid
    is_mediated: bool
    password: Secret | None = None


class NoInvitation(Exception):
    """The stanza contains an invalid invitation. ``reason`` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_invitation(stanza: domish.Element) -> Invitation | None:
    """Parse the invitation in a message stanza; None if it has none.

    Reason, thread and continuation are meant for people, and are ignored.

    :raises NoInvitation: when the invitation is invalid for every inviter.
    """
    users = list(stanza.elements(ns.MUC_USER, "x"))
    invites = [invite for x in users for invite in x.elements(ns.MUC_USER, "invite")]
    direct = list(stanza.elements(ns.CONFERENCE, "x"))
    if not invites and not direct:
        return None
    if stanza.getAttribute("type", "normal") in ("error", "groupchat", "headline"):
        raise NoInvitation("type")
    # A mediated invitation may also contain the older direct form, which is ignored then.
    if len(invites) > 1 or (not invites and len(direct) > 1):
        raise NoInvitation("ambiguous")
    try:
        sender = Jid.parse(stanza.getAttribute("from", ""))
        if invites:
            # An occupant can send this element too; then "from" has a nick.
            if sender.local is None or sender.resource is not None:
                raise NoInvitation("not-from-a-room")
            room, inviter = sender, Jid.parse(invites[0].getAttribute("from", "")).bare
            password = child(users[0], ns.MUC_USER, "password")
            text = str(password) if password is not None else ""
        else:
            room, inviter = Jid.parse(direct[0].getAttribute("jid", "")), sender.bare
            text = direct[0].getAttribute("password", "")
    except InvalidJid:
        raise NoInvitation("bad-jid") from None
    if room.local is None or room.resource is not None:
        raise NoInvitation("bad-jid")
    if len(text) > MAX_PASSWORD:
        raise NoInvitation("bad-password")
    secret = Secret(text) if text else None
    return Invitation(room, inviter, sender, bool(invites), secret)


class Invitations(Handler):
    """Accepts invitations from ``accept-invites`` (an allow list), into up to MAX_ROOMS rooms.

    ``counts`` counts them by outcome: ``accepted``, or the reason against it. A refused
    inviter gets no answer (XEP-0249, section 2); the refusal is logged, at most once a
    minute per sender. ``is_past(stanza)`` tells delayed messages. A room is forgotten if
    its inviter is no longer allowed, or if it refuses us for good.

    Register it after :class:`~xbot.chat.xmpp.rooms.rooms.Rooms`.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(
        self,
        settings: XmppSettings,
        nick: str,
        rooms: Rooms,
        invited: InvitedRooms,
        clock: IReactorTime,
        is_past: Callable[[domish.Element], bool],
    ) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._nick = nick
        self._is_past = is_past
        self._rooms = rooms
        self._invited = invited
        self._account = settings.jid.bare
        self._telling = Cooldown(clock, most=100)
        # A rate limit: each acceptance costs a disk write. One inviter gets a fair share.
        self._accepting = Cooldown(clock, most=2 * MAX_ROOMS)
        for each in invited:
            if self._rooms.get(each.room) is not None or not self._stays(each):
                # The ini now names the room, or no longer the inviter.
                invited.forget(each.room)
            else:
                self._enter(each)

    def change(self, settings: XmppSettings, nick: str) -> None:
        """Apply new settings; leave rooms whose inviters are no longer allowed."""
        is_renamed, self._nick, self._settings = nick != self._nick, nick, settings
        for each in self._invited:
            if not self._stays(each):
                self.leave(each.room)
            elif is_renamed and each.nick is None:
                self._rooms.join(self._room_settings(each))

    def join(self, room: RoomSettings, by: Jid) -> None:
        """Join and store a room by order of ``by``; the allow list of inviters does not apply.

        :raises TooManyRooms: when MAX_ROOMS rooms are stored.
        """
        if self._invited.is_full and room.jid not in self._invited:
            raise TooManyRooms(MAX_ROOMS)
        nick = room.nick if room.nick != self._nick else None
        self._invited.add(Invited(room.jid, by, room.password, nick, is_ordered=True))
        self._log.info("{room}: joining by order of {by}", room=str(room.jid), by=str(by))
        self._rooms.join(room)

    def leave(self, room: Jid) -> bool:
        """Leave and forget a room that we were invited to; return False for other rooms."""
        if not self._invited.forget(room):
            return False
        self._rooms.leave(room)
        self._log.info("{room}: forgotten, it is not in the ini", room=str(room))
        return True

    def adopt(self, room: Jid) -> None:
        """Forget the invitation: from now on the ini names this room."""
        self._invited.forget(room)

    def observe(self) -> None:
        self.watch("message", self.got_message)
        self.watch("presence", self.got_presence)

    def got_message(self, stanza: domish.Element) -> None:
        """Handle a message that may be an invitation."""
        try:
            invitation = read_invitation(stanza)
        except NoInvitation as none:
            self._refuse(stanza.getAttribute("from", "").partition("/")[0][:200], none.reason)
            return
        if invitation is None:
            return
        reason = "delayed" if self._is_past(stanza) else self._reason_against(invitation)
        if reason is not None:
            self._refuse(str(invitation.sender.bare), reason)
            return
        self.counts["accepted"] += 1
        self._log.info(
            "{room}: invited by {inviter}",
            room=str(invitation.room),
            inviter=str(invitation.inviter),
        )
        invited = Invited(invitation.room, invitation.inviter, invitation.password)
        known = self._rooms.get(invitation.room)
        if known is not None and known.jid not in self._invited:
            # A room of the ini keeps its settings; the invitation only triggers a new join.
            known.ask_again(f"invited by {invitation.inviter}")
            return
        self._invited.add(invited)
        self._enter(invited)

    def got_presence(self, stanza: domish.Element) -> None:
        """Forget the room of this presence if it has refused us for good."""
        try:
            jid = Jid.parse(stanza.getAttribute("from", "")).bare
        except InvalidJid:
            return
        room = self._rooms.get(jid)
        if room is not None and room.state is State.REFUSED and jid in self._invited:
            self.leave(jid)

    def _reason_against(self, invitation: Invitation) -> str | None:
        """Why the invitation is refused, in one word; None if it is accepted."""
        inviter, service = invitation.inviter, invitation.room.domain
        known = self._rooms.get(invitation.room)
        has_refused = known is not None and known.state is State.REFUSED
        if has_refused and invitation.is_mediated and invitation.room not in self._invited:
            # A mediated invitation to a room of the ini: join again, regardless of the inviter.
            return self._too_often(invitation)
        if invitation.is_mediated and inviter == invitation.room:
            # An anonymous room hides the inviter.
            return "nick"
        if not self._is_welcome(inviter):
            return "stranger"
        if invitation.is_mediated:
            # Not the inviter's domain itself: its users have accounts there, and could forge this.
            is_below = service.endswith(f".{inviter.domain}")
            if inviter.domain == service or not (is_below or self._is_known(service)):
                return "unknown-service"
        elif self._is_known(inviter.domain):
            # A sender with a room's address is an occupant, known by nick only.
            return "nick"
        if invitation.room in (self._account, inviter):
            return "no-room"
        if known is not None and not has_refused:
            return "there-already"
        if known is None and not self._invited.takes_from(inviter):
            return "full"
        return self._too_often(invitation)

    def _too_often(self, invitation: Invitation) -> str | None:
        room, inviter = str(invitation.room), str(invitation.inviter)
        return None if self._accepting.allows(room, inviter) else "too-often"

    def _stays(self, invited: Invited) -> bool:
        return invited.is_ordered or self._is_welcome(invited.inviter)

    def _is_welcome(self, inviter: Jid) -> bool:
        return self._settings.accept_invites.includes(inviter)

    def _is_known(self, domain: str) -> bool:
        """Whether a room of the ini is at this domain."""
        return any(
            room.jid.domain == domain and room.jid not in self._invited for room in self._rooms
        )

    def _refuse(self, sender: str, reason: str) -> None:
        self.counts[reason] += 1
        if reason != "there-already" and self._telling.allows(sender, domain_of(sender)):
            self._log.info(
                "an invitation by {sender} was not accepted: {reason}",
                sender=sender,
                reason=reason,
            )

    def _enter(self, invited: Invited) -> None:
        self._rooms.join(self._room_settings(invited))

    def _room_settings(self, invited: Invited) -> RoomSettings:
        return RoomSettings(invited.room, invited.nick or self._nick, invited.password)
