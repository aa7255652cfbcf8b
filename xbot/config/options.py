"""What may stand in the ini: every section and option, declared once.

Reading, checking, the suggestions for misspelt names and the documentation
all derive from :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from xbot.config import values
from xbot.config.settings import PARSERS, SUBSCRIPTIONS


@frozen(eq=False, repr=False)
class OptionKind:
    """One option: its name, what makes a value of its text, and what a reader should know.

    ``convert`` raises ValueError with what is wrong. ``default`` is for
    reading; an option without one has an empty ``default``.
    """

    name: str
    convert: Callable[[str], Any]
    default: str
    help: str


@frozen(eq=False, repr=False)
class SectionKind:
    """One kind of section. ``argument`` is what its name is, or empty when it has none."""

    name: str
    argument: str
    help: str
    options: tuple[OptionKind, ...]

    def option(self, name: str) -> OptionKind | None:
        """The declaration of the option ``name``, if there is one."""
        return next((option for option in self.options if option.name == name), None)

    @property
    def heading(self) -> str:
        """How the section's heading is written."""
        return f"[{self.name} {self.argument}]" if self.argument else f"[{self.name}]"


_PASSWORD = OptionKind(
    "password",
    values.secret,
    "",
    "The password itself; only in an ini that no other user can read.",
)

#: The responders that come with xbot, and where their code is; as ``use`` they are asked last,
#: in this order.
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

#: Those of them that are there only when the ini says for whom.
CLOSED = frozenset({"rooms", "jobs", "alias"})

#: Those that need no section.
OPEN = tuple(name for name in BUNDLED if name not in CLOSED)

