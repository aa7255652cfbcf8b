"""Circuit breaker for slow patterns: after several time-outs a pattern is paused. Pure.

It opens for one sender first. It opens for all senders of a share (a room or a domain) only
if several of them caused time-outs, and for all shares only if senders of several did. Trusted
senders and all others have breakers of their own, so that strangers, however many addresses
they have, cannot pause a pattern for trusted people.
"""

from __future__ import annotations

from typing import NamedTuple

from xbot.matching.pattern import Pattern

#: After STRIKES time-outs of one sender within MEMORY seconds, a pattern is paused for that
#: sender, for ASIDE seconds.
STRIKES = 3
MEMORY = 600.0
ASIDE = 300.0

#: Number of different senders, or shares, that it takes to pause a pattern for others, too.
#: Each level takes this many times the strikes of the level below: 3, 9, 27.
MANY = 3


class Asker(NamedTuple):
    """The sender of a text.

    ``name``: one person. ``share``: a room or a domain, because a person can use many nicks in
    a room, or many accounts. ``is_trusted``: an operator's ``allow`` names the sender.
    """

    name: str
    share: str
    is_trusted: bool = False


#: The sender of a text that is not from chat.
UNKNOWN = Asker("unknown", "unknown")


class Pause(NamedTuple):
    """A pattern is not tried until ``until``; ``is_own``: for this sender alone."""

    until: float
    is_own: bool


class _Level(NamedTuple):
    """One breaker: of a pattern, for a sender, a share, or (both empty) all."""

    pattern: Pattern
    is_trusted: bool
    share: str = ""
    name: str = ""


class Breaker:
    """Counts the time-outs of each pattern; ``now`` is seconds of any monotonic clock.

    Its size is bounded by the breakers themselves: once a pattern is paused for all, no more
    time-outs of it are counted until it is tried again.
    """

    def __init__(self) -> None:
        # For each breaker the time-outs, and who caused each: a sender or a share.
        self._strikes: dict[_Level, list[tuple[float, str]]] = {}
        self._paused: dict[_Level, float] = {}
        self._off: set[Pattern] = set()

    def __len__(self) -> int:
        return len(self._strikes) + len(self._paused)

    def pause(self, pattern: Pattern, asker: Asker, now: float) -> Pause | None:
        """Until when the pattern is not tried for ``asker``; None if it may be tried."""
        if pattern in self._off:
            return Pause(float("inf"), is_own=False)
        if not self._paused:
            return None
        own, *shared = (self._paused.get(level, 0.0) for level, _ in _levels(pattern, asker))
        until = max(own, *shared)
        return Pause(until, own > max(shared)) if until > now else None

    def strike(self, pattern: Pattern, asker: Asker, now: float) -> str | None:
        """Count a time-out of ``pattern``; returns for whom it is paused now, in words, if so."""
        self._forget(now)
        paused = None
        needed = STRIKES
        for place, (level, culprit) in enumerate(_levels(pattern, asker)):
            strikes = self._strikes.setdefault(level, [])
            strikes.append((now, culprit))
            culprits = {each for _, each in strikes}
            if len(strikes) >= needed and (place == 0 or len(culprits) >= MANY):
                del self._strikes[level]
                self._paused[level] = now + ASIDE
                paused = _words(level)
            needed *= MANY
        return paused

    def switch_off(self, pattern: Pattern) -> None:
        """Pause ``pattern`` for ever, for all."""
        self._off.add(pattern)

    def _forget(self, now: float) -> None:
        self._paused = {level: until for level, until in self._paused.items() if until > now}
        recent = {
            level: [each for each in strikes if each[0] > now - MEMORY]
            for level, strikes in self._strikes.items()
        }
        self._strikes = {level: strikes for level, strikes in recent.items() if strikes}


def _levels(pattern: Pattern, asker: Asker) -> tuple[tuple[_Level, str], ...]:
    """The breakers that count for ``asker``, and to whom each one counts a time-out."""
    trusted = asker.is_trusted
    return (
        (_Level(pattern, trusted, name=asker.name), asker.name),
        (_Level(pattern, trusted, share=asker.share), asker.name),
        (_Level(pattern, trusted), asker.share),
    )


def _words(level: _Level) -> str:
    who = level.name or level.share
    if level.is_trusted:
        return who or "all people whom an allow names"
    return who or "all people whom no allow names"
