"""Read and validate the ini: returns frozen settings, or raises all problems at once."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from xbot.config import credentials, ini
from xbot.config.folder import read_folder
from xbot.config.options import BUNDLED, CLOSED
from xbot.config.scripts import scripts
from xbot.config.sections import ConvertedSection, Source, check_unique, convert
from xbot.config.settings import (
    EMBEDDED,
    LOG_FORMATS,
    MAX_OUTPUT,
    MAX_RUNS,
    ROOM_RATE,
    SENDER_RATE,
    SUBSCRIPTIONS,
    BotSettings,
    Config,
    HttpSettings,
    Listen,
    ResponderSettings,
    RoomSettings,
    Secret,
    XmppSettings,
)
from xbot.config.webhooks import read_webhooks
from xbot.config.whom import Groups, read_groups, read_people, read_whom
from xbot.logs.levels import Levels
from xbot.model.access import Access
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.jid import Jid
from xbot.text.did_you_mean import suggest
from xbot.text.saslprep import saslprep
from xbot.text.template import FACTS, Template

#: Maximum size of an ini, in bytes; a larger file was named by mistake.
MAX_SIZE = 1 << 20

#: Options that are needed only to connect.
ACCOUNT_FILES = {"password", "password-file", "ca-file", "certificate-file", "key-file"}

#: The longest path of a unix socket, in bytes (unix(7)).
MAX_SOCKET_PATH = 107

#: Default paths of the ini: of an installed bot, then in a source checkout.
INSTALLED = Path("/etc/xbot/xbot.ini")
CHECKOUT = Path("etc/xbot.ini")


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """The path of the default ini; raises :class:`InvalidConfig` if there is none."""
    directory = environ.get("CONFIGURATION_DIRECTORY", "").partition(":")[0]
    places = [Path(directory, "xbot.ini")] if directory else []
    places += [INSTALLED, CHECKOUT]
    for place in places:
        if os.path.exists(place):
            return place
    tried = ", ".join(str(place) for place in places)
    raise InvalidConfig([Problem(Path("xbot.ini"), 0, "", "", f"not found; tried {tried}")])


def load(
    path: Path,
    environ: Mapping[str, str] = os.environ,
    bundled: Collection[str] = BUNDLED,
    *,
    connects: bool = True,
) -> Config:
    """Read the ini at ``path``, or raise :class:`InvalidConfig` with all problems.

    ``bundled`` names the responders that need no section. Relative paths in
    the ini start from its folder. No problem quotes a password. With ``connects``
    false, for tools that do not log in, the files of the account (passwords, keys,
    certificates) may be missing or unreadable.
    """
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
    source = Source(path, status.st_mode, status.st_uid, os.geteuid(), environ)
    source.problems.extend(parsed.problems)
    if status.st_mode & stat.S_IWOTH:
        # It names programs to run.
        source.blame(0, "", "", f"anyone can write to it: chmod o-w {path}")
    read_folder(source, parsed.sections)
    sections = [
        section
        for section in (convert(source, section) for section in parsed.sections)
        if section is not None
    ]
    check_unique(sections)
    bot = _bot(source, _first(sections, "xbot"))
    groups = read_groups(sections)
    xmpp = _xmpp(source, _first(sections, "xmpp"), groups)
    responders = [
        _responder(section, groups) for section in sections if section.kind.name == "responder"
    ]
    named = {section.name for section in sections if section.kind.name == "responder"}
    line = _line_in(parsed, "xbot", "responders")
    responders += [
        ResponderSettings(name, path=path, line=line, file=file)
        for name, file in source.files.items()
        if name not in named
    ]
    known = {*bundled, *named, *source.files}
    rooms = [_room(section, bot.name, known) for section in sections if section.kind.name == "room"]
    http_section = _first(sections, "http")
    http = _http(source, http_section)
    webhooks = read_webhooks(
        (section for section in sections if section.kind.name == "webhook"),
        http,
        http_section is not None,
        [room for room in rooms if room is not None],
    )
    if not connects:
        source.problems[:] = [each for each in source.problems if each.option not in ACCOUNT_FILES]
    if source.problems or xmpp is None:
        raise InvalidConfig(sorted(source.problems, key=attrgetter("line")))
    return Config(
        path.absolute(),
        bot,
        xmpp,
        tuple(room for room in rooms if room is not None),
        tuple(responder for responder in responders if responder is not None),
        http,
        webhooks,
        tuple(_warnings(path, parsed, bot)),
    )


def _warnings(path: Path, parsed: ini.Ini, bot: BotSettings) -> Iterator[Problem]:
    """What is understood in this version and not for ever."""
    line = _line_in(parsed, "xbot", "log-level")
    for old, new in bot.log_level.renamed:
        reason = f"{old} is called {new} now; the old name will not be understood for ever"
        yield Problem(path, line, "xbot", "log-level", reason)
    line = _line_in(parsed, "xmpp", "parser")
    if line:
        reason = "there is only one parser now; remove this option, the next version rejects it"
        yield Problem(path, line, "xmpp", "parser", reason)


def line_of(path: Path, section: str, option: str) -> int:
    """The line of ``option`` in ``[section]`` of the ini at ``path``; 0 if it is not there."""
    try:
        data, _ = credentials.read_file(path, MAX_SIZE)
    except credentials.Unusable:
        return 0
    return _line_in(ini.parse(data, path), section, option)


def _line_in(parsed: ini.Ini, section: str, option: str) -> int:
    for found in parsed.sections:
        if found.title == section and option in found.options:
            return found.options[option].line
    return 0


def _first(sections: Iterable[ConvertedSection], kind: str) -> ConvertedSection | None:
    return next((section for section in sections if section.kind.name == kind), None)


def _bot(source: Source, section: ConvertedSection | None) -> BotSettings:
    values = section.values if section else {}
    environ = source.environ
    ours = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if ours:
        default = Path(ours)
    elif environ.get("XDG_STATE_HOME"):
        default = Path(environ["XDG_STATE_HOME"], "xbot")
    else:
        default = source.home / ".local/state/xbot"
    state = source.locate(values.get("state", default))
    if section is not None and os.path.exists(state) and not os.path.isdir(state):
        section.blame("state", f"{state} is no folder")
    return BotSettings(
        values.get("name", "xbot"),
        values.get("prefix", ""),
        state,
        values.get("journal-keep", 30 * 86400.0),
        values.get("log-level", Levels()),
        values.get("log-format", LOG_FORMATS[0]),
        values.get("sender-rate", SENDER_RATE),
        values.get("room-rate", ROOM_RATE),
    )


def _xmpp(source: Source, section: ConvertedSection | None, groups: Groups) -> XmppSettings | None:
    if section is None:
        source.blame(0, "xmpp", "", "this section is missing: it names the bot's account")
        return None
    values = section.values
    server = values.get("server")
    # With an invalid ``server`` the checks below would guess: skip them.
    if server == EMBEDDED:
        for option in (
            "password", "password-file", "host", "ca-file",
            "tls", "pin-sha256", "certificate-file", "key-file", "sasl",
        ):  # fmt: skip
            if section.has(option):
                section.blame(option, f"makes no sense with server = {EMBEDDED}")
        password = None
    else:
        if section.has("port") and not section.has("host") and not section.has("server"):
            section.blame("port", "is used only together with host; the SRV look-up names the port")
        if section.has("tls") and not section.has("host"):
            section.blame("tls", "is used only together with host; the SRV look-up tells it")
        if not section.has("jid") and not section.has("server"):
            section.blame("jid", f"is missing: the bot's account (or set server = {EMBEDDED})")
        password = _account_password(section)
    ca_file = _file(section, "ca-file")
    certificate_file = _file(section, "certificate-file")
    key_file = _file(section, "key-file")
    if server != EMBEDDED:
        _check_key(section, key_file)
    direct_tls = values.get("tls", False)
    subscribers, rules = read_people(section, "subscriptions", groups, SUBSCRIPTIONS)
    invited_by, _ = read_people(section, "accept-invites", groups)
    jid = values.get("jid") or (Jid.parse("xbot@localhost/bot") if server == EMBEDDED else None)
    if jid is None:
        return None
    return XmppSettings(
        jid,
        password,
        server,
        values.get("host"),
        values.get("port", 5223 if direct_tls else 5222),
        ca_file,
        values.get("ping-interval", 30.0),
        values.get("ping-timeout", 10.0),
        values.get("resume-max-age", 120.0),
        values.get("reconnect-max", 300.0),
        sasl=values.get("sasl"),
        certificate_file=certificate_file,
        key_file=key_file,
        pins=values.get("pin-sha256", frozenset()),
        direct_tls=direct_tls,
        room_ping_interval=values.get("room-ping-interval", 300.0),
        accept_invites=invited_by,
        subscriptions=next(iter(rules), SUBSCRIPTIONS[0]),
        subscribers=subscribers,
    )


def _http(source: Source, section: ConvertedSection | None) -> HttpSettings | None:
    if section is None:
        return None
    if not section.has("listen"):
        section.blame("", "listen is missing: where to listen, as in 127.0.0.1:8088")
    where = section.values.get("listen")
    if where is None:
        return None
    if where.path is not None:
        path = source.locate(where.path)
        where = Listen(path=path)
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            section.blame("listen", f"a socket's path has at most {MAX_SOCKET_PATH} bytes")
    return HttpSettings(where, section.values.get("hosts", frozenset()))


def _file(section: ConvertedSection, option: str) -> Path | None:
    """The path that ``option`` names, or None; a missing file is a problem."""
    if option not in section.values:
        return None
    source = section.source
    locate = source.locate_secret if option == "key-file" else source.locate
    path = locate(section.values[option])
    if not os.path.isfile(path):
        section.blame(option, f"there is no file {path}")
    return path


def _check_key(section: ConvertedSection, key_file: Path | None) -> None:
    """Check that ``certificate-file``, ``key-file`` and ``sasl`` are consistent."""
    for option, other in (("certificate-file", "key-file"), ("key-file", "certificate-file")):
        if section.has(option) and not section.has(other):
            section.blame(option, f"is of no use without {other}")
    if key_file is not None and os.path.isfile(key_file):
        source = section.source
        try:
            credentials.read_private(key_file, source.environ, source.us, credentials.MAX_KEY)
        except credentials.Unusable as error:
            section.blame("key-file", error.reason)
    if "EXTERNAL" in section.values.get("sasl", ()) and not section.has("certificate-file"):
        section.blame("sasl", "EXTERNAL needs certificate-file and key-file")


def _account_password(section: ConvertedSection) -> Secret | None:
    if section.has("password") or section.has("password-file") or section.has("server"):
        password = _password(section)
    else:
        path = credentials.default_file(section.source.environ)
        if path is not None:
            password = _read_password(section, path)
        else:
            password = None
            _check_no_password(section)
    _check_preparable(section, password)
    return password


def _check_no_password(section: ConvertedSection) -> None:
    """Check that a client certificate is configured, as there is no password."""
    if not section.has("certificate-file"):
        section.blame(
            "password-file",
            "is missing: write the account's password into a file that only you can read "
            "(chmod 600) and name it here",
        )
    elif "EXTERNAL" not in section.values.get("sasl", ("EXTERNAL",)):
        section.blame("sasl", "none of these works without a password: allow EXTERNAL, or set one")


def _check_preparable(section: ConvertedSection, password: Secret | None) -> None:
    """Check the user name and password with SASLprep (RFC 4013): else no login could succeed."""
    jid = section.values.get("jid")
    option = "password" if section.has("password") else "password-file"
    for where, text in (
        ("jid", jid.local if jid is not None else None),
        (option, password.reveal() if password is not None else None),
    ):
        try:
            if text and not saslprep(text):
                raise ValueError("nothing but characters that SASLprep drops")
        except ValueError as error:
            # Do not quote the text, which may be the password.
            section.blame(where, f"cannot be used to log in: it has {error} (RFC 4013)")


def _password(section: ConvertedSection) -> Secret | None:
    source = section.source
    if section.has("password"):
        if section.has("password-file"):
            section.blame("password-file", "password is set as well; only one of them can be")
        reason = credentials.exposure(source.path, source.mode, source.owner, source.us)
        if reason:
            section.blame("password", f"{reason}; or move the password to a password-file")
        value: Secret | None = section.values.get("password")
        return value
    if "password-file" in section.values:
        return _read_password(section, source.locate_secret(section.values["password-file"]))
    return None


def _read_password(section: ConvertedSection, path: Path) -> Secret | None:
    try:
        return credentials.read_password(path, section.source.environ, section.source.us)
    except credentials.Unusable as error:
        section.blame("password-file", error.reason)
        return None


def _room(section: ConvertedSection, name: str, known: Collection[str]) -> RoomSettings | None:
    responders: frozenset[str] | None = section.values.get("responders")
    for responder in sorted(responders or ()):
        if responder not in known:
            section.blame(
                "responders", f"there is no responder {responder!r}{suggest(responder, known)}"
            )
    password = _password(section)
    if section.jid is None:
        return None
    return RoomSettings(section.jid, section.values.get("nick", name), password, responders)


def _responder(section: ConvertedSection, groups: Groups) -> ResponderSettings | None:
    values = section.values
    # In the file's order, so that the problem names the second one.
    kinds = [kind for kind in section.section.options if kind in ("reply", "run", "use")]
    file = section.source.files.get(section.name)
    has_pattern = section.has("match") or section.has("hear")
    is_bundled = not kinds and not has_pattern and file is None and section.name in BUNDLED
    if is_bundled and section.name in CLOSED and not section.has("allow"):
        section.blame("", "allow is missing: it is there only for those whom the ini names")
    if file is not None:
        for kind in kinds:
            section.blame(kind, f"{file} is the responder of that name already")
    elif len(kinds) != 1 and not is_bundled:
        blamed = kinds[1] if kinds else ""
        section.blame(blamed, "exactly one of reply, run and use must be set")
    has_code = is_bundled or file is not None or "use" in kinds
    if not has_code and not has_pattern:
        section.blame("", "neither match nor hear is set: it would never answer")
    _check_fields(section)
    return ResponderSettings(
        section.name,
        values.get("match"),
        values.get("hear"),
        values.get("usage"),
        values.get("help"),
        values.get("reply"),
        _find_program(section, values["run"]) if "run" in values else None,
        BUNDLED[section.name] if is_bundled else values.get("use"),
        values.get("timeout", 30.0),
        section.own,
        section.source.path,
        section.line,
        effect=values.get("effect"),
        access=Access(
            read_whom(section, "allow", groups),
            read_whom(section, "deny", groups),
            values.get("rooms"),
            values.get("direct", True),
        ),
        confirm=values.get("confirm", False),
        approve=values.get("approve", 0),
        rate=values.get("rate"),
        runs=values.get("runs", MAX_RUNS),
        output=values.get("output", MAX_OUTPUT),
        enabled=values.get("enabled", True),
        file=file,
        lines={name: option.line for name, option in section.section.options.items()},
    )


def _check_fields(section: ConvertedSection) -> None:
    values = section.values
    patterns = [option for option in ("match", "hear") if section.has(option)]
    if any(option not in values for option in patterns):
        # A pattern is invalid: its groups, which are the fields, are not known.
        return
    groups: set[str] = set()
    for option in patterns:
        found = set(re.compile(values[option]).groupindex)
        groups |= found
        is_template = "reply" in values or "run" in values
        for name in sorted(found & FACTS) if is_template else ():
            section.blame(option, f"the group {name!r} hides the field {{{name}}}: rename it")
    known = FACTS | groups
    for option in ("reply", "run"):
        templates = [values["reply"]] if option == "reply" and option in values else []
        if option == "run":
            # The program's path itself is no template.
            templates = list(values.get("run", ())[1:])
        fields = {name for template in templates for name in Template.parse(template).fields}
        for name in sorted(fields - known):
            section.blame(option, f"there is no field {{{name}}}{suggest(name, known)}")
    for script in scripts(values.get("run", ())):
        for name in Template.parse(script).fields:
            section.blame(
                "run",
                f"what people say would be run as code: no {{{name}}} within a script; hand it on"
                f""" behind it, as in sh -c 'echo "$1"' sh {{{name}}}""",
            )


def _find_program(section: ConvertedSection, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """``arguments`` with the program's path made absolute."""
    source = section.source
    program = arguments[0]
    if "{" in program or "}" in program:
        # Code that fills in the arguments might treat the path as a template, too.
        section.blame("run", "the program must be named literally, without { and }")
        return arguments
    if "/" in program:
        found = shutil.which(source.locate(Path(program)))
    else:
        found = shutil.which(program, path=source.environ.get("PATH", os.defpath))
    if found is None:
        section.blame("run", f"there is no program {program!r} that we may run")
        return arguments
    return (os.path.abspath(found), *arguments[1:])
