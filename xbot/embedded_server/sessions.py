"""Bound sessions, and delivery of stanzas to accounts (RFC 6121 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import Unserializable
from xbot.embedded_server import markup
from xbot.embedded_server.markup import Element, StanzaError
from xbot.embedded_server.stream import ServerStream
from xbot.model.jid import Jid

#: Maximum number of offline messages per account.
MAX_OFFLINE = 100


@define(eq=False)
class Session:
    """One bound resource. ``presence`` is its last available presence, None when unavailable."""

    jid: Jid
    stream: ServerStream
    presence: Element | None = None
    _got_stanza: Callable[[Session, Element], None] = field(kw_only=True, repr=False)
    _ended: Callable[[Session], None] = field(kw_only=True, repr=False)

    _log = Logger()

    def send(self, stanza: Element) -> None:
        """Send a stanza unchanged; tests may send text, too, well-formed or not."""
        self.stream.send(stanza)

    def got_element(self, element: Element) -> None:
        """Handle one direct child of the stream; errors are answered by an error stanza."""
        if element.uri != ns.CLIENT or element.name not in ("message", "presence", "iq"):
            self.stream.close("unsupported-stanza-type")
            return
        # RFC 6120 8.1.2.1: the server sets ``from``, so it cannot be forged.
        element["from"] = str(self.jid)
        try:
            # What cannot be written cannot be relayed: it is refused before anything is done.
            markup.serialise(element)
            self._got_stanza(self, element)
        except Unserializable:
            self._refuse(element, "not-acceptable")
        except StanzaError as refused:
            self._refuse(element, refused.condition)
        except Exception:
            self._log.failure("the embedded server could not handle a stanza")
            self._refuse(element, "internal-server-error")

    def ended(self) -> None:
        self._ended(self)

    def _refuse(self, element: Element, condition: str) -> None:
        # RFC 6120 8.3.1: errors and results are never answered.
        if element.getAttribute("type") in ("error", "result"):
            return
        # A malformed "to" must not become the "from" of the reply.
        sender = self.jid.domain if condition == "jid-malformed" and not _is_jid(element) else None
        self.send(markup.refusal(element, condition, sender))


@define
class Sessions:
    """The sessions of all accounts, and their offline messages."""

    domain: str
    _exists: Callable[[str], bool]
    _now: Callable[[], float]
    by_jid: dict[str, Session] = field(factory=dict, init=False)
    _offline: dict[str, deque[Element]] = field(factory=dict, init=False)

    def of(self, jid: Jid) -> list[Session]:
        """The available sessions of an account."""
        bare = jid.bare
        return [
            session
            for session in self.by_jid.values()
            if session.presence is not None and session.jid.bare == bare
        ]

    def deliver(self, to: Jid, stanza: Element) -> None:
        """Deliver to an account, or raise :class:`~xbot.embedded_server.markup.StanzaError`."""
        session = self.by_jid.get(str(to)) if to.resource else None
        if session is not None:
            session.send(stanza)
        elif stanza.name == "message":
            self._deliver_to_bare(to, stanza)
        elif stanza.name == "presence" and to.resource is None:
            for available in self.of(to):
                available.send(stanza)
        elif stanza.name == "iq" and stanza["type"] in ("get", "set"):
            raise StanzaError("service-unavailable")

    def got_presence(self, session: Session, presence: Element) -> None:
        """Handle undirected presence (RFC 6121 4.2, 4.5). There are no contacts to send it to."""
        was_available = session.presence is not None
        if presence.getAttribute("type") == "unavailable":
            session.presence = None
        elif presence.getAttribute("type") is None:
            session.presence = presence
        else:
            return
        for other in self.of(session.jid):
            other.send(markup.copied(presence, to=str(other.jid)))
            if not was_available and other is not session and session.presence is not None:
                session.send(markup.copied(other.presence, to=str(session.jid)))
        if session.presence is not None and not was_available:
            for message in self._offline.pop(str(session.jid.bare), ()):
                session.send(message)

    def _deliver_to_bare(self, to: Jid, message: Element) -> None:
        """Deliver to all available sessions, or store it offline (RFC 6121 8.5.2, 8.5.3)."""
        kind = message.getAttribute("type")
        if kind == "error":
            return
        if to.local is None or not self._exists(to.local) or kind == "groupchat":
            raise StanzaError("service-unavailable")
        available = self.of(to)
        for session in available:
            session.send(message)
        if available or kind == "headline":
            return
        waiting = self._offline.setdefault(str(to.bare), deque())
        if len(waiting) >= MAX_OFFLINE:
            raise StanzaError("service-unavailable")
        kept = markup.copied(message)
        kept.addChild(markup.delay(self.domain, self._now()))
        waiting.append(kept)


def _is_jid(stanza: Element) -> bool:
    try:
        Jid.parse(stanza.getAttribute("to", ""))
    except ValueError:
        return False
    return True
