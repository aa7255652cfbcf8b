"""Crew: three people who give one bot work of every kind, and remember what came back."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
import urllib.request
from collections.abc import Iterator, Sequence

from attrs import evolve

from tests.integration.daemon import Daemon
from tests.integration.deeds import DEEDS
from tests.integration.person import Heard as Said
from tests.integration.person import Person, Seen
from tests.integration.process import DEADLINE, read, wait_until
from tests.integration.server import Server
from tests.soak.bot_log import QUOTED, answers_in
from tests.soak.ledger import Command, Facts, Heard

#: How often each way is chosen, in relation to the others.
WAYS = {"room": 5, "aside": 2, "direct": 2, "program": 3, "confirm": 1, "webhook": 2}

_VERBS = {"room": "do", "aside": "work", "direct": "work", "program": "prog", "confirm": "ship"}

_MORE = re.compile(r"(?:\.\.\. and | and |^)(\d+) more\b")

#: A refusal that does not say of which command.
_REFUSED = re.compile(r"\w+ (?:is busy; try again|cannot run now)|That was too much at once")
_SURE = re.compile(r'"ship (\d+)": sure\?')

#: Seconds for which the bot waits for a yes, with slack.
_CONFIRM = 65.0

#: What the bots of a soak do. A program notes itself first, so that a kill is seen.
_RESPONDERS = """\
[responder do]
use = tests.integration.deeds:do
runs = 32
[responder work]
use = tests.integration.deeds:work
runs = 32
[responder prog]
match = prog (?P<number>\\d+)
run = sh -c 'echo "run $1" >> deeds; echo "done $1"' sh {number}
runs = 32
[responder ship]
match = ship (?P<number>\\d+)
run = sh -c 'echo "run $1" >> deeds; echo "done $1"' sh {number}
confirm = yes
runs = 32
"""

_HTTP = """\
[http]
listen = 127.0.0.1:{port}
[webhook hook]
room = {room}
template = hook {{number}}
secret = none
"""


def names(lane: str) -> tuple[str, str, str, str]:
    """The accounts of a lane: the bot's, and those of its three people."""
    return f"bot-{lane}", f"ann-{lane}", f"ben-{lane}", f"cat-{lane}"


def ini(room: str, port: int) -> str:
    """The bot's responders and its webhook, which speaks in ``room``."""
    return _RESPONDERS + _HTTP.format(port=port, room=room)


