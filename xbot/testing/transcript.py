"""Transcript format: parse conversations in plain text into steps for :mod:`xbot.testing.play`.

::

    # People: name in the transcript, real address, affiliation in rooms.
    alice = alice@example.org owner
    eve = hidden

    in ops@conference.example.org
    alice> xbot: deploy web
    xbot< on it
    wait 1m
    xbot< web is on ...
    eve> xbot: deploy web
    xbot< deploy is not for everyone, ...

``NAME> TEXT`` is said to the bot. The ``NAME< TEXT`` lines after it are all that the
bot then says, in this order; ``...`` in a text stands for anything, and a line of
``...`` alone for any further messages. Indented lines continue the text above.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import define, evolve, field, frozen

from xbot.model.errors import InvalidConfig, InvalidJid, Problem
from xbot.model.jid import Jid
from xbot.text import durations

#: Maximum size of a transcript, in bytes.
MAX_SIZE = 1 << 20

#: The longest time that a transcript can wait, in seconds.
MAX_WAIT = 366 * 86400.0

AFFILIATIONS = ("owner", "admin", "member", "none")

_SAID = re.compile(
    r"(?P<who>[^<>=]+?)(?:\s+in\s+(?P<room>[^\s<>]+))?(?P<private>\s+privately)?\s*>"
)
_ANSWERED = re.compile(r"[^<>=]+?(?:\s+to\s+(?P<to>[^\s<>]+))?\s*<")
_WHO_IS = re.compile(r"(?P<name>[^<>=]+?)\s*=\s*(?P<jid>\S+)(?:\s+(?P<affiliation>\S+))?")
_WHERE = re.compile(r"in\s+(?P<room>\S+)")
_WAIT = re.compile(r"wait\s+(?P<duration>\S+)")

ANYTHING = "..."
HIDDEN = "hidden"


@frozen
class Person:
    """A sender. ``jid`` is the real address, None where rooms hide it."""

    nick: str
    jid: str | None
    affiliation: str = "none"


@frozen
class Expected:
    """An expected message, to ``to`` unless that is None. ``...`` in ``text`` is a wildcard."""

    line: int
    text: str
    to: str | None = None

    def fits(self, text: str, to: str) -> bool:
        """Whether a message with this text and recipient is the expected one."""
        pattern = ".*".join(re.escape(part) for part in self.text.split(ANYTHING))
        is_there = self.to is None or self.to == to
        return is_there and re.fullmatch(pattern, text, re.DOTALL) is not None


@frozen
class Step:
    """An event in line ``line``, and what the bot is expected to say then.

    ``person`` says ``text``, in ``room`` if there is one; or, without a person,
    ``wait`` seconds pass. With ``and_more`` any further messages are accepted.
    """

    line: int
    person: Person | None = None
    text: str = ""
    room: str | None = None
    private: bool = False
    wait: float = 0.0
    expected: tuple[Expected, ...] = ()
    and_more: bool = False


@frozen
class Scene:
    """Steps played to one new bot. ``limits``: its rate limits apply."""

    steps: tuple[Step, ...]
    limits: bool = False


@define
class _Reader:
    path: Path
    problems: list[Problem] = field(factory=list)
    people: dict[str, Person] = field(factory=dict)
    room: str | None = None
    scenes: list[Scene] = field(factory=list)
    steps: list[Step] = field(factory=list)
    limits: bool = False
    #: What an indented line continues: the width of the line's prefix, and which text.
    indent: int = 0
    goes_on: str = ""

    def got_line(self, number: int, line: str) -> None:
        text = line.strip()
        if not text or text.startswith("#"):
            self.goes_on = "" if not text else self.goes_on
            return
        if line[0].isspace():
            self._got_more(number, line)
            return
        self.goes_on = ""
        if text == ANYTHING and self.steps:
            self.steps[-1] = evolve(self.steps[-1], and_more=True)
        elif text == "---":
            self.end_scene()
        elif text == "direct":
            self.room = None
        elif text == "limits":
            self.limits = True
        elif found := _WHERE.fullmatch(text):
            self.room = self._room(number, found["room"])
        elif found := _WAIT.fullmatch(text):
            self._got_wait(number, found["duration"])
        elif (found := _SAID.match(line)) and not _is_answer(line):
            self._got_said(number, line, found)
        elif found := _ANSWERED.match(line):
            self._got_answer(number, line, found)
        elif found := _WHO_IS.fullmatch(text):
            self._got_person(number, found)
        else:
            self.blame(number, "is none of: NAME> TEXT, NAME< TEXT, wait TIME, in ROOM, NAME = JID")

    def end_scene(self) -> None:
        if self.steps:
            self.scenes.append(Scene(tuple(self.steps), self.limits))
        self.steps = []
        self.limits = False

    def blame(self, number: int, reason: str) -> None:
        self.problems.append(Problem(self.path, number, "", "", reason))

    def _got_said(self, number: int, line: str, found: re.Match[str]) -> None:
        room = self._room(number, found["room"]) if found["room"] else self.room
        if found["private"] and room is None:
            self.blame(number, "privately is through a room; say in which")
        person = self._person(number, found["who"].strip())
        text = line[found.end() :].strip()
        self.steps.append(Step(number, person, text, room, found["private"] is not None))
        self.indent, self.goes_on = found.end() + 1, "said"

    def _got_answer(self, number: int, line: str, found: re.Match[str]) -> None:
        if not self.steps:
            self.blame(number, "nothing was said before it")
            return
        answer = Expected(number, line[found.end() :].strip(), found["to"])
        step = self.steps[-1]
        if step.and_more:
            self.blame(number, f"stands after {ANYTHING}, which stands for all the rest")
        self.steps[-1] = evolve(step, expected=(*step.expected, answer))
        self.indent, self.goes_on = found.end() + 1, "answer"

    def _got_more(self, number: int, line: str) -> None:
        """Append a continuation line to the text that was said, or expected."""
        blanks = len(line) - len(line.lstrip(" "))
        more = "\n" + line[min(blanks, self.indent) :].rstrip()
        if not self.goes_on:
            self.blame(number, "is indented, but there is no text above that it continues")
        elif self.goes_on == "said":
            self.steps[-1] = evolve(self.steps[-1], text=self.steps[-1].text + more)
        else:
            *others, last = self.steps[-1].expected
            last = evolve(last, text=last.text + more)
            self.steps[-1] = evolve(self.steps[-1], expected=(*others, last))

    def _got_wait(self, number: int, text: str) -> None:
        try:
            self.steps.append(Step(number, wait=durations.seconds(text, MAX_WAIT)))
        except ValueError as error:
            self.blame(number, str(error))

    def _got_person(self, number: int, found: re.Match[str]) -> None:
        name, affiliation = found["name"].strip(), found["affiliation"] or "none"
        if affiliation not in AFFILIATIONS:
            self.blame(number, f"{affiliation!r} is none of {', '.join(AFFILIATIONS)}")
        jid = None if found["jid"] == HIDDEN else self._jid(number, found["jid"])
        self.people[name] = Person(name, jid, affiliation)

    def _person(self, number: int, name: str) -> Person:
        if name in self.people:
            return self.people[name]
        if "@" not in name:
            self.blame(number, f"who is {name}? Say it above: {name} = {name}@DOMAIN, or {HIDDEN}")
            return Person(name, None)
        jid = self._jid(number, name)
        return Person(jid.partition("@")[0], jid)

    def _room(self, number: int, text: str) -> str:
        return self._jid(number, text)

    def _jid(self, number: int, text: str) -> str:
        try:
            jid = Jid.parse(text)
        except InvalidJid as error:
            self.blame(number, str(error))
            return text
        if jid.local is None:
            self.blame(number, f"{text} is not NAME@DOMAIN")
        return str(jid)


def _is_answer(line: str) -> bool:
    """Whether ``<`` comes before any ``>``."""
    first = re.search("[<>]", line)
    return first is not None and first[0] == "<"


def parse(text: str, path: Path) -> tuple[Scene, ...]:
    """The scenes of a transcript; raises :class:`InvalidConfig` with all its mistakes."""
    reader = _Reader(path)
    for number, line in enumerate(text.split("\n"), 1):
        reader.got_line(number, line.rstrip("\r"))
    reader.end_scene()
    if not reader.scenes and not reader.problems:
        reader.blame(0, "has no steps: write lines such as NAME> TEXT and NAME< TEXT")
    if reader.problems:
        raise InvalidConfig(reader.problems)
    return tuple(reader.scenes)


def read(path: Path) -> tuple[Scene, ...]:
    """The scenes of the transcript in a file; see :func:`parse`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise InvalidConfig([Problem(path, 0, "", "", f"is longer than {MAX_SIZE} bytes")])
        return parse(data.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidConfig([Problem(path, line, "", "", "is not UTF-8")]) from error
    except OSError as error:
        raise InvalidConfig(
            [Problem(path, 0, "", "", f"cannot be read: {error.strerror}")]
        ) from error
