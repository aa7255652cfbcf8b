"""Stanzas of a MUC service: messages of 540 bytes as current services relay them, presences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

DOMAIN = "bench.localhost"
MUC = f"conference.{DOMAIN}"
NICK = "bench"
BOT = f"bot@{DOMAIN}/bench"

CLIENT = "jabber:client"
SM = "urn:xmpp:sm:3"
MUC_USER = "http://jabber.org/protocol/muc#user"

#: Bodies that no bot answers.
CHATTER = (
    "did anyone look at the deployment from yesterday? it was slow again, I think",
    "no, but the graphs are fine since ten o'clock; it must have been the backup",
    "lunch? the place at the corner has soup today, and the others come along too",
    "I pushed a fix for the importer, please have a look at it before we release",
    "the café is closed until Monday, so we meet in the big room upstairs instead",
)

#: Serial numbers for unique ids; the ids are as long as those of real servers.
_numbers = count(1)


def room(number: int = 0) -> str:
    """The bare JID of one of the rooms."""
    return f"room{number}@{MUC}"


def message(body: str, *, delayed: bool = False, number: int = 0, nick: str = "alice") -> bytes:
    """A message from an occupant, with the five child elements that are usual today."""
    serial = next(_numbers)
    where = room(number)
    delay = (
        f"<delay xmlns='urn:xmpp:delay' from='{where}' stamp='2026-01-02T03:04:05Z'/>"
        if delayed
        else "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    )
    return (
        f"<message type='groupchat' from='{where}/{nick}' to='{BOT}' id='{serial:036x}'"
        f" xml:lang='en'><body>{body}</body>{delay}"
        f"<origin-id xmlns='urn:xmpp:sid:0' id='{serial:036x}'/>"
        f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{serial % 20:044x}'/>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{where}' id='{serial:024x}'/>"
        "</message>"
    ).encode()


def command(word: str, *, delayed: bool = False, number: int = 0) -> bytes:
    """A command that every bot here answers with ``pong WORD``, unless it is delayed."""
    return message(f"{NICK}: ping {word}", delayed=delayed, number=number)


def chatter(amount: int) -> Iterator[bytes]:
    """Messages from twenty people that no bot answers."""
    for number in range(amount):
        yield message(CHATTER[number % len(CHATTER)], nick=f"person{number % 20}")


def occupants(amount: int, number: int = 0) -> Iterator[bytes]:
    """The presences of ``amount`` occupants of a room."""
    where = room(number)
    for one in range(amount):
        yield (
            f"<presence from='{where}/someone{one}' to='{BOT}' id='{one:020x}'>"
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1'"
            " node='https://client.example' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>"
            f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{one:044x}'/>"
            f"<x xmlns='{MUC_USER}'><item affiliation='none' role='participant'"
            f" jid='user{one}@{DOMAIN}/client'/></x></presence>"
        ).encode()


def come(numbers: Iterable[int]) -> Iterator[bytes]:
    """The presences of visitors who join the room."""
    for number in numbers:
        yield (
            f"<presence from='{room()}/visitor{number}' to='{BOT}'><x xmlns='{MUC_USER}'><item"
            f" affiliation='none' role='participant' jid='visitor{number}@{DOMAIN}/c'/></x>"
            "</presence>"
        ).encode()


def go(numbers: Iterable[int]) -> Iterator[bytes]:
    """The presences of visitors who leave the room."""
    for number in numbers:
        yield (
            f"<presence type='unavailable' from='{room()}/visitor{number}' to='{BOT}'>"
            f"<x xmlns='{MUC_USER}'><item affiliation='none' role='none'/></x></presence>"
        ).encode()


def speakers(number: int = 0) -> Iterator[bytes]:
    """The presences of the occupants who send the messages."""
    where = room(number)
    # In one room they all speak; the others are many, and have one speaker each.
    for nick in ("alice", *(f"person{one}" for one in range(0 if number else 20))):
        yield (
            f"<presence from='{where}/{nick}' to='{BOT}'><x xmlns='{MUC_USER}'>"
            "<item affiliation='none' role='participant'/></x></presence>"
        ).encode()


def welcome(number: int = 0, nick: str = NICK) -> bytes:
    """The self-presence that ends a join, and the subject that ends the history."""
    where = room(number)
    return (
        f"<presence from='{where}/{nick}' to='{BOT}'><x xmlns='{MUC_USER}'>"
        "<item affiliation='member' role='participant'/><status code='110'/></x></presence>"
        f"<message type='groupchat' from='{where}/alice' to='{BOT}'><subject>all</subject>"
        "</message>"
    ).encode()
