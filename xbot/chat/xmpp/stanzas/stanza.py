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
    """Why a stanza came back (RFC 6120, section 8.3): type, condition, and the sender's text."""

    type: str
    condition: str
    text: str = ""

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


def error_condition(stanza: Node) -> str:
    """The error condition of an error stanza, e.g. "forbidden" (RFC 6120, section 8.3.3)."""
    error = child_of(stanza, _ERROR)
    for child in error[CHILDREN:] if error is not None else ():
        uri, name = split_name(child[NAME])
        if uri == ns.STANZA_ERRORS and name != "text":
            return name[:64]
    return "undefined-condition"


def read_error(stanza: Node) -> StanzaError:
    """The error of a stanza that came back."""
    error = child_of(stanza, _ERROR)
    if error is None:
        return StanzaError("cancel", error_condition(stanza))
    type_, told = error[ATTRIBUTES].get("type"), child_of(error, _TEXT)
    said = "" if told is None else "".join(c for c in told[CHILDREN:] if isinstance(c, str))
    return StanzaError(
        type_ if type_ in _TYPES else "cancel",
        error_condition(stanza),
        " ".join(said[: 2 * MAX_TEXT].split())[:MAX_TEXT],
    )


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
