"""A MUC room: occupants, admission, presence, history and subject (XEP-0045)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import Factory, define, field

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.embedded_server import markup
from xbot.embedded_server.history import MAX_HISTORY, HistoryEntry, wanted_history
from xbot.embedded_server.markup import Element, StanzaError, element
from xbot.embedded_server.sessions import Session
from xbot.model.jid import Jid

#: Maximum number of occupants of a room.
MAX_OCCUPANTS = 20_000


@define
class Occupant:
    """An occupant: a session, or one without a session (``visitor`` None) that a test put there."""

    nick: str
    jid: Jid
    visitor: Session | None = None
    affiliation: str = "none"
    role: str = "participant"
    details: list[Element] = field(factory=list)

    def send(self, stanza: Element) -> None:
        """Send a stanza to the session; sets ``to`` to its real JID."""
        if self.visitor is not None:
            stanza["to"] = str(self.jid)
            self.visitor.send(stanza)


@define(eq=False)
class Room:
    """One room. Tests may set every public attribute, at any time.

    ``members_only``, ``password`` and ``banned`` (bare JIDs) refuse joins;
    ``affiliations`` maps bare JIDs to ``owner``, ``admin`` or ``member``.
    ``anonymous`` hides real JIDs from all but moderators.
    """

    jid: Jid
    now: Callable[[], float]
    make_token: Callable[[], str]
    subject: str = ""
    subject_nick: str | None = None
    members_only: bool = False
    password: str | None = None
    anonymous: bool = False
    banned: set[str] = field(factory=set)
    affiliations: dict[str, str] = field(factory=dict)
    occupants: dict[str, Occupant] = field(factory=dict)
    history: deque[HistoryEntry] = field(default=Factory(lambda: deque(maxlen=MAX_HISTORY)))
    _nicks: dict[Jid, str] = field(factory=dict, init=False)

    # -- queries

    def occupant_of(self, jid: Jid) -> Occupant | None:
        """The occupant with this real full JID, or None."""
        nick = self._nicks.get(jid)
        return None if nick is None else self.occupants[nick]

    def address(self, nick: str | None) -> str:
        """The occupant JID of a nick; the room's bare JID for None."""
        return f"{self.jid}/{nick}" if nick else str(self.jid)

    # -- for tests

    def put(self, nick: str, jid: Jid | str | None = None, affiliation: str = "none") -> Occupant:
        """Add an occupant without a session; all others get its presence."""
        real = Jid.parse(str(jid)) if jid else Jid(None, "nobody.invalid", self.make_token())
        occupant = Occupant(nick, real, affiliation=affiliation, role=_role(affiliation))
        if nick in self.occupants or real in self._nicks:
            raise StanzaError("conflict")
        self._add(occupant)
        self._announce(occupant)
        return occupant

    def say(self, nick: str | None, text: str, ago: float | None = None) -> str:
        """Send a message as ``nick``, an occupant or not (None: the room itself).

        With ``ago`` (seconds) it is only added to the history, with that age.
        Returns the message's id.
        """
        stanza_id = self.make_token()
        message = markup.stanza("message", type="groupchat", id=stanza_id, from_=self.address(nick))
        message.addChild(element(ns.CLIENT, "body", text))
        if ago is None:
            self.broadcast(message)
        else:
            self.history.append(HistoryEntry(message, self.now() - ago))
        return stanza_id

    def kick(self, nick: str, code: int = 307, reason: str = "") -> None:
        """Remove an occupant with this status code (XEP-0045 8.2); 301 also bans its bare JID."""
        occupant = self.occupants[nick]
        if code == 301:
            self.banned.add(str(occupant.jid.bare))
        self._remove(occupant, (str(code),), reason)

    def destroy(self, reason: str = "") -> None:
        """Destroy the room: notify and remove all occupants (XEP-0045 10.9)."""
        for occupant in list(self.occupants.values()):
            self._drop(occupant)
            note = self._presence(occupant, occupant, type="unavailable", role="none")
            destroyed = element(ns.MUC_USER, "destroy")
            if reason:
                destroyed.addChild(element(ns.MUC_USER, "reason", reason))
            note.children[-1].addChild(destroyed)
            occupant.send(note)

    # -- presence

    def join(self, visitor: Session, nick: str, presence: Element, created: bool = False) -> None:
        """Admit a session; send presences, history and subject in that order (XEP-0045 7.2)."""
        bare = str(visitor.jid.bare)
        wish = child(presence, ns.MUC, "x")
        assert wish is not None
        if created:
            self.affiliations[bare] = "owner"
        affiliation = self.affiliations.get(bare, "none")
        self._check_admission(bare, affiliation, markup.text_of(wish, ns.MUC, "password"))
        if nick in self.occupants:
            raise StanzaError("conflict")
        if len(self.occupants) >= MAX_OCCUPANTS:
            raise StanzaError("service-unavailable")
        occupant = Occupant(nick, visitor.jid, visitor, affiliation, _role(affiliation))
        occupant.details = _details(presence)
        self._add(occupant)
        self._welcome(occupant, wish, ["201"] if created else [])

    def got_presence(self, occupant: Occupant, nick: str, presence: Element) -> None:
        """Handle an occupant's new status, new nick, or repeated join (XEP-0045 7.6, 7.7)."""
        wish = child(presence, ns.MUC, "x")
        if nick != occupant.nick:
            self._rename(occupant, nick, presence)
            return
        occupant.details = _details(presence)
        if wish is not None:
            # The client believes that it is outside: repeat the whole join sequence.
            self._welcome(occupant, wish, [])
        else:
            self._announce(occupant)

    def leave(self, occupant: Occupant, presence: Element | None = None) -> None:
        """Remove an occupant that leaves or lost its connection (XEP-0045 7.14)."""
        occupant.details = [] if presence is None else _details(presence)
        self._remove(occupant, ())

    # -- messages

    def got_message(self, sender: Occupant, message: Element) -> None:
        """Handle a groupchat message or a subject change of an occupant (XEP-0045 7.4, 8.1)."""
        said = markup.copied(message, from_=self.address(sender.nick), type="groupchat")
        if child(message, ns.CLIENT, "subject") is not None and (
            child(message, ns.CLIENT, "body") is None
        ):
            if sender.role != "moderator":
                raise StanzaError("forbidden")
            self.subject = markup.text_of(message, ns.CLIENT, "subject") or ""
            self.subject_nick = sender.nick
        self.broadcast(said)

    def broadcast(self, message: Element) -> None:
        """Send a message to all occupants, the sender included; keep it if it has a body."""
        by = str(self.jid)
        # XEP-0359 6: remove forged stanza ids in the room's name.
        message.children = [
            part
            for part in message.children
            if isinstance(part, str)
            or (part.uri, part.name, part.getAttribute("by")) != (ns.STANZA_ID, "stanza-id", by)
        ]
        message.addChild(element(ns.STANZA_ID, "stanza-id", id=self.make_token(), by=by))
        if child(message, ns.CLIENT, "body") is not None:
            self.history.append(HistoryEntry(markup.copied(message, to=None), self.now()))
        for occupant in self._witnesses():
            occupant.send(message)

    # -- inside

    def _check_admission(self, bare: str, affiliation: str, password: str | None) -> None:
        """Check password, ban and membership of a join (XEP-0045 7.2.5 to 7.2.7)."""
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
        for entry in wanted_history(self.history, child(wish, ns.MUC, "history"), self.now()):
            past = markup.copied(entry.stanza)
            past.addChild(markup.delay(str(self.jid), entry.seconds))
            occupant.send(past)
        last = markup.stanza("message", type="groupchat", from_=self.address(self.subject_nick))
        # XEP-0045 7.2.15: the subject ends the join, an empty one too.
        last.addChild(element(ns.CLIENT, "subject", self.subject))
        occupant.send(last)

    def _announce(self, occupant: Occupant, own_codes: list[str] | None = None) -> None:
        """Send the occupant's presence to all, to itself last (XEP-0045 7.2.2)."""
        for other in self._witnesses():
            if other is not occupant:
                other.send(self._presence(occupant, other))
        occupant.send(self._presence(occupant, occupant, codes=own_codes or ()))

    def _rename(self, occupant: Occupant, nick: str, presence: Element) -> None:
        if nick in self.occupants:
            raise StanzaError("conflict")
        for other in self._witnesses():
            other.send(
                self._presence(occupant, other, type="unavailable", nick=nick, codes=("303",))
            )
        self._drop(occupant)
        occupant.nick = nick
        occupant.details = _details(presence)
        self._add(occupant)
        self._announce(occupant)

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
        """Snapshot of the occupants with a session."""
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
        """The presence of ``occupant`` as ``witness`` may see it (XEP-0045 7.2.2, 7.2.3)."""
        presence = markup.stanza("presence", type=type, from_=self.address(occupant.nick))
        presence.children = list(occupant.details)
        facts = element(ns.MUC_USER, "x")
        shown = not self.anonymous or witness.role == "moderator"
        item = element(
            ns.MUC_USER,
            "item",
            affiliation="outcast" if "301" in codes else occupant.affiliation,
            role=role or occupant.role,
            jid=str(occupant.jid) if shown else None,
            nick=nick,
        )
        if reason:
            item.addChild(element(ns.MUC_USER, "reason", reason))
        facts.addChild(item)
        for code in (*codes, *(("110",) if witness is occupant else ())):
            facts.addChild(element(ns.MUC_USER, "status", code=code))
        presence.addChild(facts)
        return presence


def _role(affiliation: str) -> str:
    return "moderator" if affiliation in ("owner", "admin") else "participant"


def _details(presence: Element) -> list[Element]:
    """The children of a presence to relay: without those of MUC, which only the room may set."""
    return [
        part
        for part in presence.children
        if not isinstance(part, str)
        and part.uri not in (ns.MUC, ns.MUC_USER)
        and part.uri != ns.STANZA_ERRORS
    ]
