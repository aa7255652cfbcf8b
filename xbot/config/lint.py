"""Lint of single option values: comments and quotes that were probably meant otherwise.

No text here quotes a value or a comment: both may be parts of a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from xbot.config import ini, values
from xbot.config.options import KINDS, OptionKind, SectionKind

#: Converters of values that are any text, of texts of several lines (Markdown has lines that
#: begin with #), and of lists.
_TEXTS: frozenset[Callable[[str], Any]] = frozenset(
    {
        values.secret, values.prefix, values.nick, values.one_line, values.pattern,
        values.command, values.template, values.webhook_template,
    }
)  # fmt: skip
_LONG_TEXTS = {values.template, values.webhook_template}
_LISTS = {values.names, values.people, values.rooms, values.subscriptions}

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def lint(
    sections: Iterable[ini.Section], known: Collection[str]
) -> Iterator[tuple[ini.Section, ini.Option, int, str]]:
    """Warnings: section, option, line and reason. ``known`` are names that lists may contain."""
    kinds = {kind.name: kind for kind in KINDS}
    for section in sections:
        kind = kinds.get(section.kind)
        for option in section.options.values() if kind is not None else ():
            declared = kind.option(option.name) if kind is not None else None
            comment = _cutting(option, declared, known)
            if comment is not None:
                is_list = declared is not None and declared.convert in _LISTS
                yield section, option, comment.line, _told(comment, is_list)
            if _QUOTED.fullmatch(option.value) and not _is_command(declared):
                reason = "the quotes are part of the value: leave them out, unless they are meant"
                yield section, option, option.line, reason
            for name in _swallowed(option, kind) if kind is not None else ():
                reason = f"{name} = ... is part of this value: begin its line as far left as this"
                yield section, option, option.line, reason


def _swallowed(option: ini.Option, kind: SectionKind) -> Iterator[str]:
    """Options that are written within the value, since their lines are indented further."""
    for line in option.value.split("\n")[1:]:
        found = re.match(r"([\w-]{1,64})\s*=(?!=)", line)
        if found is not None and kind.option(found[1].lower()) is not None:
            yield found[1].lower()


def hint(option: ini.Option, declared: OptionKind | None) -> str:
    """What may have led to a mistake in this value, to add to its reason; or nothing."""
    comment = _cutting(option, declared)
    if comment is not None:
        quoted = f"\\{comment.mark}"
        return f" (a comment in line {comment.line} cuts the value: {quoted} is no comment)"
    if " # " in option.value:
        return " (# begins a comment only at the start of a line: write ; for it)"
    if not _QUOTED.fullmatch(option.value):
        return ""
    if _is_command(declared) and " " not in option.value:
        return ""
    effect = "make it one word" if _is_command(declared) else "are part of the value"
    return f" (the quotes {effect}: leave them out)"


def _is_command(declared: OptionKind | None) -> bool:
    # Quotes are usual in it, and no part of its words.
    return declared is not None and declared.convert is values.command


def _cutting(
    option: ini.Option, declared: OptionKind | None, known: Collection[str] = ()
) -> ini.Comment | None:
    """The first comment in the value that was probably meant as a part of it."""
    convert = declared.convert if declared is not None else None
    return next((each for each in option.comments if _cuts(each, convert, known)), None)


def _cuts(
    comment: ini.Comment, convert: Callable[[str], Any] | None, known: Collection[str]
) -> bool:
    if convert is None or convert in _TEXTS:
        # Options without a declaration are those of a responder's code: any text.
        is_heading = comment.is_line and comment.mark == "#" and convert in _LONG_TEXTS
        return is_heading or not comment.is_apart
    if comment.is_line:
        # Rooms of an IRC gateway begin with #. In other lists it is an entry that is left out.
        return convert is values.rooms and comment.mark == "#" and not comment.is_apart
    first = re.split(r"[\s,;]", comment.text.lstrip(), maxsplit=1)[0]
    return convert in _LISTS and ("@" in first or first in known)


def _told(comment: ini.Comment, is_list: bool) -> str:
    if comment.is_line:
        return (
            f"this line is a comment and no part of the value: write \\{comment.mark} if it is"
            ' meant, and "; " with a blank to begin a comment'
        )
    if is_list:
        return (
            "the list ends here, since ; after a blank begins a comment: names are separated by"
            " blanks or commas"
        )
    return (
        "the value ends here, since ; after a blank begins a comment: write \\; if it is meant,"
        ' and two blanks before "; " to begin a comment'
    )
