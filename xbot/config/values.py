"""Converters of option values: each takes the option's text and returns its value.

All of them raise ValueError with the reason for an invalid text.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from xbot.config.settings import (
    EMBEDDED,
    LOG_FORMATS,
    PARSERS,
    SASL_MECHANISMS,
    SUBSCRIPTIONS,
    Listen,
    Secret,
)
from xbot.logs.levels import Levels
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People
from xbot.model.token_bucket import Rate
from xbot.text import durations
from xbot.text.did_you_mean import suggest
from xbot.text.template import DOTTED, Template

#: Maximum duration, in seconds; a longer one is a typo.
MAX_DURATION = 7 * 86400.0

#: Maximum of ``dedupe``, in seconds.
MAX_DEDUPE = 30 * 86400.0

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def one_line(value: str) -> str:
    """The text on one line: each run of blanks and new lines becomes one blank."""
    return " ".join(value.split())


def path(value: str) -> Path:
    """A file path, which may be relative."""
    if "\n" in value:
        raise ValueError("a path is one line")
    return Path(value)


def secret(value: str) -> Secret:
    """A password, wrapped so that no log shows it."""
    if "\n" in value:
        raise ValueError("a password is one line")
    return Secret(value)


def prefix(value: str) -> str:
    """The command prefix, such as ``!``; without blanks."""
    if len(value.split()) > 1:
        raise ValueError("a prefix has no blanks in it")
    return value


def duration(value: str, longest: float = MAX_DURATION) -> float:
    """A duration such as ``30s`` in seconds, at most ``longest``."""
    return durations.seconds(value, longest)


def interval(value: str) -> float:
    """A duration in seconds, at least one second."""
    seconds = duration(value)
    if seconds < 1:
        raise ValueError(f"{value!r} is too often: at least 1s")
    return seconds


def yes_or_no(value: str) -> bool:
    """``yes`` or ``no`` as a bool; upper or lower case."""
    answers = {"yes": True, "no": False}
    if value.lower() not in answers:
        raise ValueError(f"{value!r} is neither yes nor no")
    return answers[value.lower()]


def log_level(value: str) -> Levels:
    """The minimum log levels: the usual one, and those of single namespaces."""
    return Levels.parse(value.replace(",", " ").split())


def log_format(value: str) -> str:
    """One of :data:`~xbot.config.settings.LOG_FORMATS`."""
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
    """The JID of an account; the default resource is ``bot``."""
    jid = Jid.parse(value)
    if jid.local is None:
        raise ValueError(f"{value!r} has no local part: an account is NAME@DOMAIN")
    return jid if jid.resource else jid.with_resource("bot")


def nick(value: str) -> str:
    """A nick that is valid as a resource (RFC 7622)."""
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
    """``embedded``, the only possible value."""
    if value != EMBEDDED:
        raise ValueError(f"only {EMBEDDED} is possible; the JID names any other server (or host)")
    return value


def host(value: str) -> str:
    """A host name or an IP address."""
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
    """A TCP port from 1 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise ValueError(f"{value!r} is no port: a number from 1 to 65535")
    return int(value)


def mechanisms(value: str) -> tuple[str, ...]:
    """SASL mechanisms; the result is ordered best first, whatever their order in the ini."""
    asked_for = {name.upper() for name in names(value)}
    for name in sorted(asked_for - set(SASL_MECHANISMS)):
        hint = suggest(name, SASL_MECHANISMS) or f": one of {', '.join(SASL_MECHANISMS)}"
        raise ValueError(f"{name} is no mechanism of xbot's{hint}")
    return tuple(name for name in SASL_MECHANISMS if name in asked_for)


def pins(value: str) -> frozenset[bytes]:
    """Certificate pins: SHA-256 hashes of public keys, 32 bytes each, given in base64."""
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
    """Whether to use direct TLS (XEP-0368): ``direct`` is true, ``starttls`` false."""
    if value not in ("direct", "starttls"):
        raise ValueError(f"{value!r} is neither direct nor starttls")
    return value == "direct"


def parser(value: str) -> str:
    """One of :data:`~xbot.config.settings.PARSERS`; deprecated, without effect."""
    if value not in PARSERS:
        raise ValueError(f"{value!r} is none of {', '.join(PARSERS)}")
    return value


def listen(value: str) -> Listen:
    """``ADDRESS:PORT``, or the path of a unix socket."""
    if "/" in value:
        return Listen(path=path(value))
    address, _, number = value.rpartition(":")
    try:
        return Listen(_address(address), port(number))
    except ValueError:
        raise ValueError(f"{value!r} {_what_is_missing(value)}") from None


def _address(text: str) -> str:
    """An IP address, with or without its brackets; ``localhost`` is 127.0.0.1."""
    text = {"localhost": "127.0.0.1"}.get(text, text.removeprefix("[").removesuffix("]"))
    ipaddress.ip_address(text)
    return text