KINDS = (
    SectionKind(
        "xbot",
        "",
        "What the bot is called and where it keeps its state.",
        (
            OptionKind(
                "name", values.nick, "xbot", 'What people call it ("xbot: ping"); the usual nick.'
            ),
            OptionKind("prefix", values.prefix, "", 'With ! here, "!ping" is "xbot: ping".'),
            OptionKind(
                "state",
                values.path,
                "$STATE_DIRECTORY, else ~/.local/state/xbot",
                "The folder of what must outlive a restart.",
            ),
            OptionKind(
                "responders", values.path, "", "A folder of Python files, each of them a responder."
            ),
            OptionKind(
                "journal-keep", values.keep, "30d", "How long the journal of commands goes back."
            ),
            OptionKind(
                "sender-rate",
                values.rate,
                "4/20s",
                "How much one sender is answered: so many in how long.",
            ),
            OptionKind(
                "room-rate",
                values.rate,
                "20/10s",
                "How much everyone in one room together is answered.",
            ),
            OptionKind(
                "log-level",
                values.log_level,
                "info",
                "The least grave events that are logged; NAMESPACE=LEVEL for parts of xbot.",
            ),
            OptionKind(
                "log-format", values.log_format, "text", "text for people, json for machines."
            ),
        ),
    ),
    SectionKind(
        "xmpp",
        "",
        "The account, and how to reach its server.",
        (
            OptionKind(
                "jid", values.account, "", "The account; without a resource, /bot is added."
            ),
            _PASSWORD,
            OptionKind(
                "password-file",
                values.path,
                "$CREDENTIALS_DIRECTORY/xmpp.password",
                "The file with the password, which no other user can read.",
            ),
            OptionKind(
                "server", values.server, "", "embedded: a loopback server in the same process."
            ),
            OptionKind(
                "host", values.host, "", "The server's name or address, to skip the SRV look-up."
            ),
            OptionKind(
                "port",
                values.port,
                "5222; 5223 with tls = direct",
                "The port at that host (or of the embedded server).",
            ),
            OptionKind(
                "tls",
                values.direct_tls,
                "starttls",
                "How TLS begins at that host: starttls or direct.",
            ),
            OptionKind("ca-file", values.path, "", "The certificate of a private CA."),
            OptionKind(
                "pin-sha256",
                values.pins,
                "",
                "SHA-256 of the public keys of which the server must have one, in base64.",
            ),
            OptionKind(
                "certificate-file", values.path, "", "The account's own certificate, to log in by."
            ),
            OptionKind(
                "key-file", values.path, "", "Its private key; no other user can read the file."
            ),
            OptionKind(
                "sasl",
                values.mechanisms,
                "the best that both know",
                "Which ways to log in are allowed.",
            ),
            OptionKind("ping-interval", values.interval, "30s", "How often the server is pinged."),
            OptionKind("ping-timeout", values.duration, "10s", "How long an answer may take."),
            OptionKind(
                "room-ping-interval",
                values.interval,
                "5m",
                "How long a room may be silent before it is asked whether we are in it.",
            ),
            OptionKind(
                "reconnect-max",
                values.interval,
                "5m",
                "The longest wait between two tries to connect.",
            ),
            OptionKind(
                "resume-max-age",
                values.duration,
                "120s",
                "How old what the server sends again after a resumption may be.",
            ),
            OptionKind(
                "parser",
                values.parser,
                PARSERS[0],
                "What reads the stream: fast, or domish, which is slower, should it be in doubt.",
            ),
            OptionKind(
                "accept-invites",
                values.names,
                "nobody",
                "Who may invite the bot: NAME@DOMAIN, @DOMAIN, groups.",
            ),
            OptionKind(
                "subscriptions",
                values.subscriptions,
                SUBSCRIPTIONS[0],
                "What becomes of who wants to see our presence: refuse, accept, roster or ask;"
                " and NAME@DOMAIN, @DOMAIN, groups who are accepted.",
            ),
        ),
    ),
    SectionKind(
        "http",
        "",
        "Tells over HTTP how the bot is; without this section nothing listens.",
        (
            OptionKind(
                "listen", values.listen, "", "Where: 127.0.0.1:8088, or the path of a unix socket."
            ),
            OptionKind(
                "hosts", values.hosts, "its own", "Further names by which it may be asked for."
            ),
        ),
    ),
    SectionKind(
        "webhook",
        "NAME",
        "What others post over HTTP, and the bot says in a room.",
        (
            OptionKind("path", values.web_path, "/webhook/NAME", "Where it is posted to."),
            OptionKind("room", values.rooms, "", "The room, or the rooms, in which it is said."),
            OptionKind(
                "template",
                values.webhook_template,
                "",
                "alertmanager, grafana, github or gitea; a text with fields such as {alert.title};"
                " file:NAME; or responder.",
            ),
            OptionKind(
                "secret-file",
                values.path,
                "$CREDENTIALS_DIRECTORY/webhook.NAME",
                "The file with what the sender signs with, or sends as a bearer token.",
            ),
            OptionKind(
                "secret",
                values.no_secret,
                "",
                "none: anybody on this machine may post without one.",
            ),
            OptionKind(
                "dedupe",
                values.dedupe,
                "1d",
                "How long the same is not said again; no: it always is.",
            ),
            OptionKind(
                "dedupe-key",
                values.dotted,
                "the whole text",
                "The field that tells one from another.",
            ),
            OptionKind(
                "rate", values.rate, "60/1m", "How many posts are taken: so many in how long."
            ),
            OptionKind(
                "code", values.yes_or_no, "no", "Whether it is shown as a preformatted block."
            ),
        ),
    ),
    SectionKind(
        "room",
        "JID",
        "A room to be in.",
        (
            OptionKind("nick", values.nick, "[xbot] name", "What the bot is called there."),
            _PASSWORD,
            OptionKind("password-file", values.path, "", "The file with the room's password."),
            OptionKind("responders", values.names, "all of them", "Which responders answer there."),
        ),
    ),
    SectionKind(
        "responder",
        "NAME",
        "When to answer, and with what: exactly one of reply, run and use.",
        (
            OptionKind(
                "match", values.pattern, "", "The regular expression of a command to the bot."
            ),
            OptionKind("hear", values.pattern, "", "One to be found in anything that is said."),
            OptionKind("usage", values.one_line, "", "How the command is written, for people."),
            OptionKind("help", values.one_line, "", "What it does, in one line."),
            OptionKind("reply", values.template, "", "The answer; may have fields such as {nick}."),
            OptionKind(
                "run", values.command, "", "A program and its arguments; its output answers."
            ),
            OptionKind(
                "use",
                values.python_object,
                "",
                "A Python responder: module:object, module or entry-point:NAME.",
            ),
            OptionKind(
                "enabled", values.yes_or_no, "yes", "With no, it is as if it were not there."
            ),
            OptionKind("timeout", values.duration, "30s", "How long it may take."),
            OptionKind(
                "effect",
                values.yes_or_no,
                "no for reply, yes for run, what the code says for use",
                "Whether running it twice would do harm: then it waits for the journal.",
            ),
            OptionKind(
                "allow",
                values.names,
                "everyone",
                "Who may use it: NAME@DOMAIN, @DOMAIN, groups, room-owners, room-admins,"
                " room-members.",
            ),
            OptionKind("deny", values.names, "nobody", "Who may not, whatever allow says."),
            OptionKind("rooms", values.rooms, "all of them", "The only rooms in which it answers."),
            OptionKind(
                "direct", values.yes_or_no, "yes", "Whether it answers what is said in private."
            ),
            OptionKind(
                "confirm", values.yes_or_no, "no", "Whether it asks back before it does anything."
            ),
            OptionKind(
                "approve", values.approvals, "0", "How many others have to agree before it does."
            ),
            OptionKind("rate", values.rate, "off", "How often it answers: so many in how long."),
            OptionKind("runs", values.runs, "4", "How many runs of it may be under way at once."),
            OptionKind(
                "output", values.output, "65536", "How much one run may say, in characters."
            ),
        ),
    ),
    SectionKind(
        "group",
        "NAME",
        "People who are named together.",
        (OptionKind("members", values.people, "", "Who belongs to it: NAME@DOMAIN, @DOMAIN."),),
    ),
)
