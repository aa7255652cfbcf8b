"""Schema of the ini: every section and option, declared once.

Parsing, validation, suggestions for misspelt names and the reference documentation
all derive from :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import AttrsInstance, evolve, field, fields, frozen

from xbot.config import values
from xbot.config.settings import (
    DIRECT_PORT,
    MAX_OUTPUT,
    PARSERS,
    PORT,
    BotSettings,
    HttpSettings,
    ResponderSettings,
    RoomSettings,
    WebhookSettings,
    XmppSettings,
)
from xbot.model.access import EVERYONE

#: Maximum of ``journal-keep``, in seconds.
MAX_KEEP = 3650 * 86400.0

#: Maximum of ``approve``.
MAX_APPROVALS = 9

#: Maximum of ``runs``: no more threads run in all (:mod:`xbot.process.threads`).
MAX_RUNS = 32

#: Minimum of ``output``, in characters.
MIN_OUTPUT = 100


@frozen(eq=False, repr=False)
class OptionKind:
    """Declaration of one option: name, converter, help and default.

    ``convert`` parses the option's text, or raises ValueError with the reason. ``default``
    describes, for people, what holds without the option; empty for nothing. It is stated here
    only if the ini could not contain it: else it is that of ``attribute`` in the settings
    class, which has the option's name.
    """

    name: str
    convert: Callable[[str], Any]
    help: str
    default: str = field(default="", kw_only=True)
    attribute: str = field(kw_only=True)

    @attribute.default
    def _attribute_of_name(self) -> str:
        return self.name.replace("-", "_")


@frozen(eq=False, repr=False)
class SectionKind:
    """Declaration of one kind of section. ``argument`` describes its name, empty for none."""

    name: str
    argument: str
    help: str
    options: tuple[OptionKind, ...]

    def option(self, name: str) -> OptionKind | None:
        """The declaration of the option ``name``, if there is one."""
        return next((option for option in self.options if option.name == name), None)

    @property
    def heading(self) -> str:
        """The section's heading, as in ``[room JID]``."""
        return f"[{self.name} {self.argument}]" if self.argument else f"[{self.name}]"


def _section(
    name: str,
    argument: str,
    help: str,
    settings: type[AttrsInstance] | None,
    *options: OptionKind,
) -> SectionKind:
    """A section; the options without a default have that of their attribute in ``settings``."""
    defaults = {each.name: each.default for each in fields(settings)} if settings else {}
    return SectionKind(
        name,
        argument,
        help,
        tuple(
            evolve(each, default=each.default or values.written(defaults.get(each.attribute)))
            for each in options
        ),
    )


_PASSWORD = OptionKind(
    "password", values.secret, "The password itself; only in an ini that no other user can read."
)

#: The bundled responders and their code, in the syntax of ``use``. Routing tries them last, in
#: this order.
BUNDLED = {
    "ping": "xbot.responders.ping:ping",
    "help": "xbot.responders.help:help",
    "whoami": "xbot.responders.whoami:whoami",
    "status": "xbot.responders.status:status",
    "rooms": "xbot.responders.rooms:Rooms",
    "jobs": "xbot.responders.jobs:Jobs",
    "remember": "xbot.responders.remember:Remember",
    "alias": "xbot.responders.alias:Alias",
    "fallback": "xbot.responders.fallback:suggest",
}

#: Bundled responders that are loaded only if the ini has a section for them, with ``allow``.
CLOSED = frozenset({"rooms", "jobs", "alias"})

#: Bundled responders that need no section.
OPEN = tuple(name for name in BUNDLED if name not in CLOSED)

