"""Between stanzas and what they say; pure (RFC 6121, section 5).

Reading never trusts: what could be shown to people in one way and to the bot
in another is not a message.
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

#: RFC 6121 5.2.2. A type that is none of these is to be taken as "normal".
_KINDS = ("chat", "groupchat", "normal")

#: The types that are said by nobody in expectation of an answer.
_UNANSWERED = ("error", "headline")

#: Characters of an id that is kept. One may be as long as a stanza; no honest one is longer
#: than this. In a key such a one is there by its digest.
MAX_ID = 256


class NotSpoken(Exception):
    """The stanza says nothing to us. ``reason`` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spoken(NamedTuple):
    """The facts of a message stanza that has a body, or a subject alone.

    ``body`` is empty for a subject change (XEP-0045, section 8.1): that is what
    ``is_subject`` tells. ``origin_id`` is the sender's own (XEP-0359).
    """

    kind: str
    sender: Jid
    id: str | None
    body: str
    is_subject: bool
    delayed: bool
    origin_id: str | None = None

    def key(self, stanza_id: str | None) -> str | None:
        """What tells this message from every other (:func:`message_key`)."""
        return message_key(str(self.sender), self.body, self.origin_id or self.id, stanza_id)


def message_key(sender: str, body: str, own_id: str | None, stanza_id: str | None) -> str | None:
    """What tells a message from every other.

    ``stanza_id`` is the trusted one (XEP-0359). Without it the sender's own id
    has to do, together with the text: the same id with other words is another
    message. With neither it cannot be recognised. Thousands of keys are remembered:
    each is short, whatever the ids are.
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
    """What the stanza says. Without a ``from`` it is ``server``'s (RFC 6120, section 8.1.2.1).

    :raises NotSpoken: when it is nothing that may reach a responder.
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
        # Its text, where it has one, is the room's or a program's.
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
        # XEP-0308: people see an older message change; a command hidden in that
        # change, or said again by it, was not said.
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
    """The id that ``by`` gave the stanza, and nobody else can have given (XEP-0359, section 6)."""
    ids = [
        element.getAttribute("id")
        for element in stanza.elements(ns.STANZA_ID, "stanza-id")
        if element.getAttribute("by") == str(by)
    ]
    return ids[0] if len(ids) == 1 else None


def is_invitation(stanza: domish.Element) -> bool:
    """Whether it invites to a room, rightly or wrongly (XEP-0045, 7.8.2; XEP-0249)."""
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
        # RFC 6121 5.2.3 allows one body for each language. People see one of
        # them, and it need not be the one that we would obey.
        raise NotSpoken("differing-bodies")
    return texts.pop()


def message_element(message: Message) -> domish.Element:
    """The stanza that says ``message``."""
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
    """The condition that an error stanza names (RFC 6120, section 8.3.3)."""
    error = child(stanza, ns.CLIENT, "error")
    if error is not None:
        for condition in error.elements():
            if condition.uri == ns.STANZA_ERRORS and condition.name != "text":
                return str(condition.name)[:64]
    return "undefined-condition"


def reply_to(stanza: domish.Element, kind: str) -> domish.Element:
    """An empty answer of this type: to the sender, with the stanza's id."""
    reply = domish.Element((ns.CLIENT, stanza.name))
    reply["type"] = kind
    for ours, theirs in (("to", "from"), ("id", "id")):
        if stanza.hasAttribute(theirs):
            reply[ours] = stanza[theirs]
    return reply


def error_reply(stanza: domish.Element, condition: str, kind: str = "cancel") -> domish.Element:
    """The error that answers ``stanza``, minimal (RFC 6120, section 8.3.1).

    The offending children are never echoed: a stranger chose them.
    """
    reply = reply_to(stanza, "error")
    error = reply.addElement((ns.CLIENT, "error"))
    error["type"] = kind
    error.addElement((ns.STANZA_ERRORS, condition))
    return reply
