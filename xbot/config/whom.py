"""Resolve lists of people in the ini: JIDs, domains, groups, and keywords where allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from xbot.config.sections import ConvertedSection
from xbot.model.access import ROOM_WORDS, AccessList
from xbot.model.people import NOBODY, People
from xbot.text.did_you_mean import suggest

Groups = Mapping[str, People]


def read_groups(sections: Iterable[ConvertedSection]) -> Groups:
    """The ``[group NAME]`` sections, by name."""
    groups = {}
    for section in sections:
        if section.kind.name != "group":
            continue
        if section.name in ROOM_WORDS:
            section.blame("", f"{section.name} means people of a room already; choose another name")
        if not section.has("members"):
            section.blame("", "members is missing: who belongs to it")
        groups[section.name] = section.values.get("members", NOBODY)
    return groups


def read_people(
    section: ConvertedSection, option: str, groups: Groups, words: Collection[str] = ()
) -> tuple[People, frozenset[str]]:
    """The people that ``option`` names, and which of the keywords ``words`` it contains."""
    names: frozenset[str] = section.values.get(option, frozenset())
    found = []
    for name in sorted(names - set(words)):
        if "@" not in name:
            if name in groups:
                found.append(groups[name])
            else:
                section.blame(option, _unknown(name, groups, words))
            continue
        try:
            found.append(People.parse([name]))
        except ValueError as error:
            section.blame(option, str(error))
    return People.union(found), names & set(words)


def _unknown(name: str, groups: Groups, words: Collection[str]) -> str:
    """The problem with ``name``, which is no group. A room's people are never suggested.

    They are other people than a group of the ini: the room's owner chooses them.
    """
    words = set(words) if name.startswith("room-") else set(words) - set(ROOM_WORDS)
    known = f"one of {', '.join(sorted(words))}, " if words else ""
    hint = suggest(name, {*groups, *words} - set(ROOM_WORDS))
    return f"{name!r} is not {known}NAME@DOMAIN, @DOMAIN or a [group]{hint}"


def read_whom(section: ConvertedSection, option: str, groups: Groups) -> AccessList | None:
    """The people and affiliations that ``allow`` or ``deny`` names; None if it is not set."""
    if not section.has(option):
        return None
    people, words = read_people(section, option, groups, ROOM_WORDS)
    affiliations: frozenset[str] = frozenset().union(*(ROOM_WORDS[word] for word in words))
    names: Iterable[str] = section.values.get(option, ())
    return AccessList(people, affiliations, names=tuple(sorted(names)))
