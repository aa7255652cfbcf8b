"""Stanza size limit of a stream: the announced one (XEP-0478), or one that every server has."""

from __future__ import annotations

from functools import lru_cache

from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import WIDEST, text_size
from xbot.model.size_limit import Measure

#: Safety margin below the limit, in bytes: some servers count more than the stanza.
MARGIN = 500

#: RFC 6120 13.12: no server may have a limit of less than 10,000 bytes.
SAFE = 10_000 - MARGIN

#: Lower bound for an announced limit; a smaller one is raised to it.
LEAST = 1_000

#: Upper bound for an announced limit: we never send more.
MOST = 1024 * 1024

#: Size of a message stanza without its text, for a usual address.
HEAD = 512


def told_limit(features: domish.Element) -> int:
    """Maximum size of our stanzas in bytes, from the stream features (XEP-0478, section 3)."""
    limits = child(features, ns.STREAM_LIMITS, "limits")
    told = child(limits, ns.STREAM_LIMITS, "max-bytes") if limits is not None else None
    text = str(told).strip() if told is not None else ""
    if not (text.isascii() and text.isdigit()):
        return SAFE
    return MOST if len(text) > 10 else min(MOST, max(LEAST, int(text) - MARGIN))


@lru_cache(maxsize=16)
def usual(limit: int) -> Measure:
    """Measure of texts for stanzas of at most ``limit`` bytes with a usual head."""
    return besides(limit, HEAD)


def besides(limit: int, head: int) -> Measure:
    """Measure of texts for stanzas of at most ``limit`` bytes, ``head`` of them without text."""
    return Measure(limit - head, text_size, WIDEST)
