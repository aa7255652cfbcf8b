"""List of people, as the ini names them: bare JIDs, and whole domains."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid


@frozen
class People:
    """Bare JIDs and domains; empty by default."""

    jids: frozenset[Jid] = frozenset()
    domains: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, names: Iterable[str]) -> People:
        """From ``alice@example.org`` and ``@example.org`` (everyone there, not of its subdomains).

        :raises ValueError: with what is wrong with one of the names.
        """
        jids, domains = set(), set()
        for name in names:
            is_domain = name.startswith("@")
            if "*" in name:
                # A JID may contain "*", but the operator means a pattern: a literal "*" in
                # "deny" would let in the people that it was meant to keep out.
                raise ValueError(f"{name!r}: there are no patterns; @DOMAIN is everyone there")
            try:
                jid = Jid.parse(name.removeprefix("@"))
            except InvalidJid as error:
                raise ValueError(f"{name!r} is no JID: {error.reason}") from error
            if jid.resource is not None:
                raise ValueError(f"{name!r} has a resource; people are named by NAME@DOMAIN")
            if is_domain and jid.local is None:
                domains.add(jid.domain)
            elif is_domain or jid.local is None:
                raise ValueError(f"{name!r} is neither NAME@DOMAIN nor @DOMAIN")
            else:
                jids.add(jid)
        return cls(frozenset(jids), frozenset(domains))

    @classmethod
    def union(cls, several: Iterable[People]) -> People:
        lists = list(several)
        return cls(
            frozenset().union(*(people.jids for people in lists)),
            frozenset().union(*(people.domains for people in lists)),
        )

    def includes(self, jid: Jid) -> bool:
        """Whether ``jid`` is listed; its resource is ignored. A bare domain is no person."""
        return jid.local is not None and (jid.bare in self.jids or jid.domain in self.domains)


NOBODY = People()
