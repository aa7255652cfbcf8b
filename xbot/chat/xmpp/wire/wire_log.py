"""What goes over the wire, for the log: each element, without any secret."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import Unserializable, serialize

#: Where these events are told from; its level decides whether they are logged.
NAMESPACE = "xbot.chat.xmpp.wire"

#: What stands in the place of a secret.
HIDDEN = "[hidden]"

# A challenge and its response are all that it takes to guess at a password
# (RFC 5802, section 9); a failure has but its condition and a text.
_SECRET_SASL = frozenset({"auth", "challenge", "response", "success"})

# Wherever they stand: a room's password, those of old logins and of registration.
_SECRETS = frozenset({"digest", "key", "password", "secret", "token"})

# Whoever knows the name of a session that waits can take it over, with the account's password.
_SESSION = frozenset({"id", "previd"})


class WireLog:
    """Logs elements that were sent and received, at debug."""

    def __init__(self) -> None:
        # Not the class's: there Twisted would call it by the class's own name.
        self._log = Logger(NAMESPACE)

    def sent(self, element: domish.Element) -> None:
        """We wrote this."""
        self._log.debug("sent {element}", element=_shown(element))

    def received(self, element: domish.Element) -> None:
        """The server wrote this."""
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
    """Whether all that is in it must not be seen."""
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
