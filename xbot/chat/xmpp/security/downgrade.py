"""How each account logged in at best, kept on disk, so that nobody talks us into less."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from xbot.chat.xmpp.security.channel_binding import EXPORTER
from xbot.chat.xmpp.security.mechanisms import Choice
from xbot.chat.xmpp.wire.errors import ConnectionProblem, ProtocolViolation
from xbot.config.credentials import Unusable, read_file
from xbot.model.errors import reason
from xbot.model.jid import Jid
from xbot.state import private_file

#: More than this file ever holds, in bytes.
MAX_SIZE = 64 * 1024


class Downgrade(ProtocolViolation):
    """The server offers less than this account used before: perhaps somebody is in between."""


class MemoryUnreadable(ConnectionProblem):
    """Nobody knows how this account logged in before: less than the best could be less than that.

    Mend the file or remove it; it is read again at the next try.
    ``is_broken``: it was read, and holds something else.
    """

    kind = "login-memory"

    def __init__(self, path: Path, reason: object, *, is_broken: bool) -> None:
        super().__init__(
            f"refused to log in by less than channel binding: cannot read in {path} how this"
            f" account logged in before ({reason}); mend the file, remove it if you trust the"
            " server once more, or set sasl = ... in [xmpp]"
        )
        self.reason = reason
        self.is_broken = is_broken


class Best(NamedTuple):
    """A mechanism, and the channel binding it was used with."""

    mechanism: str
    binding: str | None = None

    @property
    def rank(self) -> int:
        """How much a later login must not fall behind."""
        if self.binding is not None:
            return 3 if self.binding == EXPORTER else 2
        return 0 if self.mechanism == "PLAIN" else 1


class DowngradeProtection:
    """The best login of each account (bare JID), in the JSON file ``path``.

    What was used once is asked for from then on:

    - After any SCRAM or EXTERNAL, PLAIN is refused.
    - After tls-exporter, a login that is not bound is refused.
    - After another type, such a login is refused where that type can be had on
      the connection. tls-unique does not exist in TLS 1.3, and some servers
      cannot bind there: the bot must survive the day on which either side
      begins to speak it. Such a login is not left alone: the server is told
      that we could have bound (gs2 flag ``y``), and PLAIN stays refused.

    EXTERNAL hands over nothing and is always taken. A weaker hash is no
    downgrade. Nothing is ever forgotten: the operator removes the file, or sets
    ``sasl``, which overrides both the choice and this memory.

    The file is read once and written when something better was used. While it
    cannot be read, only what could not be better is allowed: EXTERNAL, and what
    is bound to the connection. After such a login a broken one is written anew.
    One that cannot be written is told in the log; the memory then lasts as long
    as the process.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Best] | None = None

    def check(self, jid: Jid, choice: Choice, bindings: Collection[str]) -> None:
        """Whether ``jid`` may log in so, on a connection that has these ``bindings``.

        :raises Downgrade: when it logged in better before.
        :raises MemoryUnreadable: when it may have.
        """
        if choice.mechanism == "EXTERNAL" or choice.binding_type is not None:
            return
        best = self._read().get(str(jid.bare))
        if best is None:
            return
        if best.binding is not None and (best.binding == EXPORTER or best.binding in bindings):
            raise Downgrade(self._words(best, "no channel binding"))
        if best.rank and choice.mechanism == "PLAIN":
            raise Downgrade(self._words(best, "only PLAIN"))

    def got_login(self, jid: Jid, choice: Choice) -> None:
        """``jid`` has logged in so, and the server has proved itself."""
        best = Best(choice.mechanism, choice.binding_type)
        try:
            known = self._read()
        except MemoryUnreadable as problem:
            self._log.error(
                "cannot read how we logged in before: {path}: {reason}",
                path=str(self._path),
                reason=str(problem.reason),
            )
            if not problem.is_broken:
                return
            known = self._known = {}
        before = known.get(str(jid.bare))
        if best.rank > (before.rank if before is not None else 0):
            known[str(jid.bare)] = best
            self._write(known)

    def _words(self, best: Best, now: str) -> str:
        return (
            f"the server offers {now}, where this account used {best.mechanism} before; if the"
            f" server really changed, set sasl = ... in [xmpp] or remove {self._path}"
        )

    def _read(self) -> dict[str, Best]:
        if self._known is None:
            try:
                # lstat: a link to nothing is no file that never was.
                self._path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                self._known = {}
                return self._known
            except OSError as error:
                raise MemoryUnreadable(self._path, error.strerror, is_broken=False) from error
            try:
                data, _ = read_file(self._path, MAX_SIZE)
            except Unusable as error:
                raise MemoryUnreadable(self._path, error, is_broken=False) from error
            try:
                self._known = _parsed(data)
            except (ValueError, RecursionError) as error:
                raise MemoryUnreadable(self._path, error, is_broken=True) from error
        return self._known

    def _write(self, known: dict[str, Best]) -> None:
        content = {
            jid: {"mechanism": best.mechanism, "binding": best.binding}
            for jid, best in sorted(known.items())
        }
        try:
            private_file.replace(self._path, json.dumps(content, indent=1).encode() + b"\n")
        except OSError as error:
            self._log.warn(
                "cannot note how we logged in; it is forgotten with this process: {path}: {error}",
                path=str(self._path),
                error=reason(error),
            )


def _parsed(data: bytes) -> dict[str, Best]:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("it holds something else")
    known = {}
    for jid, entry in content.items():
        mechanism = entry.get("mechanism") if isinstance(entry, dict) else None
        binding = entry.get("binding") if isinstance(entry, dict) else None
        if not isinstance(mechanism, str) or not isinstance(binding, str | None):
            raise ValueError("it holds something else")
        known[jid] = Best(mechanism, binding)
    return known
