"""Export a brain to JSON, and import it again, for backups and migration."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from xbot.model.errors import XbotError
from xbot.model.file_state import UnusableFile
from xbot.state.brain.contents import Bounds, Contents
from xbot.state.brain.file import BrainFile, Content, Stamp
from xbot.state.brain.lasting import Clocks, elapsed
from xbot.state.brain.values import frozen as encoded
from xbot.state.sqlite.file import BrokenFile, take_lock

#: Version of the JSON format.
VERSION = 1

#: Maximum size of an import, in bytes.
MAX_SIZE = 256 * 1024 * 1024

#: Maximum number of problems that are reported.
MAX_PROBLEMS = 20


class InvalidExport(XbotError):
    """The JSON is no valid export; nothing was changed. ``problems`` lists what is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@frozen
class Exported:
    """One value of an export. ``expires`` is in seconds since 1970, or None."""

    namespace: str
    key: str
    value: Any
    expires: float | None


@frozen
class Imported:
    """Result of an import: numbers of keys that were new, replaced, or left out as expired."""

    new: int
    replaced: int
    expired: int

    def __str__(self) -> str:
        said = f"imported: {self.new} new, {self.replaced} replaced"
        return f"{said}; {self.expired} had expired and were left out" if self.expired else said


def as_json(content: Content, clocks: Clocks) -> str:
    """Export all values that have not expired, as ASCII JSON with expiry times in UTC.

    Values that are no valid JSON in the file are left out.
    """
    now = _now(content, clocks)
    wall = clocks.wall()
    namespaces: dict[str, dict[str, Any]] = {}
    for row in content.rows:
        if row.expires is not None and row.expires <= now:
            continue
        try:
            entry = {"value": json.loads(row.text)}
        except (ValueError, RecursionError):
            continue
        if row.expires is not None:
            entry["expires"] = _written(wall + row.expires - now)
        namespaces.setdefault(row.namespace, {})[row.key] = entry
    whole = {"version": VERSION, "namespaces": namespaces}
    return json.dumps(whole, indent=1, ensure_ascii=True) + "\n"


def parse(text: str | bytes) -> list[Exported]:
    """Parse and validate an export (see :func:`as_json`).

    :raises InvalidExport: with every problem and its place.
    """
    try:
        whole = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidExport(["it is nested too deeply"]) from None
    except ValueError as error:
        raise InvalidExport([f"it is no JSON: {error}"]) from None
    if not isinstance(whole, dict) or not isinstance(whole.get("namespaces"), dict):
        raise InvalidExport(["it is no export of a brain: it has no namespaces"])
    if type(whole.get("version")) is not int or whole["version"] != VERSION:
        raise InvalidExport([f"its version is {whole.get('version')!r}, not {VERSION}"])
    problems = [f"{name!r}: unknown" for name in whole if name not in ("version", "namespaces")]
    found: list[Exported] = []
    for namespace, entries in whole["namespaces"].items():
        where = repr(namespace)
        if not namespace or not _is_writable(namespace):
            problems.append(f"{where}: no name for a namespace")
        elif not isinstance(entries, dict):
            problems.append(f"{where}: not an object of keys")
        else:
            for key, entry in entries.items():
                try:
                    found.append(_exported(namespace, key, entry))
                except (ValueError, TypeError) as error:
                    problems.append(f"{where}: {key!r}: {error}")
    if problems:
        more = len(problems) - MAX_PROBLEMS
        if more > 0:
            problems[MAX_PROBLEMS:] = [f"and {more} more"]
        raise InvalidExport(problems)
    return found


def import_into(
    path: Path, exported: Sequence[Exported], clocks: Clocks, bounds: Bounds | None = None
) -> Imported:
    """Merge ``exported`` into the brain's file, in one transaction: all of it, or nothing.

    Blocking. The bot must not be running.

    :raises xbot.model.file_state.UnusableFile: when a bot is using the file.
    :raises xbot.model.file_state.FileUnavailable: when it cannot be written now.
    :raises xbot.state.sqlite.file.BrokenFile: when it is corrupt; the bot would move it aside.
    :raises xbot.state.brain.errors.BrainFull: when the limits leave no room for all of it.
    """
    try:
        lock = take_lock(path)
    except UnusableFile as used:
        raise UnusableFile(path, "the bot is running; stop it first") from used
    try:
        return _import_into(BrainFile(path), exported, clocks, bounds)
    except BrokenFile as broken:
        raise BrokenFile(f"{path}: {broken}") from broken
    finally:
        os.close(lock)


def _import_into(
    file: BrainFile, exported: Sequence[Exported], clocks: Clocks, bounds: Bounds | None
) -> Imported:
    try:
        (content,) = file.commit([BrainFile.content])
        now, wall = _now(content, clocks), clocks.wall()
        contents = Contents(clocks.uptime, bounds=bounds)
        contents.closed = None
        contents.adopt(content.rows, now)
        new = replaced = expired = 0
        for each in exported:
            ttl = None if each.expires is None else each.expires - wall
            if ttl is not None and ttl <= 0:
                expired += 1
                continue
            if contents.find(each.namespace, each.key) is None:
                new += 1
            else:
                replaced += 1
            contents.put(each.namespace, each.key, each.value, ttl)
        rows, gone = contents.rows(contents.unsaved())
        stamp = Stamp(contents.now(), clocks.read())
        (written,) = file.commit([lambda file: file.write(rows, gone, stamp)])
        assert written == stamp
    finally:
        file.close()
    return Imported(new, replaced, expired)


def _now(content: Content, clocks: Clocks) -> float:
    """The present time on the brain's own clock, in which ``Row.expires`` is given."""
    stamp = content.stamp
    if stamp is None:
        return 0.0
    return stamp.now + elapsed(stamp.moment, clocks.read())


def _exported(namespace: str, key: str, entry: object) -> Exported:
    if not _is_writable(key):
        raise ValueError("no key: it cannot be written as UTF-8")
    if not isinstance(entry, dict) or "value" not in entry:
        raise ValueError('not an object with a "value"')
    unknown = [name for name in entry if name not in ("value", "expires")]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown")
    encoded(entry["value"])
    return Exported(namespace, key, entry["value"], _read(entry.get("expires")))


def _written(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        # Later than the calendar goes.
        moment = datetime.max.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(expires: object) -> float | None:
    if expires is None:
        return None
    if not isinstance(expires, str):
        raise ValueError('"expires" is no text like 2031-05-17T09:30:00Z')
    try:
        moment = datetime.fromisoformat(expires)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f'"expires" is {expires[:40]!r}, not like 2031-05-17T09:30:00Z')
    return moment.timestamp()


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands in one object twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
