"""JID: an XMPP address as an immutable value, parsed and prepared once (RFC 7622)."""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen
from twisted.words.protocols.jabber.xmpp_stringprep import nameprep, nodeprep

from xbot.model.errors import InvalidJid

#: RFC 7622 3.1: maximum length of each part, in bytes of UTF-8.
MAX_PART = 1023

#: Maximum number of bare JIDs in the LRU cache of prepared forms. Bounded: strangers choose JIDs.
CACHE_SIZE = 2048


#: Fast path: plain ASCII names, as nearly all are. stringprep would not change them, and
#: takes as long as all other work on a stanza.
_PREPARED = re.compile(r"(?:[a-z0-9._-]+@)?(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z0-9]+(?:-[a-z0-9]+)*")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# The hash is cached: every stanza looks up its room by JID.
@frozen(cache_hash=True)
class Jid:
    """A JID: ``local@domain/resource``; ``local`` and ``resource`` may be absent.

    Create it with :meth:`parse`, which rejects invalid JIDs. Equality compares the
    prepared parts: ``Alice@Example.org`` equals ``alice@example.org``, while
    resources (in a room: nicks) are case-sensitive.
    """

    local: str | None
    domain: str
    resource: str | None = None

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Parse ``text``, or raise :class:`~xbot.model.errors.InvalidJid`.

        The length is checked first: preparing a JID of 200 KiB takes a second.
        """
        if len(text) > 3 * MAX_PART + 2:
            raise InvalidJid(text[:64] + "...", "it is too long")
        bare, slash, resource = text.partition("/")
        local, domain = _prepare(bare)
        if slash and not resource:
            raise InvalidJid(text, "nothing follows the slash")
        return cls(local, domain, check_resource(text, resource) if resource else None)

    def __str__(self) -> str:
        bare = f"{self.local}@{self.domain}" if self.local else self.domain
        return f"{bare}/{self.resource}" if self.resource else bare

    @property
    def bare(self) -> Jid:
        """This JID without its resource."""
        return Jid(self.local, self.domain) if self.resource else self

    def with_resource(self, resource: str) -> Jid:
        """The full JID: the bare form of this one with ``resource``."""
        text = f"{self.bare}/{resource}"
        if not resource:
            raise InvalidJid(text, "nothing follows the slash")
        return Jid(self.local, self.domain, check_resource(text, resource))


@lru_cache(maxsize=CACHE_SIZE)
def _prepare(bare: str) -> tuple[str | None, str]:
    """The (local part, domain) of a bare JID, after nodeprep and nameprep."""
    local, at, domain = bare.rpartition("@")
    if "@" in local:
        raise InvalidJid(bare, "it has more than one @")
    if at and not local:
        raise InvalidJid(bare, "nothing stands before the @")
    for part in (local, domain):
        if len(part.encode("utf-8", "surrogatepass")) > MAX_PART:
            raise InvalidJid(bare[:64] + "...", "it is too long")
    if _PREPARED.fullmatch(bare):
        return local or None, domain
    try:
        local = nodeprep.prepare(local) if local else ""
        domain = nameprep.prepare(domain).rstrip(".")
    except (UnicodeError, IndexError) as error:
        # COMPAT: Twisted's nameprep raises IndexError for a label that becomes empty.
        raise InvalidJid(bare, "it has a character that a JID cannot have") from error
    if at and not local:
        # A local part of soft hyphens must not become its whole domain.
        raise InvalidJid(bare, "nothing stands before the @")
    if not domain:
        raise InvalidJid(bare, "it has no domain")
    # Preparing can make a part longer.
    for part in (local, domain):
        if len(part.encode()) > MAX_PART:
            raise InvalidJid(bare[:64] + "...", "it is too long")
    return local or None, domain


def check_resource(text: str, resource: str) -> str:
    """Return ``resource`` if it is valid, else raise :class:`InvalidJid` for the JID ``text``."""
    # Only length and control characters are checked: resourceprep knows Unicode 3.2
    # only, and would drop every occupant with a newer emoji in the nick.
    # UTF-8 has at most four bytes per character, so that few have to be encoded.
    if 4 * len(resource) > MAX_PART < len(resource.encode("utf-8", "surrogatepass")):
        raise InvalidJid(text[:64] + "...", "its resource is too long")
    if _CONTROL.search(resource):
        raise InvalidJid(text, "its resource has a control character")
    return resource
