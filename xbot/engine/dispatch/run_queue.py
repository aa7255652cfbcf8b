"""Queue of one responder's runs: FIFO for each person, round robin between people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum
from typing import Generic, TypeVar

from xbot.model.fair_share import may_have_more

#: Maximum number of runs of one responder that wait. One person has a fair share of them
#: (:mod:`xbot.model.fair_share`).
MAX_WAITING = 32

R = TypeVar("R", bound=Hashable)


class _Stage(Enum):
    #: It has its place, but may not start yet: the journal has not accepted it.
    RESERVED = "reserved"
    WAITING = "waiting"
    AT_WORK = "at work"


class RunQueue(Generic[R]):
    """The runs of one responder that wait, and those at work.

    A person's runs are in one lane, in the order of the commands. Only the first of a lane may
    be at work, so that a person's commands are done, and answered, in order.
    """

    __slots__ = ("_lanes", "_people", "_stages", "_waiting")

    def __init__(self) -> None:
        # The lanes by person; the one whose turn is next is the first.
        self._lanes: dict[str, list[R]] = {}
        self._stages: dict[R, _Stage] = {}
        self._people: dict[R, str] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """Number of runs, at any stage."""
        return len(self._stages)

    def __contains__(self, run: object) -> bool:
        return run in self._stages

    def reserve(self, person: str, run: R) -> None:
        """Give ``run`` the last place in the person's lane; it does not count as waiting yet."""
        self._lanes.setdefault(person, []).append(run)
        self._stages[run], self._people[run] = _Stage.RESERVED, person

    def began(self, person: str, run: R) -> None:
        """Add a run that is at work already."""
        self._lanes.setdefault(person, []).insert(0, run)
        self._stages[run], self._people[run] = _Stage.AT_WORK, person

    def begin_alone(self, run: R) -> bool:
        """Fast path: take ``run``, which is in the queue, as the next one if it is the only one."""
        if len(self._stages) != 1 or self._stages[run] is not _Stage.RESERVED:
            return False
        self._stages[run] = _Stage.AT_WORK
        return True

    def wait(self, run: R) -> None:
        """``run``, which is in the queue, may start, or has to be started again."""
        if self._stages[run] is not _Stage.WAITING:
            self._stages[run] = _Stage.WAITING
            self._waiting += 1

    def next(self, may_start: Callable[[R], bool]) -> R | None:
        """Take the next run to start, of those for which ``may_start`` is true; else None."""
        for person, lane in self._lanes.items():
            run = lane[0]
            if self._stages[run] is _Stage.WAITING and may_start(run):
                self._stages[run] = _Stage.AT_WORK
                self._waiting -= 1
                # Round robin: the others come before this person's next one.
                self._lanes[person] = self._lanes.pop(person)
                return run
        return None

    def leave(self, run: R) -> None:
        """Remove ``run``, at any stage."""
        person = self._people.pop(run)
        self._waiting -= self._stages.pop(run) is _Stage.WAITING
        self._lanes[person].remove(run)
        if not self._lanes[person]:
            del self._lanes[person]

    def is_waiting(self, run: R) -> bool:
        """Whether ``run`` may start, and is not at work."""
        return self._stages.get(run) is _Stage.WAITING

    def is_too_much(self, run: R) -> bool:
        """Whether ``run``, which waits, is beyond the bound or the person's share."""
        own = len(self._waiting_of(self._people[run]))
        return not may_have_more(own - 1, self._waiting - 1, MAX_WAITING)

    def before(self, run: R) -> int:
        """Number of runs that are at work, or will start before ``run``, which waits."""
        mine = self._people[run]
        ahead = self._waiting_of(mine).index(run)
        total = ahead + sum(stage is _Stage.AT_WORK for stage in self._stages.values())
        is_earlier = True
        for person in self._lanes:
            if person == mine:
                is_earlier = False
            else:
                total += min(len(self._waiting_of(person)), ahead + is_earlier)
        return total

    def _waiting_of(self, person: str) -> list[R]:
        return [run for run in self._lanes[person] if self._stages[run] is _Stage.WAITING]