class Crew:
    """Ann, Ben and Cat of one lane. They own and share ``rooms``, and see real addresses there.

    Cat alone is asked for confirmation, and says nothing else in a room while she is.
    """

    def __init__(
        self, server: Server, lane: str, rooms: Sequence[str], chance: random.Random
    ) -> None:
        self.rooms = tuple(rooms)
        self.commands: dict[int, Command] = {}
        self._chance = chance
        bot, *people = names(lane)
        self.address = f"{bot}@{server.domain}"
        self.people: list[Person] = []
        self._names = people
        #: The nick of each in each room; they swap.
        self._nicks = {(room, name): name.partition("-")[0] for room in rooms for name in people}
        self._open: int | None = None
        #: When Cat said yes to each command, in seconds since 1970.
        self.agreed: dict[int, float] = {}
        self._looked_at = 0
        try:
            for name in people:
                self.people.append(Person(server, name))
        except BaseException:
            self.leave()
            raise
        for room in rooms:
            for index, person in enumerate(self.people):
                enter = person.join if index else self._create
                enter(room, self._nicks[room, self._names[index]])

    def _create(self, room: str, nick: str) -> None:
        self.people[0].create(room, nick, whois="anyone")

    def leave(self) -> None:
        """All log out."""
        for person in self.people:
            with contextlib.suppress(Exception):
                person.leave()

    def give(
        self, port: int, room: str, ways: Sequence[str] = tuple(WAYS), index: int | None = None
    ) -> Command:
        """Give one command of a random way; ``index`` is the person's, if it is private.

        The way of a post that is not accepted becomes "refused webhook".
        """
        self.say_yes()
        way = self._chance.choices(ways, [WAYS[each] for each in ways])[0]
        if way == "confirm" and self._is_open():
            way = "program"
        if way == "confirm":
            index = 2
        elif way not in ("aside", "direct"):
            index = self._chance.randrange(2)
        elif index is None:
            index = self._chance.randrange(3)
        number = len(self.commands)
        name, person = self._names[index], self.people[index]
        command = Command(number, way, name, time.time())
        # Before it is said: the answer may come at once.
        self.commands[number] = command
        if way == "webhook":
            if not _post(port, number):
                command = evolve(command, way="refused webhook")
                self.commands[number] = command
            return command
        text = f"{_VERBS[way]} {number}"
        if way == "aside":
            person.tell(f"{room}/xbot", text)
        elif way == "direct":
            person.tell(self.address, text)
        else:
            if way == "confirm":
                self._open = number
            person.say(room, f"xbot: {text}")
        return command

    def say_yes(self) -> None:
        """Cat agrees to what she was asked, once."""
        cat = self.people[2]
        new = cat.messages[self._looked_at :]
        self._looked_at += len(new)
        for said in new:
            found = _SURE.match(said.body)
            if found and said.kind == "groupchat" and self._is_bot(said.sender):
                self.agreed.setdefault(int(found[1]), time.time())
                cat.say(said.sender.partition("/")[0], "xbot: yes")

    def swap(self, room: str) -> None:
        """Ben and Cat swap their nicks, in steps."""
        ben, cat = self._names[1:]
        old, new = self._nicks[room, ben], self._nicks[room, cat]
        for index, nick in (1, "somebody"), (2, old), (1, new):
            person, since = self.people[index], len(self.people[index].presences)
            person.appear(f"{room}/{nick}")
            there = Seen("available", f"{room}/{nick}")
            wait_until(
                lambda person=person, since=since, there=there: there in person.presences[since:],
                lambda there=there: f"{there}",
                DEADLINE,
            )
        self._nicks[room, ben], self._nicks[room, cat] = new, old

    def facts(self, bot: Daemon) -> Facts:
        """What was seen until now, without what only the lane knows."""
        facts = Facts(commands=dict(self.commands))
        for number, command in self.commands.items():
            if command.way == "refused webhook":
                facts.unheard.add(number)
        for line in read(bot.folder / DEEDS).splitlines():
            if not line.startswith("end"):
                facts.ran.append(int(line.split()[-1]))
        for reader, said in self._heard():
            if numbers := answers_in(said.body):
                facts.answers.extend(Heard(number, reader) for number in numbers)
                continue
            if found := _SURE.match(said.body):
                facts.asked.add(int(found[1]))
                continue
            facts.told.extend(Heard(int(each), reader) for each in QUOTED.findall(said.body))
            if found := _MORE.search(said.body):
                facts.more += int(found[1])
            facts.more += _REFUSED.match(said.body) is not None
        return facts

    def _heard(self) -> Iterator[tuple[str, Said]]:
        """The bot's messages with their reader: all private ones, those to a room once."""
        for name, person in zip(self._names, self.people, strict=True):
            for said in list(person.messages):
                is_public = said.kind == "groupchat"
                if self._is_bot(said.sender) and (not is_public or person is self.people[0]):
                    yield "" if is_public else name, said

    def _is_bot(self, sender: str) -> bool:
        bare, _, resource = sender.partition("/")
        return bare == self.address or (bare in self.rooms and resource == "xbot")

    def _is_open(self) -> bool:
        """Whether Cat waits for the end of a command that she may have to confirm."""
        if self._open is None:
            return False
        if time.time() - self.commands[self._open].said > _CONFIRM:
            return False
        ends = {f"done {self._open}", f'"ship {self._open}" is not done.'}
        return not any(said.body in ends for said in reversed(self.people[2].messages))


def _post(port: int, number: int) -> bool:
    """Whether the webhook took it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/webhook/hook",
        json.dumps({"number": number}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bool(answer.status == 202)
    except OSError:
        return False
