"""What may stand in the ini: every section and option, declared once.

Reading, checking, the suggestions for misspelt names and the documentation
all derive from :data:`KINDS`.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from base64 import b64decode
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import frozen

from xbot import durations
from xbot.errors import InvalidJid
from xbot.jid import Jid
from xbot.logs.levels import Levels
from xbot.people import People
from xbot.rates import Rate
from xbot.settings import (
    EMBEDDED,
    LOG_FORMATS,
    MAX_OUTPUT,
    PARSERS,
    SASL_MECHANISMS,
    SUBSCRIPTIONS,
    Listen,
    Secret,
)
from xbot.template import DOTTED, Template

#: The longest duration, in seconds. Longer ones are a slip of the pen.
MAX_DURATION = 7 * 86400.0

#: More people than this never agree in time.
MAX_APPROVALS = 9

#: So many runs of one responder at once, at most: no more threads are at work in all.
MAX_RUNS = 32

#: Less than this is no answer, in characters.
MIN_OUTPUT = 100

#: The longest time that anything is kept, in seconds.
MAX_KEEP = 3650 * 86400.0

#: The same is not said again for no longer than this, in seconds.
MAX_DEDUPE = 30 * 86400.0

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@frozen
class OptionKind:
    """One option: its name, what makes a value of its text, and what a reader should know.

    ``convert`` raises ValueError with what is wrong. ``default`` is for
    reading; an option without one has an empty ``default``.
    """

    name: str
    convert: Callable[[str], Any]
    default: str
    help: str


@frozen
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


def suggest(name: str, valid: Iterable[str]) -> str:
    """``; did you mean X?`` for the valid name nearest to ``name``, or nothing."""
    near = get_close_matches(name[:64], sorted(valid), n=1, cutoff=0.55)
    return f"; did you mean {near[0]}?" if near else ""


def one_line(value: str) -> str:
    return " ".join(value.split())


def path(value: str) -> Path:
    if "\n" in value:
        raise ValueError("a path is one line")
    return Path(value)


def secret(value: str) -> Secret:
    if "\n" in value:
        raise ValueError("a password is one line")
    return Secret(value)


def prefix(value: str) -> str:
    if len(value.split()) > 1:
        raise ValueError("a prefix has no blanks in it")
    return value


def duration(value: str, longest: float = MAX_DURATION) -> float:
    return durations.seconds(value, longest)


def interval(value: str) -> float:
    seconds = duration(value)
    if seconds < 1:
        raise ValueError(f"{value!r} is too often: at least 1s")
    return seconds


def keep(value: str) -> float:
    return duration(value, MAX_KEEP)


def yes_or_no(value: str) -> bool:
    answers = {"yes": True, "no": False}
    if value.lower() not in answers:
        raise ValueError(f"{value!r} is neither yes nor no")
    return answers[value.lower()]


def log_level(value: str) -> Levels:
    return Levels.parse(value.replace(",", " ").split())


def log_format(value: str) -> str:
    if value not in LOG_FORMATS:
        raise ValueError(f"{value!r} is neither {' nor '.join(LOG_FORMATS)}")
    return value


def names(value: str) -> frozenset[str]:
    """The names in a list separated by blanks, commas or new lines."""
    found = frozenset(value.replace(",", " ").split())
    if not found:
        raise ValueError("names nothing")
    return found


def account(value: str) -> Jid:
    jid = Jid.parse(value)
    if jid.local is None:
        raise ValueError(f"{value!r} has no local part: an account is NAME@DOMAIN")
    return jid if jid.resource else jid.with_resource("bot")


def nick(value: str) -> str:
    if "\n" in value:
        raise ValueError(
            "a nick is one line; a line that begins with a blank continues the one before"
        )
    try:
        Jid(None, "room").with_resource(value)
    except InvalidJid as error:
        raise ValueError(f"is no nick: {error.reason}") from error
    return value


def server(value: str) -> str:
    if value != EMBEDDED:
        raise ValueError(f"only {EMBEDDED} is possible; the JID names any other server (or host)")
    return value


def host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        labels = value.removesuffix(".").split(".")
        if (
            len(value) > 253
            or not all(_LABEL.fullmatch(label) for label in labels)
            or labels[-1].isdigit()
        ):
            raise ValueError(f"{value!r} is neither a host name nor an IP address") from None
    return value


def port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise ValueError(f"{value!r} is no port: a number from 1 to 65535")
    return int(value)


def mechanisms(value: str) -> tuple[str, ...]:
    """SASL mechanisms, best first, in whatever order and case they stand there."""
    asked_for = {name.upper() for name in names(value)}
    for name in sorted(asked_for - set(SASL_MECHANISMS)):
        hint = suggest(name, SASL_MECHANISMS) or f": one of {', '.join(SASL_MECHANISMS)}"
        raise ValueError(f"{name} is no mechanism of xbot's{hint}")
    return tuple(name for name in SASL_MECHANISMS if name in asked_for)


def pins(value: str) -> frozenset[bytes]:
    """SHA-256 hashes, each in base64."""
    found = set()
    for text in names(value):
        try:
            pin = b64decode(text, validate=True)
        except ValueError:
            pin = b""
        if len(pin) != 32:
            raise ValueError(f"{text!r} is no SHA-256 in base64 (44 characters)")
        found.add(pin)
    return frozenset(found)


def direct_tls(value: str) -> bool:
    if value not in ("direct", "starttls"):
        raise ValueError(f"{value!r} is neither direct nor starttls")
    return value == "direct"


def parser(value: str) -> str:
    if value not in PARSERS:
        raise ValueError(f"{value!r} is none of {', '.join(PARSERS)}")
    return value


def listen(value: str) -> Listen:
    """``ADDRESS:PORT``, or the path of a unix socket."""
    if "/" in value:
        return Listen(path=path(value))
    address, _, number = value.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    address = {"localhost": "127.0.0.1"}.get(address, address)
    try:
        ipaddress.ip_address(address)
        return Listen(address, port(number))
    except ValueError:
        raise ValueError(
            f"{value!r} is neither ADDRESS:PORT (127.0.0.1:8088) nor the path of a socket"
        ) from None


def hosts(value: str) -> frozenset[str]:
    return frozenset(host(name).lower() for name in names(value))


def people(value: str) -> People:
    return People.parse(names(value))


def subscriptions(value: str) -> frozenset[str]:
    found = names(value)
    rules = sorted(found & set(SUBSCRIPTIONS))
    if len(rules) > 1:
        raise ValueError(f"{rules[0]} and {rules[1]} contradict each other")
    return found


def rooms(value: str) -> frozenset[str]:
    """Bare addresses of rooms."""
    found = set()
    for name in names(value):
        jid = Jid.parse(name)
        if jid.local is None or jid.resource is not None:
            raise ValueError(f"{name!r} is no room: a room's JID is ROOM@SERVICE")
        found.add(str(jid))
    return frozenset(found)


def approvals(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > MAX_APPROVALS:
        raise ValueError(f"{value!r} is no number from 0 to {MAX_APPROVALS}")
    return int(value)


def rate(value: str) -> Rate | None:
    """So many in how long; None for no limit."""
    if value == "off":
        return None
    burst, slash, period = (part.strip() for part in value.partition("/"))
    if not slash or not re.fullmatch(r"[0-9]{1,4}", burst) or int(burst) == 0:
        raise ValueError(f"{value!r} is no rate: write it like 4/4s (4 in 4 seconds), or off")
    return Rate(int(burst), duration(period))


def runs(value: str) -> int:
    return number(value, 1, MAX_RUNS)


def output(value: str) -> int:
    return number(value, MIN_OUTPUT, MAX_OUTPUT)


def number(value: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise ValueError(f"{value!r} is no number from {least} to {most}")
    return int(value)


def pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        where = "" if error.pos is None else f" (character {error.pos + 1})"
        raise ValueError(f"is no regular expression: {error.msg}{where}") from error
    except (OverflowError, RecursionError) as error:
        raise ValueError("is too complex a regular expression") from error
    return value


def template(value: str) -> str:
    Template.parse(value)
    return value


def command(value: str) -> tuple[str, ...]:
    """The program and its arguments, each of them a template."""
    try:
        arguments = tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"cannot be split into arguments: {error}") from error
    for number, argument in enumerate(arguments):
        try:
            Template.parse(argument)
        except ValueError as error:
            raise ValueError(f"argument {number}: {error}") from error
    if not arguments or not arguments[0]:
        raise ValueError("names no program")
    return arguments


def web_path(value: str) -> str:
    """The path of a URL, as it stands in requests."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+){2,8}", value) or len(value) > 200:
        raise ValueError(f"{value!r} is no path of two names or more, such as /webhook/alerts")
    return value


