"""What the operator asked for, typed once and frozen.

:mod:`xbot.config` makes these from the ini; tests and embedding programs make
them directly. Durations are seconds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, field, frozen

from xbot.logs.levels import Levels
from xbot.model.access import EVERYONE, Access
from xbot.model.errors import Problem
from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People
from xbot.model.token_bucket import Rate

#: ``[xmpp] server`` for the loopback server in this process.
EMBEDDED = "embedded"

#: One responder does so many things at once, where the ini does not say.
MAX_RUNS = 4

#: What one run says in all, in characters.
MAX_OUTPUT = 65_536

#: How much one sender, and everyone in one room, are answered, where the ini does not say.
SENDER_RATE = Rate(4, 20.0)
ROOM_RATE = Rate(20, 10.0)

#: The SASL mechanisms that xbot knows, best first. PLAIN hands the password over.
SASL_MECHANISMS = (
    "EXTERNAL",
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
)


#: The log's forms: for people, for machines; the default first.
LOG_FORMATS = ("text", "json")

#: What becomes of who wants to see our presence; the default first.
SUBSCRIPTIONS = ("refuse", "accept", "roster", "ask")


#: What reads the stream: the fast parser, or the one it is held against; the default first.
PARSERS = ("fast", "domish")

#: How much is taken from those who post to one webhook, unless the ini says otherwise.
WEBHOOK_RATE = Rate(60, 60.0)

#: What a webhook's ``template`` can name, besides being one.
WEBHOOK_TEMPLATES = ("alertmanager", "grafana", "github", "gitea")

#: The ``template`` of a webhook that a responder takes the posts of.
RESPONDER = "responder"


@frozen
class Secret:
    """A text that no log, traceback or ``repr`` shows."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself. Call it where it is used, and keep no copy."""
        return self._value


@frozen
class BotSettings:
    """``[xbot]``: what the bot is called, where it keeps its state, and how much it says."""

    name: str = "xbot"
    prefix: str = ""
    state: Path = Path("state")
    journal_keep: float = 30 * 86400.0
    log_level: Levels = field(factory=Levels)
    log_format: str = LOG_FORMATS[0]
    sender_rate: Rate | None = SENDER_RATE
    room_rate: Rate | None = ROOM_RATE


@frozen
class XmppSettings:
    """``[xmpp]``: the account and how to reach its server.

    ``host`` is set only to skip the SRV look-up. With ``server ==``
    :data:`EMBEDDED` the loopback server supplies host, CA and password.
    ``sasl`` is None when any mechanism may be used. ``certificate_file`` and
    ``key_file`` are set together; only with them may ``password`` be None.
    ``direct_tls`` goes with ``host``. ``pins`` are SHA-256 of public keys.
    ``parser`` is one of :data:`PARSERS`.
    ``subscriptions`` is one of :data:`SUBSCRIPTIONS`; whoever ``subscribers``
    names is accepted in any case.
    """

    jid: Jid
    password: Secret | None = None
    server: str | None = None
    host: str | None = None
    port: int = 5222
    ca_file: Path | None = None
    ping_interval: float = 30.0
    ping_timeout: float = 10.0
    resume_max_age: float = 120.0
    reconnect_max: float = 300.0
    sasl: tuple[str, ...] | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    pins: frozenset[bytes] = frozenset()
    direct_tls: bool = False
    parser: str = "fast"
    room_ping_interval: float = 300.0
    accept_invites: People = NOBODY
    subscriptions: str = "refuse"
    subscribers: People = NOBODY


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

    Exactly one of ``reply`` (a text), ``run`` (a program and its arguments),
    ``use`` (``package.module:object``, ``package.module`` or
    ``entry-point:NAME``) and ``file`` (of Python code) is set. ``match`` and
    ``hear`` are valid regular expressions; with ``reply`` and ``run`` at least
    one is set, with code the object may bring its own. ``settings`` are the options
    that belong to the Python object. ``effect`` is None where the kind of
    responder, or its code, says whether it has effects. ``access`` is who may
    use it, ``confirm`` and ``approve`` who is asked before; ``rate``, ``runs`` and
    ``output`` how much it does. What is not ``enabled`` is not loaded, and what bears
    its name is not bundled. ``line`` is the section's line in ``path``, and
    ``lines`` those of its options, for errors found later.
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
    effect: bool | None = field(default=None, kw_only=True)
    access: Access = field(default=EVERYONE, kw_only=True)
    confirm: bool = field(default=False, kw_only=True)
    approve: int = field(default=0, kw_only=True)
    rate: Rate | None = field(default=None, kw_only=True)
    runs: int = field(default=MAX_RUNS, kw_only=True)
    output: int = field(default=MAX_OUTPUT, kw_only=True)
    enabled: bool = field(default=True, kw_only=True)
    # It may hold a token.
    settings: Mapping[str, str] = field(factory=dict, repr=False)
    path: Path = Path("xbot.ini")
    line: int = 0
    file: Path | None = field(default=None, kw_only=True)
    lines: Mapping[str, int] = field(factory=dict, eq=False, repr=False, kw_only=True)


@frozen
class Listen:
    """Where somebody may connect to: a ``host`` and ``port``, or the ``path`` of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect, by an address."""
        return self.path is None and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect, by an address or a socket."""
        return self.path is not None or self.is_loopback


@frozen
class HttpSettings:
    """``[http]``: ``hosts`` are names by which it may be asked for, besides its own."""

    listen: Listen
    hosts: frozenset[str] = frozenset()


@frozen
class WebhookSettings:
    """``[webhook NAME]``: what may be posted to ``path``, and what is said of it in ``rooms``.

    ``template`` is one of :data:`WEBHOOK_TEMPLATES`, :data:`RESPONDER`, or a text
    with fields such as ``{alert.title}``; only for such a text ``dedupe_key`` may
    name a field. The same is not said again for ``dedupe`` seconds. ``rate`` is how many posts
    are taken, None for all. ``secret`` is None only where nobody else can post.
    """

    name: str
    path: str
    rooms: tuple[str, ...]
    template: str
    secret: Secret | None = None
    dedupe: float = 86400.0
    dedupe_key: str | None = None
    rate: Rate | None = WEBHOOK_RATE
    code: bool = False


@frozen
class Config:
    """The whole ini. ``http`` is None when nothing listens.

    ``warnings`` tell of what is understood for now and will not be for ever.
    """

    path: Path
    bot: BotSettings
    xmpp: XmppSettings
    rooms: tuple[RoomSettings, ...] = ()
    responders: tuple[ResponderSettings, ...] = ()
    http: HttpSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), eq=False)

    def without_rates(self) -> Config:
        """The same for who speaks faster than people, or is alone with the bot."""
        return evolve(self, bot=evolve(self.bot, sender_rate=None, room_rate=None))