_XBOT = _section(
    "xbot",
    "",
    "The bot's name, state folder, rate limits and log.",
    BotSettings,
    OptionKind(
        "name", values.nick, 'The name that commands begin with ("xbot: ping"); the default nick.'
    ),
    OptionKind(
        "prefix", values.prefix, 'A short form of the name: with !, "!ping" means "xbot: ping".'
    ),
    OptionKind(
        "state",
        values.path,
        "The folder of the files that must survive a restart.",
        default="$STATE_DIRECTORY, else ~/.local/state/xbot",
    ),
    OptionKind("responders", values.path, "A folder of Python files, each of them a responder."),
    OptionKind(
        "journal-keep",
        partial(values.duration, longest=MAX_KEEP),
        "How long entries of the journal are kept.",
    ),
    OptionKind(
        "sender-rate",
        values.rate,
        "Rate limit for answers to one sender: COUNT/TIME, or off. With server = embedded the"
        " default is off.",
    ),
    OptionKind(
        "room-rate", values.rate, "Rate limit for answers to all senders in one room together."
    ),
    OptionKind(
        "may-write-to",
        values.names,
        "People to whom xbot say, webhooks and responders may write: NAME@DOMAIN, @DOMAIN, groups.",
    ),
    OptionKind(
        "log-level",
        values.log_level,
        "The minimum level to log; NAMESPACE=LEVEL for parts of xbot.",
    ),
    OptionKind("log-format", values.log_format, "text for people, json for programs."),
)

_XMPP = _section(
    "xmpp",
    "",
    "The XMPP account, and how to reach its server.",
    XmppSettings,
    OptionKind("jid", values.account, "The account's JID; without a resource, /bot is added."),
    _PASSWORD,
    OptionKind(
        "password-file",
        values.path,
        "The file with the password, which no other user can read.",
        default="$CREDENTIALS_DIRECTORY/xmpp.password",
    ),
    OptionKind("server", values.server, "embedded: a loopback server in the same process."),
    OptionKind(
        "host",
        values.host,
        "The server's name or address, to skip the SRV look-up.",
        default="SRV records, then the domain",
    ),
    OptionKind(
        "port",
        values.port,
        "The port at that host (or of the embedded server).",
        default=f"{PORT}; {DIRECT_PORT} with tls = direct",
    ),
    OptionKind(
        "tls",
        values.direct_tls,
        "How TLS begins at that host: starttls or direct.",
        default="starttls",
        attribute="direct_tls",
    ),
    OptionKind(
        "ca-file",
        values.path,
        "The certificate of a private CA to trust.",
        default="the system's CAs",
    ),
    OptionKind(
        "pin-sha256",
        values.pins,
        "Certificate pinning: SHA-256 of public keys in base64; the server must have one.",
        attribute="pins",
    ),
    OptionKind(
        "certificate-file", values.path, "A client certificate for the account, to log in with."
    ),
    OptionKind(
        "key-file",
        values.path,
        "The client certificate's private key, which no other user can read.",
    ),
    OptionKind(
        "sasl",
        values.mechanisms,
        "The SASL mechanisms that are allowed.",
        default="the best that both know",
    ),
    OptionKind("ping-interval", values.interval, "How often the server is pinged."),
    OptionKind("ping-timeout", values.duration, "Time-out for the server's answer."),
    OptionKind(
        "room-ping-interval",
        values.interval,
        "After how long without messages a self-ping checks that we are still in a room.",
    ),
    OptionKind(
        "reconnect-max", values.interval, "The longest back-off between two connection attempts."
    ),
    OptionKind(
        "resume-max-age",
        values.duration,
        "Maximum age of messages that the server sends again after a resumption.",
    ),
    OptionKind(
        "parser",
        values.parser,
        "Deprecated, without effect: there is only one XML stream parser.",
        default=PARSERS[0],
    ),
    OptionKind(
        "accept-invites", values.names, "Who may invite the bot: NAME@DOMAIN, @DOMAIN, groups."
    ),
    OptionKind(
        "subscriptions",
        values.subscriptions,
        "Answer to presence subscription requests: refuse, accept, roster or ask;"
        " and NAME@DOMAIN, @DOMAIN, groups that are always accepted.",
    ),
)

_HTTP = _section(
    "http",
    "",
    "HTTP server for status and webhooks; without this section nothing listens.",
    HttpSettings,
    OptionKind(
        "listen", values.listen, "Where to listen: 127.0.0.1:8088, or the path of a unix socket."
    ),
    OptionKind(
        "hosts", values.hosts, "Further host names that requests may use.", default="its own"
    ),
)

