"""Read the bot's log: order on the wire, and when the server lost the session."""

from __future__ import annotations

import re
from datetime import datetime

from attrs import Factory, define

#: A command, as people say it.
COMMAND = re.compile(r"(?:xbot: )?(?:do|work|prog|ship) (\d+)")

#: A line of an answer to it, or of a webhook's text: those have several posts in one.
_ANSWER = re.compile(r"(?:done|\[hook\] hook) (\d+)")

#: A quoted command.
QUOTED = re.compile(r'"(?:do|work|prog|ship) (\d+)"')

_ENTRY = re.compile(r"(\S+) +\w+ +\S+ (.*)")
_BODY = re.compile(r"<message\b.*?<body>(.*?)</body>")

#: Seconds around a lost session in which things may be lost or said twice: what the server
#: had not acknowledged, or the bot had not, and the precision of the log.
_MARGIN = 10.0


@define
class BotLog:
    """What a log with ``--trace`` tells. ``lost`` has a span of time for each lost session."""

    received: list[int] = Factory(list)
    sent: list[int] = Factory(list)
    lost: list[tuple[float, float]] = Factory(list)
    resumed: int = 0
    #: Reports that a room returned, and that a process did not send again before its end.
    sent_back: int = 0


def answers_in(body: str) -> list[int]:
    """The numbers of the commands and posts that ``body`` answers."""
    return [int(found[1]) for line in body.split("\n") if (found := _ANSWER.fullmatch(line))]


def read_log(text: str) -> BotLog:
    """The facts in the log of all processes of one bot.

    A login other than a process's first is a lost session, from the last sign of life of the
    stream before until the bot is back in its room.
    """
    log = BotLog()
    alive = 0.0
    is_new = True
    gone: float | None = None
    losing: float | None = None
    for line in text.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            continue
        stamp, said = found[1], found[2]
        try:
            now = datetime.fromisoformat(stamp).timestamp()
        except ValueError:
            continue
        if " starting up." in said:
            is_new, gone = True, None
        elif said.startswith("no connection: "):
            gone = gone or alive
        elif said.startswith("resumed the session"):
            log.resumed += 1
            gone = None
        elif said.startswith("logged in as"):
            losing = None if is_new else gone or alive
            is_new, gone = False, None
        elif said.endswith(": caught up, listening") and losing is not None:
            log.lost.append((losing - _MARGIN, now + _MARGIN))
            losing = None
        elif said.startswith("received ") and gone is None:
            alive = now
        if body := _BODY.search(said):
            if said.startswith("sent "):
                # The log shows the end of a line as an escape.
                log.sent.extend(answers_in(body[1].replace("\\n", "\n")))
            elif number := COMMAND.fullmatch(body[1]):
                log.received.append(int(number[1]))
    if losing is not None:
        log.lost.append((losing - _MARGIN, float("inf")))
    log.sent_back = sum(
        life.rpartition(": joined: ")[2].count("sending it again")
        for life in text.split(" starting up.")
    )
    return log
