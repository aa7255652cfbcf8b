"""Build messages, replies and error replies (RFC 6120, section 8.3; RFC 6121, section 5)."""

from __future__ import annotations

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import CHILDREN, NAME, Node, child_of, full_name, split_name
from xbot.model.message import Message

_ERROR = full_name(ns.CLIENT, "error")


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
