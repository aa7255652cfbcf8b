"""Poison message detection: find the stanza of ours that ends each stream. Pure."""

from __future__ import annotations

from collections import OrderedDict

from xbot.chat.xmpp.stream.ack_queue import Sent
from xbot.chat.xmpp.wire.errors import ConnectionProblem, Cut, Ended, StreamError
from xbot.model.message import Message

#: A stanza is poison when that many streams in a row ended with it as the oldest
#: unacknowledged one: streams closed by the server, or broken connections. The latter
#: happen by accident more often.
MAX_ENDS, MAX_CUTS = 2, 5

#: Points per end, by whether the connection broke; a stanza with _ENOUGH is not sent again.
_COUNTS = {False: MAX_CUTS, True: MAX_ENDS}
_ENOUGH = MAX_ENDS * MAX_CUTS

#: With more points than one broken connection gives, a stanza is a suspect.
_ONE_CUT = _COUNTS[True]

#: Seconds. A stream that ends later after an unanswered <r/> is not blamed on a stanza.
PROMPTLY = 30.0

#: Maximum number of stanzas with points (LRU).
MAX_KNOWN = 64

#: RFC 6120 4.9.3: stream errors that are not caused by our stanzas.
_OTHER_REASONS = frozenset(
    {
        "conflict",
        "connection-timeout",
        "host-gone",
        "host-unknown",
        "not-authorized",
        "remote-connection-failed",
        "reset",
        "see-other-host",
        "system-shutdown",
    }
)


def is_suspicious(problem: ConnectionProblem | None) -> bool:
    """Whether a stanza of ours may have caused this end of a stream."""
    condition = problem.condition if isinstance(problem, StreamError) else None
    return isinstance(problem, Ended) and condition not in _OTHER_REASONS


class Suspects:
    """Counts streams that ended with the same stanza as the oldest unacknowledged one.

    Messages are identified by their id, also across sessions; other stanzas by their bytes.
    """

    def __init__(self) -> None:
        self._ends: OrderedDict[str | bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def has(self, message: Message) -> bool:
        """Whether ``message`` is a suspect: streams ended over it, and it has not arrived since."""
        return self._ends.get(message.payload.get("id", ""), 0) > _ONE_CUT

    def has_sent(self, sent: Sent[Message]) -> bool:
        """The same for any stanza."""
        return self._ends.get(_key(sent), 0) > _ONE_CUT

    def has_convicted(self, message: Message) -> bool:
        """Whether ``message`` is poison, and must not be sent again."""
        return self._ends.get(message.payload.get("id", ""), 0) >= _ENOUGH

    def blame(self, sent: Sent[Message], problem: ConnectionProblem) -> bool:
        """Count one more stream that ended with ``sent`` first; returns whether it is poison."""
        key = _key(sent)
        self._ends[key] = self._ends.get(key, 0) + _COUNTS[isinstance(problem, Cut)]
        self._ends.move_to_end(key)
        if len(self._ends) > MAX_KNOWN:
            self._ends.popitem(last=False)
        return self._ends[key] >= _ENOUGH

    def clear(self, sent: Sent[Message]) -> None:
        """Acquit a stanza: the server has accepted it."""
        self._ends.pop(_key(sent), None)


def _key(sent: Sent[Message]) -> str | bytes:
    id = sent.token.payload.get("id") if sent.token is not None else None
    return sent.data if id is None else id
