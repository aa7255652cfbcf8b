"""The stanza size limit of a stream: what the server told (XEP-0478), or what any takes."""

from __future__ import annotations

from functools import lru_cache

from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import WIDEST, text_size
from xbot.model.size_limit import Measure

#: So many bytes less than the limit we send: some servers count what else they read with it.
MARGIN = 500

#: RFC 6120 13.12: no server may have a limit of less than 10,000 bytes.
SAFE = 10_000 - MARGIN

#: Whoever tells less than this tells nonsense.
LEAST = 1_000

#: Larger than that we send nothing, whatever the server takes.
MOST = 1024 * 1024

#: What there is of a message stanza besides its text, if its address is usual.
HEAD = 512


def told_limit(features: domish.Element) -> int:
    """The bytes that a stanza of ours may have, by a stream's features (XEP-0478, section 3)."""
    limits = child(features, ns.STREAM_LIMITS, "limits")
    told = child(limits, ns.STREAM_LIMITS, "max-bytes") if limits is not None else None
    text = str(told).strip() if told is not None else ""
    if not (text.isascii() and text.isdigit()):
        return SAFE
    return MOST if len(text) > 10 else min(MOST, max(LEAST, int(text) - MARGIN))


@lru_cache(maxsize=16)
def usual(limit: int) -> Measure:
    """How long a text may be where a stanza has ``limit`` bytes and a usual head."""
    return besides(limit, HEAD)


def besides(limit: int, head: int) -> Measure:
    """How long a text may be where a stanza has ``limit`` bytes, ``head`` of them no text."""
    return Measure(limit - head, text_size, WIDEST)
