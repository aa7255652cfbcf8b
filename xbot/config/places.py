"""Default paths: where the ini is, and where its bot keeps its state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from xbot.config import credentials, ini
from xbot.config.sections import Source
from xbot.model.errors import InvalidConfig, InvalidJid, Problem
from xbot.model.jid import Jid

#: Maximum size of an ini, in bytes; a larger file was named by mistake.
MAX_SIZE = 1 << 20

#: Folders of an installed bot: its inis, and the parent of its state folders (systemd's
#: ConfigurationDirectory= and StateDirectory=).
SYSTEM_INIS, SYSTEM_STATES = Path("/etc/xbot"), Path("/var/lib")

#: The ini in a source checkout.
CHECKOUT = Path("etc/xbot.ini")


@frozen
class StatePlace:
    """The state folder of an ini's bot, and the bare JID of its account, None if unknown."""

    folder: Path
    account: str | None = None


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """The path of the default ini; raises :class:`InvalidConfig` if there is none."""
    directory = environ.get("CONFIGURATION_DIRECTORY", "").partition(":")[0]
    places = [Path(directory, "xbot.ini")] if directory else []
    places += [SYSTEM_INIS / "xbot.ini", CHECKOUT]
    for place in places:
        if os.path.exists(place):
            return place
    tried = ", ".join(str(place) for place in places)
    raise InvalidConfig([Problem(Path("xbot.ini"), 0, "", "", f"not found; tried {tried}")])


def read(path: Path) -> tuple[ini.Ini, os.stat_result]:
    """Parse the ini at ``path``; raises :class:`InvalidConfig` if it cannot be read at all."""
    try:
        data, status = credentials.read_file(path.absolute(), MAX_SIZE)
    except credentials.Unusable as error:
        raise InvalidConfig([Problem(path, 0, "", "", error.reason)]) from error
    except FileNotFoundError as error:
        gone = "the current working directory was deleted; name the ini by its absolute path"
        raise InvalidConfig([Problem(path, 0, "", "", gone)]) from error
    parsed = ini.parse(data, path)
    if parsed.problems and not parsed.sections:
        # No ini at all: do not also report missing sections.
        raise InvalidConfig(parsed.problems)
    return parsed, status


def of_instance(name: str) -> Path:
    """The ini of the systemd instance ``xbot@NAME``."""
    return SYSTEM_INIS / f"{name}.ini"


def default_state(source: Source) -> Path:
    """The state folder of an ini that names none.

    That is ``$STATE_DIRECTORY``; else, for an ini in ``/etc/xbot``, the folder in
    ``/var/lib`` that the shipped units use, if it exists; else one of the user's own.
    """
    environ = source.environ
    if ours := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(ours)
    if source.path.absolute().parent == SYSTEM_INIS:
        name = source.path.stem
        installed = SYSTEM_STATES / ("xbot" if name == "xbot" else f"xbot-{name}")
        # With DynamicUser= a link that only root can follow.
        if os.path.lexists(installed):
            return installed
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"], "xbot")
    return source.home / ".local/state/xbot"


def state_of(path: Path, environ: Mapping[str, str] = os.environ) -> StatePlace:
    """Read only the state folder and the account from the ini at ``path``.

    For tools that do not log in: secrets are not needed, and mistakes elsewhere in the ini
    do not matter.

    :raises InvalidConfig: when the file cannot be read.
    """
    parsed, status = read(path)
    source = Source(path, status.st_mode, status.st_uid, os.geteuid(), environ)
    state = parsed.option("xbot", "state")
    folder = Path(state.value) if state is not None and state.value else default_state(source)
    return StatePlace(source.locate(folder), _bare(parsed.option("xmpp", "jid")))


def _bare(jid: ini.Option | None) -> str | None:
    try:
        return str(Jid.parse(jid.value).bare) if jid is not None else None
    except InvalidJid:
        return None
