"""Twelve misbehaving responders, for the tests that the bot survives them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from xbot import Message, hear, respond

#: What ``blocks`` waits for; ``floods`` ends with it too.
GO = threading.Event()

#: Seconds that each of these may take.
LIMIT = 1.0


def later(seconds: float) -> Deferred[None]:
    """Fires after that many seconds. Tests put their own clock here."""
    return deferLater(reactor, seconds)


@respond("raises")
async def raises(message: Message) -> str:
    """Fails, with braces and the sender's text in its words."""
    raise ValueError(f"{{0}} {{message.sender}} {message.body}")


@respond("exits")
async def exits(message: Message) -> str:
    """Takes itself for a script."""
    sys.exit(3)


@respond("never")
async def never(message: Message) -> str:
    """Waits for what never comes."""
    return await Deferred[str]()


@respond("blocks")
def blocks(message: Message) -> None:
    """Blocks its thread, for good."""
    GO.wait()


@respond("bytes")
async def returns_bytes(message: Message) -> object:
    """Forgets to decode."""
    return b"bytes"


@respond("megabyte")
async def megabyte(message: Message) -> str:
    """Says a megabyte."""
    return "\N{SNOWMAN}" * (2**20 // 3)


@respond("control")
async def control(message: Message) -> str:
    """Says what XML cannot hold, and what would end a stanza if it were pasted."""
    return "a\0\x1b[31m\ud800\uffff]]></body></message></stream:stream>\x0bz"


@respond("wrong")
async def wrong(message: Message) -> object:
    """Returns what is no text."""
    return {"text": [message]}


@respond("late")
async def late(message: Message) -> str:
    """Does not let itself be cancelled, and answers after its limit."""
    rest: Awaitable[None] = later(2 * LIMIT)
    while True:
        try:
            await rest
            return "too late"
        except CancelledError:
            rest = later(LIMIT)


@respond("floods")
def floods(message: Message) -> None:
    """Never ends saying something, as fast as it can."""
    while not GO.is_set():
        message.reply("flood")


@hear("mirror")
async def mirror(message: Message) -> str:
    """Says what it hears, which it hears again."""
    return "mirror mirror"


#: Eleven of them by name, which is what they answer to.
CALLABLES: dict[str, Callable[[Message], object]] = {
    "raises": raises,
    "exits": exits,
    "never": never,
    "blocks": blocks,
    "bytes": returns_bytes,
    "megabyte": megabyte,
    "control": control,
    "wrong": wrong,
    "late": late,
    "floods": floods,
    "mirror": mirror,
}

#: The twelfth, a program.
PROGRAM = "stays"


_SCRIPT = """\
#!/bin/sh
# Ignores SIGTERM, as its child does, and keeps the output open.
trap '' TERM
sleep 600 &
echo "$$ $!" > "$1.new"
mv "$1.new" "$1"
while :; do wait; done
"""


def write_program(folder: Path) -> tuple[Path, Path]:
    """The program, and the file into which it writes the ids of its processes."""
    program = folder / PROGRAM
    program.write_text(_SCRIPT)
    program.chmod(0o700)
    return program, folder / "pids"


def sections(folder: Path) -> str:
    """All twelve, as they stand in an ini; the program goes into ``folder``."""
    answers = {name: f"use = {__name__}:{each.__name__}" for name, each in CALLABLES.items()}
    program, pids = write_program(folder)
    answers[PROGRAM] = f"match = {PROGRAM}\nrun = {program} {pids}"
    return "\n".join(
        f"[responder {name}]\n{answer}\ntimeout = {LIMIT:g}s\n" for name, answer in answers.items()
    )
