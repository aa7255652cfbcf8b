"""Switch the speaker at a terminal by ``/as NAME``. Pure."""

from __future__ import annotations

import re

from xbot.model.jid import Jid

USAGE = "say /as NAME to speak as another person, such as /as bob"

_COMMAND = re.compile(r"/as(?:\s+(?P<name>\S+))?\s*")


def switched_to(line: str, domain: str) -> Jid | None:
    """The bare address of the person in ``/as NAME``; None if ``line`` is no such command.

    A name without ``@`` gets ``domain``.

    :raises ValueError: when the name is missing or no address.
    """
    if (found := _COMMAND.fullmatch(line)) is None:
        return None
    if not found["name"]:
        raise ValueError(USAGE)
    name = found["name"]
    jid = Jid.parse(name if "@" in name else f"{name}@{domain}").bare
    if jid.local is None:
        raise ValueError(USAGE)
    return jid