_WEBHOOK = _section(
    "webhook",
    "NAME",
    "A webhook: programs post to it over HTTP, and the bot sends a text to rooms.",
    WebhookSettings,
    OptionKind("path", values.web_path, "The path of its URL.", default="/webhook/NAME"),
    OptionKind(
        "to",
        values.rooms_and_people,
        "The rooms and people that get the text; people only if may-write-to names them.",
    ),
    OptionKind("room", values.rooms_and_people, "The same as to."),
    OptionKind(
        "template",
        values.webhook_template,
        "alertmanager, grafana, github, gitea, gitlab or sentry; a text with fields such as"
        " {alert.title}; file:NAME; or responder.",
    ),
    OptionKind(
        "secret-file",
        values.path,
        "The file with the secret that signs posts, or is sent as a token or password.",
        default="$CREDENTIALS_DIRECTORY/webhook.NAME",
    ),
    OptionKind(
        "secret", values.no_secret, "none: every program on this machine may post without a secret."
    ),
    OptionKind("dedupe", values.dedupe, "For how long duplicates are dropped; no: never."),
    OptionKind(
        "dedupe-key",
        values.dotted,
        "The field that identifies duplicates.",
        default="the id of the delivery",
    ),
    OptionKind(
        "dedupe-text",
        values.yes_or_no,
        "Whether equal texts of a template of your own are duplicates.",
    ),
    OptionKind("rate", values.rate, "Rate limit for posts: COUNT/TIME, or off."),
    OptionKind("code", values.yes_or_no, "Whether the text is sent as a code block."),
)

_ROOM = _section(
    "room",
    "JID",
    "A room to join.",
    RoomSettings,
    OptionKind("nick", values.nick, "The bot's nick in the room.", default="[xbot] name"),
    _PASSWORD,
    OptionKind("password-file", values.path, "The file with the room's password."),
    OptionKind("responders", values.names, "Which responders answer there.", default="all of them"),
)

_RESPONDER = _section(
    "responder",
    "NAME",
    "When to answer, and with what: exactly one of reply, run and use.",
    ResponderSettings,
    OptionKind(
        "match",
        values.pattern,
        "A regular expression that matches the whole text of a command to the bot.",
    ),
    OptionKind("hear", values.pattern, "A regular expression to find in any message."),
    OptionKind(
        "usage", values.one_line, "The command's syntax, for people.", default="made from match"
    ),
    OptionKind("help", values.one_line, "What it does, in one line."),
    OptionKind("reply", values.template, "The answer; may have fields such as {nick}."),
    OptionKind("run", values.command, "A program and its arguments; its output is the answer."),
    OptionKind(
        "use",
        values.python_object,
        "A Python responder: module:object, module or entry-point:NAME.",
    ),
    OptionKind("enabled", values.yes_or_no, "With no, the responder is not loaded."),
    OptionKind("timeout", values.duration, "Time limit for one run."),
    OptionKind(
        "effect",
        values.yes_or_no,
        "Whether running it twice does harm: if so, it waits for the journal.",
        default="no for reply, yes for run, the code's for use",
    ),
    OptionKind(
        "allow",
        values.names,
        "Who may use it: NAME@DOMAIN, @DOMAIN, groups, room-owners, room-admins, room-members.",
        default="everyone",
    ),
    OptionKind(
        "deny",
        values.names,
        "Who may not use it; it takes precedence over allow.",
        default="nobody",
    ),
    OptionKind("rooms", values.rooms, "The only rooms in which it answers.", default="all of them"),
    OptionKind(
        "direct",
        values.yes_or_no,
        "Whether it answers private messages.",
        default=values.written(EVERYONE.direct),
    ),
    OptionKind(
        "confirm",
        values.confirmation,
        "Whether the sender has to confirm a command before it runs.",
    ),
    OptionKind(
        "approve",
        values.approvals(MAX_APPROVALS),
        "How many other people have to approve a command before it runs.",
    ),
    OptionKind("rate", values.rate, "Rate limit for its answers: COUNT/TIME.", default="off"),
    OptionKind(
        "runs",
        values.number(1, MAX_RUNS),
        "Maximum number of runs at the same time; up to 32 more wait.",
    ),
    OptionKind(
        "output",
        values.number(MIN_OUTPUT, MAX_OUTPUT),
        "Maximum length of one run's answers, in characters.",
    ),
)

_GROUP = _section(
    "group",
    "NAME",
    "A named list of people.",
    None,
    OptionKind("members", values.people, "Who belongs to it: NAME@DOMAIN, @DOMAIN."),
)

KINDS = (_XBOT, _XMPP, _HTTP, _WEBHOOK, _ROOM, _RESPONDER, _GROUP)
