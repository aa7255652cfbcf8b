"""Ini parser that keeps line numbers and reports all errors, not only the first.

The grammar is that of :class:`configparser.RawConfigParser` with ``=`` as the
only delimiter, ``;`` (after a blank) as the only inline comment, no default
section and no interpolation. Beyond it, a backslash quotes the ``;`` or ``#`` that would
begin a comment. The standard parser keeps no line numbers, and stops at the first error of
some kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import define, field, frozen

from xbot.model.errors import Problem

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COMMENT = re.compile(r"^\s*[;#]|(?<=\s);")
#: The first backslash before a ``;`` (where a line of the value begins, or after a blank) or a
#: ``#`` (where a line begins). Elsewhere a backslash quotes nothing: it is part of the value.
_QUOTING = re.compile(r"^\\(?=\\*[;#])|(?<=\s)\\(?=\\*;)")
_NAME = re.compile(r"[\w.-]{1,64}")


@frozen
class Comment:
    """A comment within a value, at line ``line``: behind a part of it, or a whole line.

    ``mark`` is ``;`` or ``#``, and ``text`` what follows it, which may be a part of a password.
    ``is_apart`` is false if it might be meant as a part of the value: no blank behind the
    mark, or only one before it.
    """

    line: int
    mark: str
    text: str = field(repr=False)
    is_line: bool
    is_apart: bool


@frozen
class Option:
    """``name = value``, its line number and comments. The name is in lower case.

    The ``comments`` are those at the ends of the value's lines, and between them.
    """

    name: str
    value: str = field(repr=False)
    line: int
    comments: tuple[Comment, ...] = ()


@frozen
class Section:
    """``[kind name]``, its line number and its options; ``name`` may be empty."""

    kind: str
    name: str
    line: int
    options: Mapping[str, Option]

    @property
    def title(self) -> str:
        """The text between the brackets."""
        return f"{self.kind} {self.name}".rstrip()


@frozen
class Ini:
    """A parsed file: its sections in order, and its syntax errors."""

    sections: tuple[Section, ...]
    problems: tuple[Problem, ...]

    def option(self, section: str, name: str) -> Option | None:
        """The option ``name`` of ``[section]``, None if it is not there."""
        found = (
            each.options[name]
            for each in self.sections
            if each.title == section and name in each.options
        )
        return next(found, None)


def parse(data: bytes, path: Path) -> Ini:
    """Parse an ini. Never raises: every error is in ``problems``.

    A problem never quotes a value or an invalid line, which may hold a password.
    """
    if data.startswith(_UTF_16):
        return Ini((), (Problem(path, 1, "", "", "this is UTF-16: save the file as UTF-8"),))
    reader = _Reader(path)
    for number, line in enumerate(_split(data), 1):
        reader.got_line(number, line)
    reader.close_option()
    return Ini(tuple(reader.sections), tuple(reader.problems))


def _split(data: bytes) -> Iterator[bytes]:
    # Not splitlines(): it also splits at separators that editors do not show as line ends.
    data = data.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    yield from data.split(b"\n")


def _unquoted(text: str) -> str:
    """A line of a value, without the backslashes that quote a ``;`` or ``#``."""
    return _QUOTING.sub("", text)


def _comment(number: int, line: str, found: re.Match[str]) -> Comment:
    before, text = line[: found.end() - 1], line[found.end() :]
    is_line = not before.strip()
    is_apart = is_line or before.endswith("\t") or before[-2:].isspace()
    is_apart = is_apart and (not text or text[0].isspace())
    return Comment(number, line[found.end() - 1], text, is_line, is_apart)


@define(eq=False, repr=False)
class _Reader:
    """Parser state."""

    path: Path
    sections: list[Section] = field(factory=list)
    problems: list[Problem] = field(factory=list)
    #: Options of the current section; None after an invalid heading.
    options: dict[str, Option] | None = None
    title: str = ""
    headed: bool = False
    #: The option that a further, more indented line continues. The name is None if the
    #: option is invalid: its continuation lines are then dropped, too.
    name: str | None = None
    line: int = 0
    indent: int | None = None
    values: list[str] = field(factory=list)
    comments: list[Comment] = field(factory=list)

    def got_line(self, number: int, data: bytes) -> None:
        """Parse one line: a comment, a heading, an option, or a continuation line."""
        line = self._decode(number, data)
        comment = _COMMENT.search(line)
        text = (line[: comment.start()] if comment else line).strip()
        indent = len(line) - len(line.lstrip())
        continues = self.indent is not None and indent > self.indent
        if not text:
            if comment is None:
                self.values.append("")
            elif continues:
                self.comments.append(_comment(number, line, comment))
            return
        if continues:
            self.values.append(_unquoted(text))
        else:
            self.close_option()
            if text.startswith("["):
                self._got_heading(number, text)
            else:
                self._got_option(number, indent, text)
        if comment is not None:
            self.comments.append(_comment(number, line, comment))

    def close_option(self) -> None:
        """Store the current option: it has no further continuation line."""
        if self.name is not None and self.options is not None:
            value = "\n".join(self.values).strip()
            comments = tuple(self.comments)
            self.options[self.name] = Option(self.name, value, self.line, comments)
        self.name = None
        self.indent = None
        self.values = []
        self.comments = []

    def _decode(self, number: int, data: bytes) -> str:
        """The line as text; invalid UTF-8 and control characters are problems, and are replaced."""
        line = data.decode("utf-8", "replace")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            self._problem(number, "the line is not UTF-8")
        found = _CONTROL.search(line)
        if found:
            self._problem(number, f"the line has a control character (U+{ord(found[0]):04X})")
        return _CONTROL.sub("\ufffd", line)

    def _got_heading(self, number: int, text: str) -> None:
        """Begin a section, or report an invalid heading."""
        self.headed = True
        words = text[1:-1].split(None, 1) if text.endswith("]") else []
        if not words:
            self.options = None
            self.title = ""
            self._problem(number, "a heading is written [kind] or [kind name]")
            return
        options: dict[str, Option] = {}
        section = Section(words[0], words[1].rstrip() if words[1:] else "", number, options)
        self.sections.append(section)
        self.options = options
        self.title = section.title

    def _got_option(self, number: int, indent: int, text: str) -> None:
        """Begin an option, or report why it is invalid."""
        self.indent = indent
        name, delimiter, value = text.partition("=")
        name = name.rstrip().lower()
        if not self.headed:
            self._problem(number, "this stands before the first [section]")
        elif not delimiter or not _NAME.fullmatch(name):
            self._problem(number, "an option is written name = value")
        elif self.options is not None and name in self.options:
            first = self.options[name].line
            self._problem(number, f"is already set in line {first}", name)
        else:
            self.name = name
            self.line = number
            self.values = [_unquoted(value.strip())]

    def _problem(self, line: int, reason: str, option: str = "") -> None:
        self.problems.append(Problem(self.path, line, self.title, option, reason))
