"""Options for the sender of a message: ``--as``, ``--room``, ``--nick``, ``--affiliation``."""

from __future__ import annotations

import argparse
from typing import Any

from xbot.chat.terminal.adapter import YOU
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.speech import message_of


def add_to(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add the options; ``default`` is the sender's JID.

    None is :data:`YOU` in private, and hidden in a room.
    """
    parser.add_argument(
        "--as",
        dest="jid",
        type=_jid,
        default=default,
        metavar="JID",
        help=f"the sender's real JID (default: {default or f'{YOU}; with --room hidden'})",
    )
    parser.add_argument(
        "--room", type=_jid, metavar="JID", help="the room (default: a private message)"
    )
    parser.add_argument("--nick", help="the sender's nick in the room")
    parser.add_argument(
        "--affiliation",
        choices=("owner", "admin", "member", "none"),
        default="none",
        help="the sender's affiliation with the room (default: none)",
    )


def speaker_of(options: argparse.Namespace) -> dict[str, Any]:
    """``sender``, ``room``, ``nick`` and ``affiliation``, as ``message_of`` takes them.

    :raises ValueError: when they contradict each other.
    """
    sender = options.jid if options.jid or options.room else YOU
    hidden = "somebody" if sender is None else None
    speaker = {
        "sender": sender,
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
