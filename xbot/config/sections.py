"""Validate section and option names, and convert option values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import AttrsInstance, define, field, fields_dict, frozen

from xbot.config import credentials, ini
from xbot.config.lint import hint
from xbot.config.options import BUNDLED, KINDS, SectionKind
from xbot.model.errors import InvalidJid, Problem
from xbot.model.jid import Jid
from xbot.process.file_trust import TrustedUsers, find_distrust, trusted_users
from xbot.text.did_you_mean import suggest

_KINDS = {kind.name: kind for kind in KINDS}


@frozen(eq=False, repr=False)
class Source:
    """The ini being read: its path and permissions, our user and environment, its problems."""

    path: Path
    mode: int
    owner: int
    us: int
    environ: Mapping[str, str]
    problems: list[Problem] = field(factory=list)
    #: Whose files are obeyed.
    users: TrustedUsers = field(factory=trusted_users)
    #: Problems with the owners of files, which only the daemon refuses.
    of_owners: list[Problem] = field(factory=list)
    #: Folders far above a file that other users could change.
    warnings: list[Problem] = field(factory=list)
    #: Files of the responder folder, by the responder's name.
    files: dict[str, Path] = field(factory=dict)

    def blame(self, line: int, section: str, option: str, reason: str) -> None:
        # Values may have several lines; a problem is one line.
        reason = reason.replace("\n", "\\n")
        self.problems.append(Problem(self.path, line, section, option, reason))

    def check_trust(self, line: int, section: str, option: str, paths: Iterable[Path]) -> None:
        """Add a problem or a warning if another user could change the files ``paths``."""
        for path in paths:
            try:
                for found in find_distrust(path, self.users):
                    reason = found.reason.replace("\n", "\\n")
                    problem = Problem(self.path, line, section, option, reason)
                    kind = self.of_owners if found.is_owner else self.problems
                    kind = self.warnings if found.is_far else kind
                    # Several files have the same folders above them.
                    if problem not in kind:
                        kind.append(problem)
            except OSError as error:
                self.blame(line, section, option, f"cannot read {path}: {error.strerror}")

    def locate(self, path: Path) -> Path:
        """Resolve ``path`` relative to the ini's folder, with ``~`` expanded."""
        if path.parts[:1] == ("~",):
            path = self.home.joinpath(*path.parts[1:])
        return self.path.absolute().parent / path

    def locate_secret(self, path: Path) -> Path:
        """Resolve the path of a secret; a systemd credential of that name takes precedence.

        A secret beside the ini belongs to root, and the unit's dynamic user cannot read it.
        """
        is_name = len(path.parts) == 1
        handed = credentials.default_file(self.environ, path.name) if is_name else None
        return handed or self.locate(path)

    @property
    def home(self) -> Path:
        return Path(self.environ.get("HOME") or os.path.expanduser("~"))


@define(eq=False, repr=False)
class ConvertedSection:
    """A section of a known kind with converted options.

    ``name`` is normalised, to find duplicates. ``jid`` is a room's, or None if it is
    invalid. ``values`` holds the valid options, and ``own`` the texts of options that
    belong to a Python responder.
    """

    source: Source
    kind: SectionKind
    section: ini.Section
    name: str
    jid: Jid | None = None
    values: dict[str, Any] = field(factory=dict, repr=False)
    own: dict[str, str] = field(factory=dict, repr=False)

    @property
    def line(self) -> int:
        return self.section.line

    def has(self, option: str) -> bool:
        """Whether ``option`` is set, with a valid value or not."""
        return option in self.section.options

    def given(self, settings: type[AttrsInstance]) -> dict[str, Any]:
        """The values that the ini sets, by their attribute in ``settings``."""
        return {
            each.attribute: self.values[each.name]
            for each in self.kind.options
            if each.name in self.values and each.attribute in fields_dict(settings)
        }

    def blame(self, option: str, reason: str) -> None:
        """Add a problem with ``option``, or, if that is empty, with the whole section."""
        line = self.line
        if self.has(option):
            found = self.section.options[option]
            line = found.line
            reason += hint(found, self.kind.option(option))
        self.source.blame(line, self.section.title, option, reason)


def convert(source: Source, section: ini.Section) -> ConvertedSection | None:
    """Validate names and convert values; None if the kind is unknown."""
    kind = _KINDS.get(section.kind)
    if kind is None:
        reason = f"there is no such kind of section{suggest(section.kind, _KINDS)}"
        source.blame(section.line, section.title, "", reason)
        return None
    result = ConvertedSection(source, kind, section, section.name)
    _check_name(result)
    for option in section.options.values():
        declared = kind.option(option.name)
        if declared is None and kind.name == "responder" and _is_python(result):
            result.own[option.name] = option.value
        elif declared is None:
            valid = [known.name for known in kind.options]
            result.blame(option.name, f"there is no such option{suggest(option.name, valid)}")
        elif not option.value and option.name != "prefix":
            result.blame(option.name, "has no value")
        else:
            try:
                result.values[option.name] = declared.convert(option.value)
            except ValueError as error:
                result.blame(option.name, str(error))
    return result


def _is_python(section: ConvertedSection) -> bool:
    is_bundled = section.name in BUNDLED and not section.has("reply") and not section.has("run")
    return section.has("use") or section.name in section.source.files or is_bundled


def _check_name(section: ConvertedSection) -> None:
    """Check, and normalise, a section's name by its kind."""
    if not section.kind.argument:
        if section.name:
            section.blame("", f"takes no name: it is written {section.kind.heading}")
        section.name = ""
    elif not section.name:
        section.blame("", f"needs a name: it is written {section.kind.heading}")
    elif section.kind.name == "room":
        try:
            jid = Jid.parse(section.name)
        except InvalidJid as error:
            section.blame("", str(error))
            return
        section.name = str(jid)
        if jid.resource:
            section.blame("", f"a room's JID has no resource; nick = {jid.resource} sets the nick")
        elif jid.local is None:
            section.blame("", f"{section.name} is no room: a room's JID is ROOM@SERVICE")
        else:
            section.jid = jid
    elif not re.fullmatch(r"[\w-]+", section.name):
        section.blame("", f"a {section.kind.name}'s name has only letters, digits, _ and -")


def check_unique(sections: Iterable[ConvertedSection]) -> None:
    """Add a problem for each section that repeats an earlier one's kind and name."""
    lines: dict[tuple[str, str], int] = {}
    for section in sections:
        key = (section.kind.name, section.name)
        first = lines.setdefault(key, section.line)
        if first != section.line and (section.name or not section.kind.argument):
            section.blame("", f"is already there in line {first}")
