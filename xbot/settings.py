"""What the operator asked for, typed once and frozen.

:mod:`xbot.config` makes these from the ini; tests and embedding programs make
them directly. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from xbot.jid import Jid

#: ``[xmpp] server`` for the loopback server in this process.
EMBEDDED = "embedded"


@frozen
class Secret:
    """A text that no log, traceback or ``repr`` shows."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself. Call it where it is used, and keep no copy."""
        return self._value


@frozen
class BotSettings:
    """``[xbot]``: what the bot is called and where it keeps its state."""

    name: str = "xbot"
    prefix: str = ""
    state: Path = Path("state")


@frozen
class XmppSettings:
    """``[xmpp]``: the account and how to reach its server.

    ``host`` is set only to skip the SRV look-up. With ``server ==``
    :data:`EMBEDDED` the loopback server supplies host, CA and password.
    """

    jid: Jid
    password: Secret | None = None
    server: str | None = None
    host: str | None = None
    port: int = 5222
    ca_file: Path | None = None
    ping_interval: float = 30.0
    ping_timeout: float = 10.0


@frozen
class RoomSettings:
    """``[room JID]``. ``responders`` is None when all of them answer there."""

    jid: Jid
    nick: str
    password: Secret | None = None
    responders: frozenset[str] | None = None


@frozen
class ResponderSettings:
    """``[responder NAME]``: when it answers, and how.

    Exactly one of ``reply`` (a text), ``run`` (a program and its arguments)
    and ``use`` (``package.module:object``) is set. ``match`` and ``hear`` are
    valid regular expressions; with ``reply`` and ``run`` at least one is set,
    with ``use`` the object may bring its own. ``settings`` are the options
    that belong to the Python object. ``line`` is the section's line in
    ``path``, for errors found later.
    """

    name: str
    match: str | None = None
    hear: str | None = None
    usage: str | None = None
    help: str | None = None
    reply: str | None = None
    run: tuple[str, ...] | None = None
    use: str | None = None
    timeout: float = 30.0
    # It may hold a token.
    settings: Mapping[str, str] = field(factory=dict, repr=False)
    path: Path = Path("xbot.ini")
    line: int = 0


@frozen
class Config:
    """The whole ini."""

    path: Path
    bot: BotSettings
    xmpp: XmppSettings
    rooms: tuple[RoomSettings, ...] = ()
    responders: tuple[ResponderSettings, ...] = ()
