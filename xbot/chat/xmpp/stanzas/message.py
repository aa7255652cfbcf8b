"""Parse message stanzas (RFC 6121, section 5), from the parser's nodes.

Pure. The rules are strict: a stanza that a client could show to people differently
from how the bot reads it is refused.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from xbot.chat.xmpp.stanzas.addresses import Address, read_address
from xbot.chat.xmpp.stanzas.delay import DELAYS
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, child_of, full_name
from xbot.model.errors import InvalidJid

MESSAGE = full_name(ns.CLIENT, "message")

#: Types that must not be answered.
_UNANSWERED = ("error", "headline")

#: Maximum length of an id in a message key, in characters. A longer one (it may be as long
#: as a stanza) is replaced by its digest.
MAX_ID = 256

_BODY = full_name(ns.CLIENT, "body")
_SUBJECT = full_name(ns.CLIENT, "subject")
_STANZA_ID = full_name(ns.STANZA_ID, "stanza-id")
_ORIGIN_ID = full_name(ns.STANZA_ID, "origin-id")
_OCCUPANT_ID = full_name(ns.OCCUPANT_ID, "occupant-id")
_CORRECTION = full_name(ns.CORRECTION, "replace")
_INVITATION = full_name(ns.CONFERENCE, "x")
_MUC_USER = full_name(ns.MUC_USER, "x")
_INVITE = full_name(ns.MUC_USER, "invite")

#: Children that hold an encrypted text, or say that there is one (XEP-0380).
_ENCRYPTED = frozenset(
    full_name(uri, name)
    for uri, name in (
        (ns.LEGACY_OPENPGP, "x"),
        (ns.OPENPGP, "openpgp"),
        (ns.EME, "encryption"),
        (ns.OMEMO, "encrypted"),
        (ns.LEGACY_OMEMO, "encrypted"),
    )
)

#: The children that are read; all others are ignored.
_READ = (
    DELAYS
    | _ENCRYPTED
    | {
        _BODY,
        _SUBJECT,
        _STANZA_ID,
        _ORIGIN_ID,
        _OCCUPANT_ID,
        _CORRECTION,
        _INVITATION,
        _MUC_USER,
    }
)


class NotAMessage(Exception):
    """The stanza holds no message for the bot. ``reason`` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MessageStanza(NamedTuple):
    """A message stanza that has a body, or only a subject.

    ``is_subject`` marks a subject without a body: only that changes a room's subject
    (XEP-0045, section 8.1). Its ``body`` is empty, and it has no ids. ``origin_id`` is the
    id that the sender assigned, ``stanza_id`` the one that the room or our own account
    assigned (XEP-0359). ``occupant_id`` (XEP-0421) is the sender's own claim unless the
    room announces such ids. If ``is_encrypted``, the ``body`` is only a hint for clients
    that cannot decrypt the text.
    """

    kind: str
    sender: Address
    id: str | None
    body: str
    is_subject: bool
    delayed: bool
    origin_id: str | None = None
    stanza_id: str | None = None
    occupant_id: str | None = None
    is_encrypted: bool = False

    def key(self) -> str | None:
        """The key by which to deduplicate the message; None when it has no id at all.

        Without a trusted stanza id the key is made of the sender's own id and the text:
        the same id with another text is another message. Keys are short however long the
        ids are, because thousands of them are kept.
        """
        if self.stanza_id is not None:
            return "\0".join(("stanza", self.sender.text, _short(self.stanza_id)))
        own_id = self.origin_id or self.id
        if own_id is None:
            return None
        return "\0".join(("sender", self.sender.text, _short(own_id), _digest(self.body)))


def _short(identity: str) -> str:
    return identity if len(identity) <= MAX_ID else _digest(identity)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_message(stanza: Node, account: str, server: str) -> MessageStanza:
    """Parse a message stanza that our ``account`` (a bare JID) received.

    Without a ``from``, ``server`` sent it (RFC 6120, 8.1.2.1).

    :raises NotAMessage: when it must not reach a responder.
    """
    attributes = stanza[ATTRIBUTES]
    kind = attributes.get("type")
    if kind != "groupchat":
        if kind in _UNANSWERED:
            raise NotAMessage(kind)
        # RFC 6121 5.2.2: any other type counts as "normal".
        kind = "chat" if kind == "chat" else "normal"
    try:
        sender = read_address(attributes.get("from") or server)
    except InvalidJid:
        raise NotAMessage("bad-sender") from None
    # XEP-0359 6: only the ids of the room, or of our own account, can be trusted.
    trusted = sender.bare_text if kind == "groupchat" else account
    bodies: list[Node] = []
    origin: Node | None = None
    stanza_id: str | None = None
    occupant_id: str | None = None
    stanza_ids = occupant_ids = 0
    has_subject = is_correction = delayed = is_encrypted = False
    # A single pass: this runs for nearly every stanza.
    for child in stanza[CHILDREN:]:
        name = child[NAME]
        if name not in _READ:
            # Text between the children lands here, too: its first character is no name.
            continue
        if name == _BODY:
            bodies.append(child)
        elif name == _STANZA_ID:
            if child[ATTRIBUTES].get("by") == trusted:
                stanza_id = child[ATTRIBUTES].get("id")
                stanza_ids += 1
        elif name == _ORIGIN_ID:
            origin = origin or child
        elif name == _OCCUPANT_ID:
            occupant_id = child[ATTRIBUTES].get("id")
            occupant_ids += 1
        elif name == _SUBJECT:
            has_subject = True
        elif name == _CORRECTION:
            is_correction = True
        elif name in DELAYS:
            delayed = True
        elif name in _ENCRYPTED:
            is_encrypted = True
        elif name == _INVITATION or child_of(child, _INVITE) is not None:
            # XEP-0249; XEP-0045 7.8.2. Its body, if any, was written by the room or a client.
            raise NotAMessage("invitation")
    if not bodies:
        if has_subject:
            return MessageStanza(kind, sender, None, "", True, delayed)
        raise NotAMessage("no-body")
    body = _body(bodies)
    if is_correction:
        # XEP-0308: people see an older message change. A command in the new text must
        # not run: it is hidden there, or ran already.
        raise NotAMessage("correction")
    return MessageStanza(
        kind,
        sender,
        attributes.get("id"),
        body,
        False,
        delayed,
        origin[ATTRIBUTES].get("id") if origin is not None else None,
        # Two stanza ids in the same name are ambiguous: trust neither.
        stanza_id if stanza_ids == 1 else None,
        occupant_id if occupant_ids == 1 else None,
        is_encrypted,
    )


def _body(bodies: list[Node]) -> str:
    if len(bodies) == 1 and len(bodies[0]) == CHILDREN + 1:
        # Fast path: nearly always there is one body in one piece.
        text = bodies[0][CHILDREN]
        if isinstance(text, str):
            return text
    if any(not isinstance(piece, str) for body in bodies for piece in body[CHILDREN:]):
        raise NotAMessage("markup-in-body")
    texts = {"".join(body[CHILDREN:]) for body in bodies}
    if len(texts) > 1:
        # RFC 6121 5.2.3 allows one body for each language. People see one of them, and
        # it need not be the one that the bot would execute.
        raise NotAMessage("differing-bodies")
    return texts.pop()
