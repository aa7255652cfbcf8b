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

#: Seconds before and after a lost session in which things may be lost or said twice: what the
#: server had not acknowledged, or the bot had not; and the precision of the log.
_BEFORE, _AFTER = 10.0, 2.0

#: The server lost a session if it refuses to resume it. One that ends with an unanswered ping
#: is given up, because Prosody can lose its count.
_FAILED = "received <failed xmlns='urn:xmpp:sm:3'"
_NO_PING = "did not answer a ping"


@define
class BotLog:
    """What a log with ``--trace`` tells.

    ``lost`` has a span of time for each session that the server lost; ``given_up`` counts those
    that the bot did not try to resume.
    """

    received: list[int] = Factory(list)
    sent: list[int] = Factory(list)
    lost: list[tuple[float, float]] = Factory(list)
    resumed: int = 0
    given_up: int = 0
    #: Reports that a room returned, and that a process did not send again before its end.
    sent_back: int = 0


def answers_in(body: str) -> list[int]:
    """The numbers of the commands and posts that ``body`` answers."""
    return [int(found[1]) for line in body.split("\n") if (found := _ANSWER.fullmatch(line))]


def read_log(text: str) -> BotLog:
    """The facts in the log of all processes of one bot.

    A session is lost from the last sign of life of its stream until the bot is back in its room.
    """
    log = BotLog()
    alive = 0.0
    is_new, is_theirs = True, False
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
            is_new, is_theirs, gone = True, False, None
        elif said.startswith("no connection: "):
            gone = gone or alive
            is_theirs = is_theirs or _NO_PING in said
        elif said.startswith("resumed the session"):
            log.resumed += 1
            is_theirs, gone = False, None
        elif said.startswith("logged in as"):
            losing = gone or alive if is_theirs else None
            log.given_up += not (is_new or is_theirs)
            is_new, is_theirs, gone = False, False, None
        elif said.endswith(": caught up, listening") and losing is not None:
            log.lost.append((losing - _BEFORE, now + _AFTER))
            losing = None
        elif said.startswith(_FAILED):
            is_theirs = True
        elif said.startswith("received ") and gone is None:
            alive = now
        if body := _BODY.search(said):
            if said.startswith("sent "):
                # The log shows the end of a line as an escape.
                log.sent.extend(answers_in(body[1].replace("\\n", "\n")))
            elif number := COMMAND.fullmatch(body[1]):
                log.received.append(int(number[1]))
    if losing is not None:
        log.lost.append((losing - _BEFORE, float("inf")))
    log.sent_back = sum(
        life.rpartition(": joined: ")[2].count("sending it again")
        for life in text.split(" starting up.")
    )
    return log
