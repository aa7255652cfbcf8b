"""Fixture responders with side effects: they write files into the bot's working folder."""

from __future__ import annotations

import gc
import os
import random
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from xbot import Message, brain, respond, say
from xbot.chat.xmpp.stanzas.occupants import Occupants

#: The file of side effects, one line each.
DEEDS = Path("deeds")

#: ``wait`` answers only once this file exists.
GO = Path("go")


def note(line: str) -> None:
    """Append ``line`` in one system call: what is there survives the process."""
    file = os.open(DEEDS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


@respond(r"do (?P<number>\d+)")
async def do(message: Message, number: str) -> str:
    """Done at once, so that the deeds have the order of the commands."""
    note(number)
    return f"done {number}"


@respond(r"canary (?P<number>\d+)")
async def canary(message: Message, number: str) -> str:
    """For everyone: what runs here was obeyed although it should not have been heard."""
    note(f"canary {number}")
    return f"obeyed {number}"


@respond(r"shout")
async def shout(message: Message) -> str:
    """Says far too much, and answers the same."""
    say(message.room or message.sender, "&" * 65536)
    return "<" * 65536


@respond(r"work (?P<number>\d+)")
async def work(message: Message, number: str) -> str:
    """Takes a moment, in which the process can be killed."""
    note(f"start {number}")
    await deferLater(reactor, random.uniform(0.05, 0.1))
    note(f"end {number}")
    return f"done {number}"


@respond(r"wait (?P<number>\d+)")
async def wait(message: Message, number: str) -> str:
    """Answers once it may."""
    note(number)
    while not GO.exists():
        await deferLater(reactor, 0.02)
    return f"done {number}"


class Memory:
    """Keeps the last number, and knows it after a restart."""

    async def start(self) -> None:
        self.found = brain.get("kept", -1)

    @respond(r"keep (?P<number>\d+)", effect=False)
    async def keep(self, message: Message, number: int) -> str:
        brain["kept"] = number
        return f"done {number}"

    @respond(r"found", effect=False)
    async def tell(self, message: Message) -> str:
        return f"found {self.found}"


@respond(r"count")
async def count(message: Message) -> str:
    """How many occupants the bot knows, over all its rooms."""
    return f"{sum(map(len, _tables()))} occupants"


@respond(r"behind (?P<nick>.+)")
async def behind(message: Message, nick: str) -> str:
    """The real bare JID of that occupant, "unknown", or "nobody" of that nick."""
    found = [occupant for table in _tables() if (occupant := table.get(nick)) is not None]
    return f"{nick}: {found[0].identity or 'unknown' if found else 'nobody'}"


def _tables() -> list[Occupants]:
    # No responder is shown them; these live in the bot's own process, which takes
    # what was there at its start out of the collector's sight.
    gc.unfreeze()
    return [each for each in gc.get_objects() if isinstance(each, Occupants)]
