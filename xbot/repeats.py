"""The same text again and again: written so many times, and counted from then on."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define

#: In so many seconds the same text is written so many times.
PERIOD = 10.0
MOST = 50

#: How many texts are watched at once. Of others each is written.
MAX_TEXTS = 256


@define
class _Watched:
    since: float
    count: int = 1


class Repeats:
    """Says which of many texts to write, so that nobody fills a disk with one of them.

    A text is one line or more, and ends with a line feed.
    """

    def __init__(self) -> None:
        # In the order of their times.
        self._watched: OrderedDict[str, _Watched] = OrderedDict()

    def got(self, text: str, now: float) -> list[str]:
        """What to write for ``text``, and for those whose time is over: how often they came."""
        lines = []
        while self._watched:
            oldest, watched = next(iter(self._watched.items()))
            # A wall clock may have gone back.
            if abs(now - watched.since) < PERIOD and len(self._watched) <= MAX_TEXTS:
                break
            del self._watched[oldest]
            if watched.count > MOST:
                first = oldest.partition("\n")[0]
                lines.append(f"{first} ({watched.count - MOST} times more)\n")
        watched = self._watched.setdefault(text, _Watched(now, 0))
        watched.count += 1
        if watched.count <= MOST:
            lines.append(text)
        return lines
