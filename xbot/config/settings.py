"""Typed, immutable settings: the result of reading the ini.

The defaults of the options stand here and nowhere else: the reader passes only what
the ini sets, and :mod:`xbot.config.options` tells them as text.

:mod:`xbot.config` creates these from the ini; tests and embedding programs create
them directly. Durations are in seconds.
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

#: Value of ``[xmpp] server`` for the loopback server in this process.
EMBEDDED = "embedded"

#: Port of the server at ``host``: with STARTTLS, and with direct TLS.
PORT = 5222
DIRECT_PORT = 5223

#: Default time-out of one run, in seconds.
TIMEOUT = 30.0

#: Default maximum number of concurrent runs of one responder.
MAX_RUNS = 4

#: Maximum total length of one run's answers, in characters.
MAX_OUTPUT = 65_536

#: Default rate limits of answers: to one sender, and to all senders in one room.
SENDER_RATE = Rate(10, 20.0)
ROOM_RATE = Rate(20, 10.0)

#: Default rate limit of one sender with ``server = embedded``: none, only this machine's users
#: can reach the bot there.
EMBEDDED_SENDER_RATE: Rate | None = None

#: The supported SASL mechanisms, best first. PLAIN sends the password itself.
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


#: Default minimum levels of the log.
LOG_LEVELS = Levels()

#: Log formats: for people, for programs; the default first.
LOG_FORMATS = ("text", "json")

#: Policies for presence subscription requests; the default first.
SUBSCRIPTIONS = ("refuse", "accept", "roster", "ask")


#: Values of the deprecated option ``parser``, which has no effect.
PARSERS = ("fast", "domish")

#: Default rate limit of the posts to one webhook.
WEBHOOK_RATE = Rate(60, 60.0)

#: The bundled webhook templates.
WEBHOOK_TEMPLATES = ("alertmanager", "grafana", "github", "gitea", "gitlab", "sentry")

#: Value of ``template`` for a webhook whose posts a responder handles.
RESPONDER = "responder"


@frozen
class Secret:
    """A secret text, which ``repr``, logs and tracebacks do not show."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself. Call it at the point of use, and keep no copy."""
        return self._value


@frozen
class BotSettings:
    """``[xbot]``: the bot's name, state folder, log and rate limits."""

    name: str = "xbot"
    prefix: str = ""
    state: Path = Path("state")
    journal_keep: float = 30 * 86400.0
    log_level: Levels = LOG_LEVELS
    log_format: str = LOG_FORMATS[0]
    sender_rate: Rate | None = SENDER_RATE
    room_rate: Rate | None = ROOM_RATE
    may_write_to: People = NOBODY


@frozen
class XmppSettings:
    """``[xmpp]``: the account and how to reach its server.

    ``host`` is set only to skip the SRV look-up. With ``server ==``
    :data:`EMBEDDED` the loopback server supplies host, CA and password.
    ``sasl`` is None if all mechanisms are allowed. ``certificate_file`` and
    ``key_file`` are set together; only with them may ``password`` be None.
    ``direct_tls`` requires ``host``. ``pins`` are SHA-256 hashes of public keys.
    ``subscriptions`` is one of :data:`SUBSCRIPTIONS`; requests by ``subscribers`` are
    always accepted.
    """

    jid: Jid
    password: Secret | None = None
    server: str | None = None
    host: str | None = None
    port: int = PORT
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
    room_ping_interval: float = 300.0
    accept_invites: People = NOBODY
    subscriptions: str = SUBSCRIPTIONS[0]
    subscribers: People = NOBODY


@frozen
class RoomSettings:
    """``[room JID]``: a room to join. ``responders`` is None if all of them answer there."""

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
    one is set, while code may have its own. ``settings`` are the options of the
    Python object. ``effect`` is None if the kind of responder, or its code, decides.
    ``access`` are the access rules, ``confirm`` and ``approve`` the checks before a
    command runs; ``rate``, ``runs`` and ``output`` are limits. A responder that is
    not ``enabled`` is not loaded, and neither is the bundled one of its name.
    ``line`` is the section's line in ``path``, and ``lines`` are those of its
    options, for errors found later.
    """

    name: str
    match: str | None = None
    hear: str | None = None
    usage: str | None = None
    help: str | None = None
    reply: str | None = None
    run: tuple[str, ...] | None = None
    use: str | None = None
    timeout: float = TIMEOUT
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
    """A listening address: ``host`` and ``port``, or the ``path`` of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is an IP address of the loopback interface."""
        return self.path is None and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect: a unix socket, or the loopback interface."""
        return self.path is not None or self.is_loopback


@frozen
class HttpSettings:
    """``[http]``: ``hosts`` are further values of the Host header that are accepted."""

    listen: Listen
    hosts: frozenset[str] = frozenset()


@frozen
class WebhookSettings:
    """``[webhook NAME]``: programs post to ``path``, and the bot sends a text to ``rooms``.

    Some of ``rooms`` may be people, whom ``may-write-to`` of ``[xbot]`` names.

    ``template`` is one of :data:`WEBHOOK_TEMPLATES`, :data:`RESPONDER`, or a text
    with fields such as ``{alert.title}``; only for such a text ``dedupe_key`` may
    name a field. Duplicates are dropped for ``dedupe`` seconds; with ``dedupe_text`` equal
    texts are duplicates, too. ``rate`` limits the
    posts, None for no limit. ``secret`` may be None only if no other machine can post.
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
    dedupe_text: bool = False


@frozen
class Config:
    """All settings of the ini. ``http`` is None if there is no HTTP server.

    ``warnings`` name what is deprecated (still understood, but not for ever), and values that
    were probably meant otherwise. ``groups`` are the named lists of people, for summaries.
    """

    path: Path
    bot: BotSettings
    xmpp: XmppSettings
    rooms: tuple[RoomSettings, ...] = ()
    responders: tuple[ResponderSettings, ...] = ()
    http: HttpSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), eq=False)
    groups: Mapping[str, People] = field(factory=dict, eq=False)

    def names(self, person: Jid) -> bool:
        """Whether the ini names ``person`` by address, in an ``allow`` or a group."""
        allowed = [each.access.allow.people for each in self.responders if each.access.allow]
        lists = (*allowed, *self.groups.values(), self.xmpp.accept_invites)
        return any(person.bare in people.jids for people in lists)

    def may_write_to(self, person: Jid, responder: str | None = None) -> bool:
        """Whether the bot may write to ``person`` unasked, which a stranger must not bring about.

        The ini has to name them: in ``may-write-to``, or, for what ``responder`` says, in its
        ``allow``. Answers need no permission.
        """
        if self.bot.may_write_to.includes(person):
            return True
        access = next((each.access for each in self.responders if each.name == responder), None)
        if access is None or access.allow is None or not access.allow.people.includes(person):
            return False
        return access.deny is None or not access.deny.people.includes(person)

    def without_rates(self) -> Config:
        """A copy without rate limits, for tests and the shell."""
        return evolve(self, bot=evolve(self.bot, sender_rate=None, room_rate=None))
