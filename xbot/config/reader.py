"""Read and validate the ini: returns frozen settings, or raises all problems at once."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from xbot.config import ini
from xbot.config.folder import read_folder
from xbot.config.lint import lint
from xbot.config.options import BUNDLED, CLOSED
from xbot.config.places import default_state, read
from xbot.config.scripts import scripts
from xbot.config.secrets import read_password
from xbot.config.sections import ConvertedSection, Source, check_unique, convert
from xbot.config.settings import (
    EMBEDDED,
    EMBEDDED_SENDER_RATE,
    BotSettings,
    Config,
    HttpSettings,
    Listen,
    ResponderSettings,
    RoomSettings,
)
from xbot.config.webhooks import read_webhooks
from xbot.config.whom import Groups, read_groups, read_people, read_whom
from xbot.config.xmpp_section import read_xmpp
from xbot.model.access import ROOM_WORDS, Access
from xbot.model.errors import InvalidConfig, Problem
from xbot.text.did_you_mean import suggest
from xbot.text.template import FACTS, Template

#: Options that are needed only to connect.
ACCOUNT_FILES = {"password", "password-file", "ca-file", "certificate-file", "key-file"}

#: The longest path of a unix socket, in bytes (unix(7)).
MAX_SOCKET_PATH = 107


def load(
    path: Path,
    environ: Mapping[str, str] = os.environ,
    bundled: Collection[str] = BUNDLED,
    *,
    connects: bool = True,
    obeys: bool | None = None,
) -> Config:
    """Read the ini at ``path``, or raise :class:`InvalidConfig` with all problems.

    ``bundled`` names the responders that need no section. Relative paths in
    the ini start from its folder. No problem quotes a password. With ``connects``
    false, for tools that do not log in, the files of the account (passwords, keys,
    certificates) may be missing or unreadable. With ``obeys`` false (by default as
    ``connects``), for all tools, another owner of the ini or of code is a warning: root
    checks the ini of the bot's user, a container reads a checkout of another user's.
    """
    parsed, status = read(path)
    source = Source(path, status.st_mode, status.st_uid, os.geteuid(), environ)
    source.problems.extend(parsed.problems)
    # Privilege escalation: the ini names programs that the bot runs.
    source.check_trust(0, "", "", [path])
    read_folder(source, parsed.sections)
    sections = [
        section
        for section in (convert(source, section) for section in parsed.sections)
        if section is not None
    ]
    check_unique(sections)
    account = _first(sections, "xmpp")
    groups = read_groups(sections)
    bot = _bot(source, _first(sections, "xbot"), account, groups)
    xmpp = read_xmpp(source, account, groups)
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
        bot.may_write_to,
    )
    if not connects:
        source.problems[:] = [each for each in source.problems if each.option not in ACCOUNT_FILES]
    refuses_owners = connects if obeys is None else obeys
    (source.problems if refuses_owners else source.warnings).extend(source.of_owners)
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
        (*source.warnings, *_warnings(path, parsed, bot, {*known, *groups, *ROOM_WORDS})),
        groups,
    )


def _warnings(
    path: Path, parsed: ini.Ini, bot: BotSettings, known: Collection[str]
) -> Iterator[Problem]:
    """Warnings about values that were probably meant otherwise, or that will be rejected later.

    ``known`` are the names that lists may contain.
    """
    for section, option, line, reason in lint(parsed.sections, known):
        yield Problem(path, line, section.title, option.name, reason)
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
        parsed, _ = read(path)
    except InvalidConfig:
        return 0
    return _line_in(parsed, section, option)


def _line_in(parsed: ini.Ini, section: str, option: str) -> int:
    found = parsed.option(section, option)
    return found.line if found is not None else 0


def _first(sections: Iterable[ConvertedSection], kind: str) -> ConvertedSection | None:
    return next((section for section in sections if section.kind.name == kind), None)


def _bot(
    source: Source,
    section: ConvertedSection | None,
    account: ConvertedSection | None,
    groups: Groups,
) -> BotSettings:
    """The settings of ``[xbot]``; the defaults if the section is missing.

    ``account`` is the section ``[xmpp]``, on which one default depends.
    """
    given = section.given(BotSettings) if section is not None else {}
    given["state"] = state = source.locate(given.get("state") or default_state(source))
    if section is not None and os.path.exists(state) and not os.path.isdir(state):
        section.blame("state", f"{state} is no folder")
    if account is not None and account.values.get("server") == EMBEDDED:
        given.setdefault("sender_rate", EMBEDDED_SENDER_RATE)
    if section is not None:
        given["may_write_to"], _ = read_people(section, "may-write-to", groups)
    return BotSettings(**given)


def _http(source: Source, section: ConvertedSection | None) -> HttpSettings | None:
    """The settings of ``[http]``; None without the section, or without a valid ``listen``."""
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
    return HttpSettings(**section.given(HttpSettings) | {"listen": where})


def _room(section: ConvertedSection, name: str, known: Collection[str]) -> RoomSettings | None:
    """The settings of a ``[room JID]``; None if its JID is invalid."""
    responders: frozenset[str] | None = section.values.get("responders")
    for responder in sorted(responders or ()):
        if responder not in known:
            section.blame(
                "responders", f"there is no responder {responder!r}{suggest(responder, known)}"
            )
    password = read_password(section)
    if section.jid is None:
        return None
    read = {"jid": section.jid, "password": password}
    return RoomSettings(**{"nick": name} | section.given(RoomSettings) | read)


def _responder(section: ConvertedSection, groups: Groups) -> ResponderSettings | None:
    """The settings of a ``[responder NAME]``; problems are added to its source."""
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
    given = section.given(ResponderSettings)
    if "run" in values:
        given["run"] = _find_program(section, values["run"])
    if is_bundled:
        given["use"] = BUNDLED[section.name]
    whom = {option: read_whom(section, option, groups) for option in ("allow", "deny")}
    return ResponderSettings(
        section.name,
        settings=section.own,
        path=section.source.path,
        line=section.line,
        access=Access(**section.given(Access) | whom),
        file=file,
        lines={name: option.line for name, option in section.section.options.items()},
        **given,
    )


def _check_fields(section: ConvertedSection) -> None:
    """Check that the fields of templates are named groups of the section's patterns, or known."""
    values = section.values
    patterns = [option for option in ("match", "hear") if section.has(option)]
    if any(option not in values for option in patterns):
        # With an invalid pattern its groups, and so the valid fields, are not known.
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
