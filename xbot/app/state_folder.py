"""Check before the start that no other user can change the state folder or the files in it."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from xbot.config import line_of
from xbot.config.settings import Config
from xbot.model.errors import InvalidConfig, Problem
from xbot.process.file_trust import TrustedUsers, find_distrust, trusted_users

#: Names, without what follows the first dot, of the files that the bot reads or opens there.
#: The folder may be a home folder, whose other files do not matter.
NAMES = ("brain", "journal", "webhooks", "login", "rooms", "say")

_log = Logger("xbot")


def check_state(config: Config, users: TrustedUsers | None = None) -> None:
    """Raise :class:`InvalidConfig` if another user can change the state of this bot."""
    path, state = config.path, config.bot.state
    if reasons := distrusted(state, users or trusted_users()):
        line = line_of(path, "xbot", "state")
        raise InvalidConfig([Problem(path, line, "xbot", "state", reason) for reason in reasons])


def distrusted(state: Path, users: TrustedUsers) -> list[str]:
    """Why another user can change the folder ``state`` or the bot's files in it; empty if not.

    Folders far above it that others can change are logged.
    """
    refused: dict[str, None] = {}
    warned: dict[str, None] = {}
    try:
        paths = [state]
        if state.is_dir():
            paths += [state / name for name in sorted(os.listdir(state)) if is_ours(name)]
        for path in paths:
            for found in find_distrust(path, users):
                (warned if found.is_far else refused)[found.reason] = None
    except OSError as error:
        refused[f"cannot read {error.filename or state}: {error.strerror}"] = None
    for reason in warned:
        _log.warn("the state folder is in a folder of others: {reason}", reason=reason)
    return list(refused)


def is_ours(name: str) -> bool:
    """Whether the bot makes files of this name, such as ``brain.sqlite-wal``."""
    # .login.json.new is login.json while it is written.
    return name.lstrip(".").partition(".")[0] in NAMES
