"""Rooms with occupants, history and a subject, as clients see them (XEP-0045)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from attrs import Factory, define, field

from xbot.embedded_server import markup
from xbot.embedded_server.history import MAX_HISTORY, DowngradeProtection, wanted_history
from xbot.embedded_server.markup import NS_CLIENT, NS_STANZA_CONDITIONS, Element, child, element
from xbot.model.errors import XbotError
from xbot.model.jid import Jid

NS_MUC = "http://jabber.org/protocol/muc"
NS_MUC_USER = "http://jabber.org/protocol/muc#user"
NS_STANZA_ID = "urn:xmpp:sid:0"

#: How many a room may hold.
MAX_OCCUPANTS = 20_000


class Visitor(Protocol):
    """A bound session, as far as rooms know it."""

    jid: Jid

    def send(self, stanza: Element) -> None:
        """Send a stanza to it."""


class StanzaError(XbotError):
    """A room does not do what it was asked to; ``condition`` is the stanza error's."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


@define
class Occupant:
    """Someone in a room: a session, or nobody (``visitor`` None) whom a test put there."""

    nick: str
    jid: Jid
    visitor: Visitor | None = None
    affiliation: str = "none"
    role: str = "participant"
    details: list[Element] = field(factory=list)

    def send(self, stanza: Element) -> None:
        """Send a stanza; it is addressed to the real JID."""
        if self.visitor is not None:
            stanza["to"] = str(self.jid)
            self.visitor.send(stanza)