def no_secret(value: str) -> None:
    if value != "none":
        raise ValueError("only none is possible; a secret stands in a file (secret-file)")


def webhook_template(value: str) -> str:
    if not value.startswith("file:"):
        Template.parse(value, DOTTED.fullmatch)
    return value


def dotted(value: str) -> str:
    if not DOTTED.fullmatch(value):
        raise ValueError(f"{value!r} is no field such as alert.id")
    return value


def dedupe(value: str) -> float:
    return 0.0 if value == "no" else duration(value, MAX_DEDUPE)


def python_object(value: str) -> str:
    name = value.removeprefix("entry-point:")
    if name != value:
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(f"{value!r} is not written entry-point:NAME")
        return value
    module, colon, path = value.partition(":")
    parts = module.split(".") + (path.split(".") if colon else [])
    if not all(part.isidentifier() for part in parts):
        raise ValueError(f"{value!r} is not written module:object")
    return value


_PASSWORD = OptionKind(
    "password", secret, "", "The password itself; only in an ini that no other user can read."
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
            OptionKind("name", nick, "xbot", 'What people call it ("xbot: ping"); the usual nick.'),
            OptionKind("prefix", prefix, "", 'With ! here, "!ping" is "xbot: ping".'),
            OptionKind(
                "state",
                path,
                "$STATE_DIRECTORY, else ~/.local/state/xbot",
                "The folder of what must outlive a restart.",
            ),
            OptionKind(
                "responders", path, "", "A folder of Python files, each of them a responder."
            ),
            OptionKind("journal-keep", keep, "30d", "How long the journal of commands goes back."),
            OptionKind(
                "sender-rate",
                rate,
                "4/20s",
                "How much one sender is answered: so many in how long.",
            ),
            OptionKind(
                "room-rate", rate, "20/10s", "How much everyone in one room together is answered."
            ),
            OptionKind(
                "log-level",
                log_level,
                "info",
                "The least grave events that are logged; NAMESPACE=LEVEL for parts of xbot.",
            ),
            OptionKind("log-format", log_format, "text", "text for people, json for machines."),
        ),
    ),
    SectionKind(
        "xmpp",
        "",
        "The account, and how to reach its server.",
        (
            OptionKind("jid", account, "", "The account; without a resource, /bot is added."),
            _PASSWORD,
            OptionKind(
                "password-file",
                path,
                "$CREDENTIALS_DIRECTORY/xmpp.password",
                "The file with the password, which no other user can read.",
            ),
            OptionKind("server", server, "", "embedded: a loopback server in the same process."),
            OptionKind("host", host, "", "The server's name or address, to skip the SRV look-up."),
            OptionKind(
                "port",
                port,
                "5222; 5223 with tls = direct",
                "The port at that host (or of the embedded server).",
            ),
            OptionKind(
                "tls", direct_tls, "starttls", "How TLS begins at that host: starttls or direct."
            ),
            OptionKind("ca-file", path, "", "The certificate of a private CA."),
            OptionKind(
                "pin-sha256",
                pins,
                "",
                "SHA-256 of the public keys of which the server must have one, in base64.",
            ),
            OptionKind(
                "certificate-file", path, "", "The account's own certificate, to log in by."
            ),
            OptionKind("key-file", path, "", "Its private key; no other user can read the file."),
            OptionKind(
                "sasl", mechanisms, "the best that both know", "Which ways to log in are allowed."
            ),
            OptionKind("ping-interval", interval, "30s", "How often the server is pinged."),
            OptionKind("ping-timeout", duration, "10s", "How long an answer may take."),
            OptionKind(
                "room-ping-interval",
                interval,
                "5m",
                "How long a room may be silent before it is asked whether we are in it.",
            ),
            OptionKind(
                "reconnect-max", interval, "5m", "The longest wait between two tries to connect."
            ),
            OptionKind(
                "resume-max-age",
                duration,
                "120s",
                "How old what the server sends again after a resumption may be.",
            ),
            OptionKind(
                "parser",
                parser,
                PARSERS[0],
                "What reads the stream: fast, or domish, which is slower, should it be in doubt.",
            ),
            OptionKind(
                "accept-invites",
                names,
                "nobody",
                "Who may invite the bot: NAME@DOMAIN, @DOMAIN, groups.",
            ),
            OptionKind(
                "subscriptions",
                subscriptions,
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
                "listen", listen, "", "Where: 127.0.0.1:8088, or the path of a unix socket."
            ),
            OptionKind("hosts", hosts, "its own", "Further names by which it may be asked for."),
        ),
    ),
    SectionKind(
        "webhook",
        "NAME",
        "What others post over HTTP, and the bot says in a room.",
        (
            OptionKind("path", web_path, "/webhook/NAME", "Where it is posted to."),
            OptionKind("room", rooms, "", "The room, or the rooms, in which it is said."),
            OptionKind(
                "template",
                webhook_template,
                "",
                "alertmanager, grafana, github or gitea; a text with fields such as {alert.title};"
                " file:NAME; or responder.",
            ),
            OptionKind(
                "secret-file",
                path,
                "$CREDENTIALS_DIRECTORY/webhook.NAME",
                "The file with what the sender signs with, or sends as a bearer token.",
            ),
            OptionKind(
                "secret", no_secret, "", "none: anybody on this machine may post without one."
            ),
            OptionKind(
                "dedupe", dedupe, "1d", "How long the same is not said again; no: it always is."
            ),
            OptionKind(
                "dedupe-key", dotted, "the whole text", "The field that tells one from another."
            ),
            OptionKind("rate", rate, "60/1m", "How many posts are taken: so many in how long."),
            OptionKind("code", yes_or_no, "no", "Whether it is shown as a preformatted block."),
        ),
    ),
    SectionKind(
        "room",
        "JID",
        "A room to be in.",
        (
            OptionKind("nick", nick, "[xbot] name", "What the bot is called there."),
            _PASSWORD,
            OptionKind("password-file", path, "", "The file with the room's password."),
            OptionKind("responders", names, "all of them", "Which responders answer there."),
        ),
    ),
    SectionKind(
        "responder",
        "NAME",
        "When to answer, and with what: exactly one of reply, run and use.",
        (
            OptionKind("match", pattern, "", "The regular expression of a command to the bot."),
            OptionKind("hear", pattern, "", "One to be found in anything that is said."),
            OptionKind("usage", one_line, "", "How the command is written, for people."),
            OptionKind("help", one_line, "", "What it does, in one line."),
            OptionKind("reply", template, "", "The answer; may have fields such as {nick}."),
            OptionKind("run", command, "", "A program and its arguments; its output answers."),
            OptionKind(
                "use",
                python_object,
                "",
                "A Python responder: module:object, module or entry-point:NAME.",
            ),
            OptionKind("enabled", yes_or_no, "yes", "With no, it is as if it were not there."),
            OptionKind("timeout", duration, "30s", "How long it may take."),
            OptionKind(
                "effect",
                yes_or_no,
                "no for reply, yes for run, what the code says for use",
                "Whether running it twice would do harm: then it waits for the journal.",
            ),
            OptionKind(
                "allow",
                names,
                "everyone",
                "Who may use it: NAME@DOMAIN, @DOMAIN, groups, room-owners, room-admins,"
                " room-members.",
            ),
            OptionKind("deny", names, "nobody", "Who may not, whatever allow says."),
            OptionKind("rooms", rooms, "all of them", "The only rooms in which it answers."),
            OptionKind("direct", yes_or_no, "yes", "Whether it answers what is said in private."),
            OptionKind("confirm", yes_or_no, "no", "Whether it asks back before it does anything."),
            OptionKind("approve", approvals, "0", "How many others have to agree before it does."),
            OptionKind("rate", rate, "off", "How often it answers: so many in how long."),
            OptionKind("runs", runs, "4", "How many runs of it may be under way at once."),
            OptionKind("output", output, "65536", "How much one run may say, in characters."),
        ),
    ),
    SectionKind(
        "group",
        "NAME",
        "People who are named together.",
        (OptionKind("members", people, "", "Who belongs to it: NAME@DOMAIN, @DOMAIN."),),
    ),
)
