"""JIDs as values: parsed once, bounded, and cheap to compare (RFC 7622)."""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen
from twisted.words.protocols.jabber.xmpp_stringprep import nameprep, nodeprep

from xbot.model.errors import InvalidJid

#: RFC 7622 3.1: no part is longer than this, in bytes of UTF-8.
MAX_PART = 1023

#: How many bare JIDs keep their prepared form. Bounded: strangers choose JIDs.
CACHE_SIZE = 2048


#: Plain names, as nearly all are: stringprep, which takes as long as all the rest of a
#: stanza, would leave them as they are.
_PREPARED = re.compile(r"(?:[a-z0-9._-]+@)?(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z0-9]+(?:-[a-z0-9]+)*")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# Rooms are looked up by it for every stanza.
@frozen(cache_hash=True)
class Jid:
    """A JID: ``local@domain/resource``; ``local`` and ``resource`` may be absent.

    Made by :meth:`parse`, so that a wrong one cannot exist. Comparing two is
    comparing their prepared parts: ``Alice@Example.org`` equals
    ``alice@example.org``, while resources (nicks, in a room) differ by case.
    """

    local: str | None
    domain: str
    resource: str | None = None

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Make a JID of its text, or raise :class:`~xbot.model.errors.InvalidJid`.

        The lengths are checked before anything else is done: preparing a JID
        of 200 KiB takes a second.
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
        """This JID's bare form with ``resource`` put behind it."""
        text = f"{self.bare}/{resource}"
        if not resource:
            raise InvalidJid(text, "nothing follows the slash")
        return Jid(self.local, self.domain, check_resource(text, resource))


@lru_cache(maxsize=CACHE_SIZE)
def _prepare(bare: str) -> tuple[str | None, str]:
    """The prepared (local part, domain) of a bare JID."""
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
        # COMPAT: Twisted's nameprep raises IndexError for a label of which nothing is left.
        raise InvalidJid(bare, "it has a character that a JID cannot have") from error
    if at and not local:
        # A local part of soft hyphens must not become its whole domain.
        raise InvalidJid(bare, "nothing stands before the @")
    if not domain:
        raise InvalidJid(bare, "it has no domain")
    # What is prepared can have become longer.
    for part in (local, domain):
        if len(part.encode()) > MAX_PART:
            raise InvalidJid(bare[:64] + "...", "it is too long")
    return local or None, domain


def check_resource(text: str, resource: str) -> str:
    """The resource of the JID ``text``, if it can be one; :class:`InvalidJid` if not."""
    # A resource is opaque to us beyond length and control characters: stringprep
    # knows Unicode 3.2 only, and would make everyone with a newer emoji in the
    # nick invisible.
    # Four bytes a character at most: few are so long that they have to be encoded.
    if 4 * len(resource) > MAX_PART < len(resource.encode("utf-8", "surrogatepass")):
        raise InvalidJid(text[:64] + "...", "its resource is too long")
    if _CONTROL.search(resource):
        raise InvalidJid(text, "its resource has a control character")
    return resource