@define(eq=False)
class Room:
    """One room. Tests may set every public attribute, at any time.

    ``members_only``, ``password`` and ``banned`` (bare JIDs) refuse joins;
    ``affiliations`` maps bare JIDs to ``owner``, ``admin`` or ``member``.
    ``anonymous`` hides real JIDs from all but moderators. ``send_subject``
    False leaves out the subject that ends a join. ``assign_nick``, given the
    nick asked for, returns the one to have (status 210).
    """

    jid: Jid
    now: Callable[[], float]
    make_token: Callable[[], str]
    subject: str = ""
    subject_nick: str | None = None
    members_only: bool = False
    password: str | None = None
    anonymous: bool = False
    send_subject: bool = True
    assign_nick: Callable[[str], str] | None = None
    banned: set[str] = field(factory=set)
    affiliations: dict[str, str] = field(factory=dict)
    occupants: dict[str, Occupant] = field(factory=dict)
    history: deque[DowngradeProtection] = field(default=Factory(lambda: deque(maxlen=MAX_HISTORY)))
    _nicks: dict[Jid, str] = field(factory=dict, init=False)

    # -- asked by anybody

    def occupant_of(self, jid: Jid) -> Occupant | None:
        """Who in the room this full JID is, if anyone."""
        nick = self._nicks.get(jid)
        return None if nick is None else self.occupants[nick]

    def address(self, nick: str | None) -> str:
        """The occupant JID of a nick; the room's own for None."""
        return f"{self.jid}/{nick}" if nick else str(self.jid)

    # -- for tests

    def put(self, nick: str, jid: Jid | str | None = None, affiliation: str = "none") -> Occupant:
        """Let nobody in: an occupant without a session, whose presence all others get."""
        real = Jid.parse(str(jid)) if jid else Jid(None, "nobody.invalid", self.make_token())
        occupant = Occupant(nick, real, affiliation=affiliation, role=_role(affiliation))
        if nick in self.occupants or real in self._nicks:
            raise StanzaError("conflict")
        self._add(occupant)
        self._announce(occupant)
        return occupant

    def say(self, nick: str | None, text: str, ago: float | None = None) -> str:
        """Say something as ``nick``, an occupant or not (None: the room itself).

        With ``ago`` it goes to the history only, as said that many seconds ago.
        Returns the message's id.
        """
        stanza_id = self.make_token()
        message = markup.stanza("message", type="groupchat", id=stanza_id, from_=self.address(nick))
        message.addChild(element(NS_CLIENT, "body", text))
        if ago is None:
            self.broadcast(message)
        else:
            self.history.append(DowngradeProtection(message, self.now() - ago))
        return stanza_id

    def kick(self, nick: str, code: int = 307, reason: str = "") -> None:
        """XEP-0045 8.2: remove an occupant; 301 bans, 321 and 322 and 332 and 333 are others."""
        occupant = self.occupants[nick]
        if code == 301:
            self.banned.add(str(occupant.jid.bare))
        self._remove(occupant, (str(code),), reason)

    def destroy(self, reason: str = "") -> None:
        """XEP-0045 10.9: everyone is told that the room is no more, and is out of it."""
        for occupant in list(self.occupants.values()):
            self._drop(occupant)
            note = self._presence(occupant, occupant, type="unavailable", role="none")
            destroyed = element(NS_MUC_USER, "destroy")
            if reason:
                destroyed.addChild(element(NS_MUC_USER, "reason", reason))
            note.children[-1].addChild(destroyed)
            occupant.send(note)

    # -- presence

    def join(self, visitor: Visitor, nick: str, presence: Element, created: bool = False) -> None:
        """XEP-0045 7.2: let a session in, and tell it all in the order it relies on."""
        bare = str(visitor.jid.bare)
        wish = child(presence, NS_MUC, "x")
        assert wish is not None
        if created:
            self.affiliations[bare] = "owner"
        affiliation = self.affiliations.get(bare, "none")
        self._check_admission(bare, affiliation, markup.text_of(wish, NS_MUC, "password"))
        given = self.assign_nick(nick) if self.assign_nick else nick
        if given in self.occupants:
            raise StanzaError("conflict")
        if len(self.occupants) >= MAX_OCCUPANTS:
            raise StanzaError("service-unavailable")
        occupant = Occupant(given, visitor.jid, visitor, affiliation, _role(affiliation))
        occupant.details = _details(presence)
        self._add(occupant)
        codes = ["201"] if created else []
        codes += ["210"] if given != nick else []
        self._welcome(occupant, wish, codes)

    def got_presence(self, occupant: Occupant, nick: str, presence: Element) -> None:
        """XEP-0045 7.6, 7.7: an occupant's new state, new nick, or repeated join."""
        wish = child(presence, NS_MUC, "x")
        if nick != occupant.nick:
            self._rename(occupant, nick, presence)
            return
        occupant.details = _details(presence)
        if wish is not None:
            # It believes that it is not in the room; only the whole welcome helps.
            self._welcome(occupant, wish, [])
        else:
            self._announce(occupant)

    def leave(self, occupant: Occupant, presence: Element | None = None) -> None:
        """XEP-0045 7.14: out of its own will, or because its connection is gone."""
        occupant.details = [] if presence is None else _details(presence)
        self._remove(occupant, ())

    # -- messages

    def got_message(self, sender: Occupant, message: Element) -> None:
        """XEP-0045 7.4, 8.1: what an occupant says to all, or a new subject."""
        said = markup.copied(message, from_=self.address(sender.nick), type="groupchat")
        if child(message, NS_CLIENT, "subject") is not None and (
            child(message, NS_CLIENT, "body") is None
        ):
            if sender.role != "moderator":
                raise StanzaError("forbidden")
            self.subject = markup.text_of(message, NS_CLIENT, "subject") or ""
            self.subject_nick = sender.nick
        self.broadcast(said)

    def broadcast(self, message: Element) -> None:
        """Send a message to everyone, its sender too, and remember it if it says something."""
        by = str(self.jid)
        # XEP-0359 6: only we may speak in our name.
        message.children = [
            part
            for part in message.children
            if isinstance(part, str)
            or (part.uri, part.name, part.getAttribute("by")) != (NS_STANZA_ID, "stanza-id", by)
        ]
        message.addChild(element(NS_STANZA_ID, "stanza-id", id=self.make_token(), by=by))
        if child(message, NS_CLIENT, "body") is not None:
            self.history.append(DowngradeProtection(markup.copied(message, to=None), self.now()))
        for occupant in self._witnesses():
            occupant.send(message)

    # -- inside

    def _check_admission(self, bare: str, affiliation: str, password: str | None) -> None:
        """XEP-0045 7.2.5 to 7.2.7."""
        if bare in self.banned:
            raise StanzaError("forbidden")
        if self.members_only and affiliation == "none":
            raise StanzaError("registration-required")
        if self.password is not None and password != self.password:
            raise StanzaError("not-authorized")

    def _welcome(self, occupant: Occupant, wish: Element, codes: list[str]) -> None:
        for other in list(self.occupants.values()):
            if other is not occupant:
                occupant.send(self._presence(other, occupant))
        self._announce(occupant, codes if self.anonymous else ["100", *codes])
        for entry in wanted_history(self.history, child(wish, NS_MUC, "history"), self.now()):
            past = markup.copied(entry.stanza)
            past.addChild(markup.delay(str(self.jid), entry.seconds))
            occupant.send(past)
        if self.send_subject:
            last = markup.stanza("message", type="groupchat", from_=self.address(self.subject_nick))
            # XEP-0045 7.2.15: the subject ends the join, an empty one too.
            last.addChild(element(NS_CLIENT, "subject", self.subject))
            occupant.send(last)

    def _announce(self, occupant: Occupant, own_codes: list[str] | None = None) -> None:
        """Tell everyone that the occupant is here, itself last (XEP-0045 7.2.2)."""
        for other in self._witnesses():
            if other is not occupant:
                other.send(self._presence(occupant, other))
        occupant.send(self._presence(occupant, occupant, codes=own_codes or ()))

    def _rename(self, occupant: Occupant, nick: str, presence: Element) -> None:
        given = self.assign_nick(nick) if self.assign_nick else nick
        if given in self.occupants:
            raise StanzaError("conflict")
        for other in self._witnesses():
            other.send(
                self._presence(occupant, other, type="unavailable", nick=given, codes=("303",))
            )
        self._drop(occupant)
        occupant.nick = given
        occupant.details = _details(presence)
        self._add(occupant)
        self._announce(occupant, ["210"] if given != nick else None)

    def _remove(self, occupant: Occupant, codes: tuple[str, ...], reason: str = "") -> None:
        witnesses = self._witnesses()
        self._drop(occupant)
        for witness in witnesses:
            witness.send(
                self._presence(
                    occupant, witness, type="unavailable", role="none", codes=codes, reason=reason
                )
            )

    def _witnesses(self) -> list[Occupant]:
        """Those who hear what happens now, however it changes who is inside."""
        return [item for item in self.occupants.values() if item.visitor is not None]

    def _add(self, occupant: Occupant) -> None:
        self.occupants[occupant.nick] = occupant
        self._nicks[occupant.jid] = occupant.nick

    def _drop(self, occupant: Occupant) -> None:
        self.occupants.pop(occupant.nick, None)
        self._nicks.pop(occupant.jid, None)

    def _presence(
        self,
        occupant: Occupant,
        witness: Occupant,
        type: str | None = None,
        role: str | None = None,
        nick: str | None = None,
        codes: tuple[str, ...] | list[str] = (),
        reason: str = "",
    ) -> Element:
        """One occupant's presence as one witness may see it (XEP-0045 7.2.2, 7.2.3)."""
        presence = markup.stanza("presence", type=type, from_=self.address(occupant.nick))
        presence.children = list(occupant.details)
        facts = element(NS_MUC_USER, "x")
        shown = not self.anonymous or witness.role == "moderator"
        item = element(
            NS_MUC_USER,
            "item",
            affiliation="outcast" if "301" in codes else occupant.affiliation,
            role=role or occupant.role,
            jid=str(occupant.jid) if shown else None,
            nick=nick,
        )
        if reason:
            item.addChild(element(NS_MUC_USER, "reason", reason))
        facts.addChild(item)
        for code in (*codes, *(("110",) if witness is occupant else ())):
            facts.addChild(element(NS_MUC_USER, "status", code=code))
        presence.addChild(facts)
        return presence


def _role(affiliation: str) -> str:
    return "moderator" if affiliation in ("owner", "admin") else "participant"


def _details(presence: Element) -> list[Element]:
    """What others get of a presence: not what it told the room, nor facts only we may state."""
    return [
        part
        for part in presence.children
        if not isinstance(part, str)
        and part.uri not in (NS_MUC, NS_MUC_USER)
        and part.uri != NS_STANZA_CONDITIONS
    ]
