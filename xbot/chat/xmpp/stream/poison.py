"""Poison message detection: which stanza of ours ended one stream after the other; pure."""

from __future__ import annotations

from collections import OrderedDict

from xbot.chat.xmpp.stream.ack_queue import Sent
from xbot.chat.xmpp.wire.errors import ConnectionProblem, Cut, Ended, StreamError
from xbot.model.message import Message

#: So many streams in a row may end with the same stanza first: more are no accident.
#: A connection that breaks is one more often than a stream that the server closes.
MAX_ENDS, MAX_CUTS = 2, 5

#: An end counts this much, by whether the connection broke; what has this many is not sent again.
_COUNTS = {False: MAX_CUTS, True: MAX_ENDS}
_ENOUGH = MAX_ENDS * MAX_CUTS

#: What has more than this is under suspicion: a connection may break once.
_ONE_CUT = _COUNTS[True]

#: Seconds from a question that got no answer to an end that is no accident.
PROMPTLY = 30.0

#: So many stanzas are known.
MAX_KNOWN = 64

#: RFC 6120 4.9.3: a server that tells one of these has nothing against what we said.
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
    """Whether something that we said may be why this ended a stream."""
    condition = problem.condition if isinstance(problem, StreamError) else None
    return isinstance(problem, Ended) and condition not in _OTHER_REASONS


class Suspects:
    """Counts the streams that ended with the same stanza first and unacknowledged.

    A message is known by its id, on whichever session it is said again; all else
    by its bytes.
    """

    def __init__(self) -> None:
        self._ends: OrderedDict[str | bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def has(self, message: Message) -> bool:
        """Whether it is under suspicion: it has not arrived since a stream ended over it."""
        return self._ends.get(message.payload.get("id", ""), 0) > _ONE_CUT

    def has_sent(self, sent: Sent[Message]) -> bool:
        """The same of any stanza."""
        return self._ends.get(_key(sent), 0) > _ONE_CUT

    def has_convicted(self, message: Message) -> bool:
        """Whether it must not be sent again."""
        return self._ends.get(message.payload.get("id", ""), 0) >= _ENOUGH

    def blame(self, sent: Sent[Message], problem: ConnectionProblem) -> bool:
        """One more stream ended, so, with it first; gives whether it must not be sent again."""
        key = _key(sent)
        self._ends[key] = self._ends.get(key, 0) + _COUNTS[isinstance(problem, Cut)]
        self._ends.move_to_end(key)
        if len(self._ends) > MAX_KNOWN:
            self._ends.popitem(last=False)
        return self._ends[key] >= _ENOUGH

    def clear(self, sent: Sent[Message]) -> None:
        """The server has it: it was something else."""
        self._ends.pop(_key(sent), None)


def _key(sent: Sent[Message]) -> str | bytes:
    id = sent.token.payload.get("id") if sent.token is not None else None
    return sent.data if id is None else id
