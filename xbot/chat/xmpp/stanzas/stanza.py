"""Parse message stanzas, and build messages, replies and error replies (RFC 6121, section 5).

Pure. The parser is strict: a stanza that a client could show to people differently
from how the bot reads it is refused.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.delay import is_delayed
from xbot.chat.xmpp.wire import ns
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.message import Message

#: RFC 6121 5.2.2. Any other type counts as "normal".
_KINDS = ("chat", "groupchat", "normal")

#: Types that must not be answered.
_UNANSWERED = ("error", "headline")

#: Maximum length of an id in a message key, in characters. A longer one (it may be as long
#: as a stanza) is replaced by its digest.
MAX_ID = 256


class NotSpoken(Exception):
    """The stanza holds no message for the bot. ``reason`` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spoken(NamedTuple):
    """The facts of a message stanza that has a body, or a subject alone.

    ``is_subject`` marks a subject change (XEP-0045, section 8.1); its ``body`` is
    empty. ``origin_id`` is the id that the sender assigned (XEP-0359).
    """

    kind: str
    sender: Jid
    id: str | None
    body: str
    is_subject: bool
    delayed: bool
    origin_id: str | None = None

    def key(self, stanza_id: str | None) -> str | None:
        """The key that identifies this message (:func:`message_key`)."""
        return message_key(str(self.sender), self.body, self.origin_id or self.id, stanza_id)


def message_key(sender: str, body: str, own_id: str | None, stanza_id: str | None) -> str | None:
    """The key by which to deduplicate a message; None when it has no id at all.

    ``stanza_id`` is the trusted id (XEP-0359). Without it the key is made of the
    sender's own id and the text: the same id with another text is another message.
    Keys are short however long the ids are, because thousands of them are kept.
    """
    if stanza_id is not None:
        return "\0".join(("stanza", sender, _short(stanza_id)))
    if own_id is None:
        return None
    return "\0".join(("sender", sender, _short(own_id), _digest(body)))


def _short(identity: str) -> str:
    return identity if len(identity) <= MAX_ID else _digest(identity)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_message(stanza: domish.Element, server: Jid) -> Spoken:
    """Parse a message stanza. Without a ``from``, ``server`` sent it (RFC 6120, 8.1.2.1).

    :raises NotSpoken: when it must not reach a responder.
    """
    kind = stanza.getAttribute("type", "normal")
    if kind in _UNANSWERED:
        raise NotSpoken(kind)
    if kind not in _KINDS:
        kind = "normal"
    try:
        text = stanza.getAttribute("from")
        sender = Jid.parse(text) if text else server
    except InvalidJid:
        raise NotSpoken("bad-sender") from None
    if is_invitation(stanza):
        # Its body, if any, was written by the room or by a client.
        raise NotSpoken("invitation")
    body = _body(stanza)
    has_subject = child(stanza, ns.CLIENT, "subject") is not None
    if body is None:
        if has_subject:
            return Spoken(kind, sender, None, "", True, is_delayed(stanza))
        raise NotSpoken("no-body")
    if has_subject:
        raise NotSpoken("subject-with-body")
    if child(stanza, ns.CORRECTION, "replace") is not None:
        # XEP-0308: people see an older message change. A command in the new text must
        # not run: it is hidden there, or ran already.
        raise NotSpoken("correction")
    origin = child(stanza, ns.STANZA_ID, "origin-id")
    return Spoken(
        kind,
        sender,
        stanza.getAttribute("id"),
        body,
        False,
        is_delayed(stanza),
        origin.getAttribute("id") if origin is not None else None,
    )


def stanza_id(stanza: domish.Element, by: Jid) -> str | None:
    """The stanza id that ``by`` assigned; None if none or ambiguous (XEP-0359, section 6)."""
    ids = [
        element.getAttribute("id")
        for element in stanza.elements(ns.STANZA_ID, "stanza-id")
        if element.getAttribute("by") == str(by)
    ]
    return ids[0] if len(ids) == 1 else None


def is_invitation(stanza: domish.Element) -> bool:
    """Whether it is an invitation to a room, valid or not (XEP-0045, 7.8.2; XEP-0249)."""
    return child(stanza, ns.CONFERENCE, "x") is not None or any(
        child(x, ns.MUC_USER, "invite") is not None for x in stanza.elements(ns.MUC_USER, "x")
    )


def _body(stanza: domish.Element) -> str | None:
    bodies = list(stanza.elements(ns.CLIENT, "body"))
    if not bodies:
        return None
    if any(list(body.elements()) for body in bodies):
        raise NotSpoken("markup-in-body")
    texts = {"".join(body.children) for body in bodies}
    if len(texts) > 1:
        # RFC 6121 5.2.3 allows one body for each language. People see one of them, and
        # it need not be the one that the bot would execute.
        raise NotSpoken("differing-bodies")
    return texts.pop()


def message_element(message: Message) -> domish.Element:
    """The stanza for ``message``."""
    stanza = domish.Element((ns.CLIENT, "message"))
    stanza["to"] = message.recipient
    stanza["type"] = message.payload.get("type", "chat")
    if "id" in message.payload:
        stanza["id"] = message.payload["id"]
    stanza.addElement((ns.CLIENT, "body"), content=message.body)
    return stanza


def child(element: domish.Element, uri: str, name: str) -> domish.Element | None:
    """The first child of this name, if there is one."""
    return next(iter(element.elements(uri, name)), None)


def error_condition(stanza: domish.Element) -> str:
    """The error condition of an error stanza, e.g. "forbidden" (RFC 6120, section 8.3.3)."""
    error = child(stanza, ns.CLIENT, "error")
    if error is not None:
        for condition in error.elements():
            if condition.uri == ns.STANZA_ERRORS and condition.name != "text":
                return str(condition.name)[:64]
    return "undefined-condition"


def reply_to(stanza: domish.Element, kind: str) -> domish.Element:
    """An empty reply of this type, to the sender, with the stanza's id."""
    reply = domish.Element((ns.CLIENT, stanza.name))
    reply["type"] = kind
    for ours, theirs in (("to", "from"), ("id", "id")):
        if stanza.hasAttribute(theirs):
            reply[ours] = stanza[theirs]
    return reply


def error_reply(stanza: domish.Element, condition: str, kind: str = "cancel") -> domish.Element:
    """A minimal error reply to ``stanza`` (RFC 6120, section 8.3.1).

    It never echoes the stanza's children: a stranger chose them.
    """
    reply = reply_to(stanza, "error")
    error = reply.addElement((ns.CLIENT, "error"))
    error["type"] = kind
    error.addElement((ns.STANZA_ERRORS, condition))
    return reply
