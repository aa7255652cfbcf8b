"""Ledger: what became of each command, and the counts that must be 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from attrs import Factory, define, frozen

#: Counts that break a promise of ``docs/promises.md``.
MUST_BE_ZERO = (
    "run twice",
    "neither run nor told",
    "to the wrong one",
    "obeyed though past",
    "misordered by xbot",
    "lost",
    "said twice",
    "seen leaving",
)

#: Ways to give a command that are private: only the sender may read what comes back.
PRIVATE = ("aside", "direct")


@frozen
class Command:
    """A command, and how it was given.

    - ``way``: "room", "aside" (in private through the room), "direct" (to the bot's address),
      "program" and "confirm" (in the room), or "webhook".
    - ``said``: seconds since 1970.
    """

    number: int
    way: str
    asker: str
    said: float


@frozen
class Heard:
    """A message of the bot about a command. ``reader`` is empty if the whole room read it."""

    number: int
    reader: str


@define
class Facts:
    """All that was observed in one lane.

    - ``ran``: the number of each run, in order.
    - ``answers`` and ``told``: answers, and notices that a command was missed, interrupted,
      not run or refused. ``more`` commands were told as a count only ("and 3 more").
    - ``asked``: the commands of which the bot asked "sure?".
    - ``past``: said while the process stood still or was dead; they must not run.
    - ``unheard``: said while the bot was not in the room: they may be ignored.
    - ``excused``: said around the loss of a session: their answers may be lost, or come twice.
    - ``repeatable``: their answers may come twice.
    - ``left``: how often the room saw the bot leave without a kill or a lost session.
    - ``received`` and ``sent``: order on the bot's wire, repetitions included.
    """

    commands: dict[int, Command] = Factory(dict)
    ran: list[int] = Factory(list)
    answers: list[Heard] = Factory(list)
    told: list[Heard] = Factory(list)
    more: int = 0
    asked: set[int] = Factory(set)
    past: set[int] = Factory(set)
    unheard: set[int] = Factory(set)
    excused: set[int] = Factory(set)
    repeatable: set[int] = Factory(set)
    left: int = 0
    received: list[int] = Factory(list)
    sent: list[int] = Factory(list)

    def found(self) -> dict[str, list[int]]:
        """The commands of each of the counts, by number; "seen leaving" has one for each time."""
        ran, answers = Counter(self.ran), Counter(heard.number for heard in self.answers)
        told = {heard.number for heard in self.told}
        silent = [
            number
            for number in self.commands
            if not (number in told or answers[number] or number in self.unheard)
        ]
        neither = [
            number
            for number in silent
            if not ran[number]
            and number not in self.asked
            and self.commands[number].way != "webhook"
            and number not in self.excused
        ]
        lost = [
            number
            for number in silent
            if number not in self.excused
            and (ran[number] or self.commands[number].way == "webhook")
        ]
        # Some were told as a count: it cannot be known which.
        counted = self.more
        neither, counted = neither[counted:], max(0, counted - len(neither))
        lost = lost[counted:]
        repeated = [number for number, count in answers.items() if count > 1]
        return {
            "run twice": [number for number, count in ran.items() if count > 1],
            "neither run nor told": neither,
            "to the wrong one": sorted(self._misdirected()),
            "obeyed though past": sorted(self.past & set(ran)),
            "misordered by xbot": self._misordered(),
            "lost": lost,
            "said twice": [
                number for number in repeated if number not in self.excused | self.repeatable
            ],
            "seen leaving": list(range(self.left)),
            "answered": [number for number in self.commands if answers[number]],
            "told": [number for number in self.commands if number in told],
            "lost or twice, excused": [
                number
                for number in self.excused
                if answers[number] > 1 or (not answers[number] and number not in told)
            ],
        }

    def _misdirected(self) -> set[int]:
        """Private commands of which another person, or the room, read anything."""
        return {
            heard.number
            for heard in [*self.answers, *self.told]
            if (command := self.commands.get(heard.number)) is not None
            and command.way in PRIVATE
            and heard.reader != command.asker
        }

    def _misordered(self) -> list[int]:
        """Answers that left in another order than their commands came.

        Compared for each person and way, as often as an answer was sent: an answer that is sent
        again must not overtake, either.
        """
        rank = first_positions(self.received)
        last = {number: index for index, number in enumerate(self.sent)}
        wrong = set()
        for position in first_positions(self.sent), last:
            order = sorted(position, key=lambda number: position[number])
            for group in self._by_person(order).values():
                known = [number for number in group if number in rank]
                wrong.update(descents(known, rank))
        return sorted(wrong)

    def _by_person(self, numbers: Iterable[int]) -> dict[tuple[str, str], list[int]]:
        groups: dict[tuple[str, str], list[int]] = {}
        for number in numbers:
            command = self.commands.get(number)
            if command is not None and command.way in ("room", "program"):
                groups.setdefault((command.asker, command.way), []).append(number)
        return groups


def first_positions(numbers: list[int]) -> dict[int, int]:
    """The index at which each number comes first."""
    found: dict[int, int] = {}
    for index, number in enumerate(numbers):
        found.setdefault(number, index)
    return found


def descents(numbers: list[int], rank: Mapping[int, int]) -> list[int]:
    """The numbers that come after one of a higher rank."""
    wrong, highest = [], -1
    for number in numbers:
        if rank[number] < highest:
            wrong.append(number)
        highest = max(highest, rank[number])
    return wrong
