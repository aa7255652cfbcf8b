"""Who speaks to the bot, and where: ``--as``, ``--room``, ``--nick``, ``--affiliation``."""

from __future__ import annotations

import argparse
from typing import Any

from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.speech import message_of


def add_to(parser: argparse.ArgumentParser, default: str | None) -> None:
    """The options; ``default`` is who speaks, None for somebody whom the room hides."""
    parser.add_argument(
        "--as",
        dest="jid",
        type=_jid,
        default=default,
        metavar="JID",
        help="who speaks: their real address"
        f" (default: {default or 'somebody whom the room hides'})",
    )
    parser.add_argument(
        "--room", type=_jid, metavar="JID", help="in this room (default: to the bot alone)"
    )
    parser.add_argument("--nick", help="what they are called in the room")
    parser.add_argument(
        "--affiliation",
        choices=("owner", "admin", "member", "none"),
        default="none",
        help="what they are in the room",
    )


def speaker_of(options: argparse.Namespace) -> dict[str, Any]:
    """``sender``, ``room``, ``nick`` and ``affiliation``, as ``message_of`` takes them.

    :raises ValueError: when they do not fit together.
    """
    if options.jid is None and options.room is None:
        raise ValueError("who says it? name somebody with --as JID, or a room with --room JID")
    hidden = "somebody" if options.room and not options.jid else None
    speaker = {
        "sender": options.jid,
        "room": options.room,
        "nick": options.nick or hidden,
        "affiliation": options.affiliation,
    }
    message_of("", "", **speaker)
    return speaker


def _jid(text: str) -> str:
    try:
        jid = Jid.parse(text)
    except InvalidJid as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if jid.local is None:
        raise argparse.ArgumentTypeError(f"{text!r} is an address without its part before the @")
    return str(jid)
