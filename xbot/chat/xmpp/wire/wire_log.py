"""Wire log: each element sent and received, with secrets redacted, at level debug."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import Unserializable, serialize

#: The logger namespace of these events; its level decides whether they are logged.
NAMESPACE = "xbot.chat.xmpp.wire"

#: The text that replaces a secret.
HIDDEN = "[hidden]"

# A challenge with its response allows an offline guess at the password (RFC 5802,
# section 9). A failure holds only its condition and a text.
_SECRET_SASL = frozenset({"auth", "challenge", "response", "success"})

# Elements, attributes and form fields: passwords of rooms, of legacy logins, of registration.
_SECRETS = frozenset({"digest", "key", "password", "secret", "token"})

# XEP-0198 resumption: this id and the account's password together take over the session.
_SESSION = frozenset({"id", "previd"})


class WireLog:
    """Logs elements that were sent and received, at debug."""

    def __init__(self) -> None:
        # Not a class attribute: Twisted would log under the class's name.
        self._log = Logger(NAMESPACE)

    def sent(self, element: domish.Element) -> None:
        self._log.debug("sent {element}", element=_shown(element))

    def received(self, element: domish.Element) -> None:
        self._log.debug("received {element}", element=_shown(element))


def redacted(element: domish.Element) -> domish.Element:
    """A copy of ``element`` with every secret in it replaced by :data:`HIDDEN`."""
    copy = domish.Element((element.uri, element.name))
    for key, value in element.attributes.items():
        name = key[-1] if isinstance(key, tuple) else key
        is_secret = name in _SECRETS or (element.uri == ns.SM and name in _SESSION)
        copy.attributes[key] = HIDDEN if is_secret else value
    if _is_secret(element):
        copy.addContent(HIDDEN)
        return copy
    for child in element.children:
        if isinstance(child, domish.Element):
            copy.addChild(redacted(child))
        else:
            copy.children.append(child)
    return copy


def _is_secret(element: domish.Element) -> bool:
    """Whether the whole content of ``element`` is a secret."""
    if element.uri == ns.SASL:
        return element.name in _SECRET_SASL and bool(element.children)
    if element.uri == ns.DATA_FORM and element.name == "field":
        name = element.getAttribute("var", "").lower()
        is_private = element.getAttribute("type") == "text-private"
        return is_private or any(secret in name for secret in _SECRETS)
    return element.name.lower() in _SECRETS


def _shown(element: domish.Element) -> str:
    try:
        return serialize(redacted(element), ns.CLIENT).decode()
    except (Unserializable, RecursionError):
        return f"<{element.name}/>, which cannot be shown"