def _what_is_missing(value: str) -> str:
    """What is wrong with an invalid ``listen``, and what to write."""
    try:
        return f"has no port: write {Listen(_address(value), 8088)}, with the port that you want"
    except ValueError:
        address, _, number = value.rpartition(":")
    if address in ("", "*") and re.fullmatch(r"[0-9]{1,5}", number):
        return (
            f"has no address: write 127.0.0.1:{number} to serve this machine only, or"
            f" 0.0.0.0:{number} to serve every machine that can reach it"
        )
    return "is neither ADDRESS:PORT (127.0.0.1:8088) nor the path of a socket"


def hosts(value: str) -> frozenset[str]:
    """Host names and IP addresses, in lower case."""
    return frozenset(host(name).lower() for name in names(value))


def people(value: str) -> People:
    """A list of bare JIDs and ``@DOMAIN``."""
    return People.parse(names(value))


def subscriptions(value: str) -> frozenset[str]:
    """People, and at most one policy of :data:`~xbot.config.settings.SUBSCRIPTIONS`."""
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


def rooms_and_people(value: str) -> frozenset[str]:
    """Bare addresses of rooms and people, which look alike."""
    found = set()
    for name in names(value):
        jid = Jid.parse(name)
        if jid.local is None or jid.resource is not None:
            raise ValueError(f"{name!r} is neither ROOM@SERVICE nor NAME@DOMAIN")
        found.add(str(jid))
    return frozenset(found)


def rate(value: str) -> Rate | None:
    """A rate limit ``COUNT/TIME``; None for ``off``."""
    if value == "off":
        return None
    burst, slash, period = (part.strip() for part in value.partition("/"))
    if not slash or not re.fullmatch(r"[0-9]{1,4}", burst) or int(burst) == 0:
        raise ValueError(f"{value!r} is no rate: write it like 4/4s (4 in 4 seconds), or off")
    return Rate(int(burst), duration(period))


def confirmation(value: str) -> bool:
    """``yes`` or ``no``: whether the sender has to confirm."""
    try:
        return yes_or_no(value)
    except ValueError as error:
        raise ValueError(f"{error}; the sender confirms, and allow says who that may be") from None


def approvals(most: int) -> Callable[[str], int]:
    """A converter of the number of people who have to approve, up to ``most``."""
    convert = number(0, most)

    def convert_approvals(value: str) -> int:
        try:
            return convert(value)
        except ValueError as error:
            if value.isdecimal():
                raise
            raise ValueError(f"{error}; allow says who may approve") from None

    return convert_approvals


def number(least: int, most: int) -> Callable[[str], int]:
    """A converter of whole numbers from ``least`` to ``most``."""

    def convert(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"{value!r} is no number from {least} to {most}")
        return int(value)

    return convert


def pattern(value: str) -> str:
    """A valid regular expression, as text."""
    try:
        re.compile(value)
    except re.error as error:
        where = "" if error.pos is None else f" (character {error.pos + 1})"
        raise ValueError(f"is no regular expression: {error.msg}{where}") from error
    except (OverflowError, RecursionError) as error:
        raise ValueError("is too complex a regular expression") from error
    return value


def template(value: str) -> str:
    """A valid text template with fields such as ``{name}``."""
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
    """The path of a webhook's URL: two names or more, without a query."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+){2,8}", value) or len(value) > 200:
        raise ValueError(f"{value!r} is no path of two names or more, such as /webhook/alerts")
    return value


def no_secret(value: str) -> None:
    """``none``, the only possible value: posts need no authentication."""
    if value != "none":
        raise ValueError("only none is possible; a secret stands in a file (secret-file)")


def webhook_template(value: str) -> str:
    """``file:PATH``, the name of a bundled template, or a template's text."""
    if not value.startswith("file:"):
        Template.parse(value, DOTTED.fullmatch)
    return value


def dotted(value: str) -> str:
    """The dotted name of a JSON field, such as ``alert.id``."""
    if not DOTTED.fullmatch(value):
        raise ValueError(f"{value!r} is no field such as alert.id")
    return value


def dedupe(value: str) -> float:
    """The deduplication window in seconds; 0 for ``no``."""
    return 0.0 if value == "no" else duration(value, MAX_DEDUPE)


def python_object(value: str) -> str:
    """``module:object``, ``module`` or ``entry-point:NAME``; only the syntax is checked."""
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


def written(value: object) -> str:
    """The ini text of a default value; empty for one that no ini could contain.

    The inverse of the converters above.
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return durations.written(value)
        case Rate():
            return f"{value.burst}/{durations.written(value.period)}"
        case Levels() if not value.special:
            return value.usual
        case People() if value == NOBODY:
            return "nobody"
        case str() | int():
            return str(value)
    return ""
