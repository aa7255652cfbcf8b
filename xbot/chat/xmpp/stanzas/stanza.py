"""Build messages, replies and error replies (RFC 6120, section 8.3; RFC 6121, section 5)."""

from __future__ import annotations

from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import (
    ATTRIBUTES,
    CHILDREN,
    NAME,
    Node,
    child_of,
    full_name,
    split_name,
)
from xbot.model.message import Message

_ERROR = full_name(ns.CLIENT, "error")
_TEXT = full_name(ns.STANZA_ERRORS, "text")

#: RFC 6120 8.3.2: the types of an error. An error without one of these cannot be retried.
_TYPES = ("auth", "cancel", "continue", "modify", "wait")

#: Maximum length of the text of an error, which others write, in characters.
MAX_TEXT = 200


class StanzaError(NamedTuple):
    """Why a stanza came back (RFC 6120, section 8.3): type, condition, and the sender's text.

    ``address`` is what a ``gone`` or ``redirect`` names in its place.
    """

    type: str
    condition: str
    text: str = ""
    address: str = ""

    @property
    def is_temporary(self) -> bool:
        """Whether the stanza may be sent again later."""
        return self.type == "wait"

    def __str__(self) -> str:
        return f"{self.condition} ({self.text})" if self.text else self.condition


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


def read_error(stanza: Node) -> StanzaError:
    """The error of a stanza that came back."""
    error = child_of(stanza, _ERROR)
    if error is None:
        return StanzaError("cancel", "undefined-condition")
    condition, address = "undefined-condition", ""
    for child in error[CHILDREN:]:
        uri, name = split_name(child[NAME])
        if uri == ns.STANZA_ERRORS and name != "text":
            condition, address = name[:64], _text(child)
            break
    type_, told = error[ATTRIBUTES].get("type"), child_of(error, _TEXT)
    said = "" if told is None else _text(told)
    return StanzaError(type_ if type_ in _TYPES else "cancel", condition, said, address)


def _text(node: Node) -> str:
    """The text of a node that others wrote, in one line of at most :data:`MAX_TEXT` characters."""
    said = "".join(piece for piece in node[CHILDREN:] if isinstance(piece, str))
    return " ".join(said[: 2 * MAX_TEXT].split())[:MAX_TEXT]


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
