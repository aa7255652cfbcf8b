"""Downgrade protection: the strongest login of each account, kept on disk and required again."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from xbot.chat.xmpp.security.channel_binding import EXPORTER, UNIQUE
from xbot.chat.xmpp.security.mechanisms import Choice
from xbot.chat.xmpp.wire.errors import ConnectionProblem, ProtocolViolation
from xbot.config.credentials import Unusable, read_file
from xbot.model.errors import reason
from xbot.model.jid import Jid
from xbot.state import private_file

#: Maximum size of the file that is read, in bytes; an honest one is smaller.
MAX_SIZE = 64 * 1024

#: Name of the file in the state folder.
FILE_NAME = "login.json"


#: The binding types of one connection. The other one, tls-server-end-point, is of a certificate.
_OF_CONNECTION = (EXPORTER, UNIQUE)


class Downgrade(ProtocolViolation):
    """The server offers a weaker login than before: perhaps a man in the middle."""


class MemoryUnreadable(ConnectionProblem):
    """The file cannot be read, so a login that is not bound to the connection may be a downgrade.

    Repair the file or remove it; it is read again at the next try.
    ``is_broken``: the file is readable, but its content is not valid.
    """

    kind = "login-memory"

    def __init__(self, path: Path, reason: object, *, is_broken: bool) -> None:
        super().__init__(
            f"refused to log in without channel binding to this connection: cannot read in {path}"
            f" how this account logged in before ({reason}); repair the file, remove it if you"
            " trust the server once more, or set sasl = ... in [xmpp]"
        )
        self.reason = reason
        self.is_broken = is_broken


class Best(NamedTuple):
    """A login: the mechanism, and the channel-binding type it used."""

    mechanism: str
    binding: str | None = None

    @property
    def rank(self) -> int:
        """Strength: 0 PLAIN, 1 SCRAM or EXTERNAL, 2 bound, 3 by tls-unique, 4 by tls-exporter."""
        if self.binding is not None:
            return {EXPORTER: 4, UNIQUE: 3}.get(self.binding, 2)
        return 0 if self.mechanism == "PLAIN" else 1

    def __str__(self) -> str:
        return f"{self.mechanism} with {self.binding}" if self.binding else self.mechanism


class DowngradeProtection:
    """Requires of each account (bare JID) the strength of its best login so far.

    The best logins are stored in the JSON file ``path``. Once a strength was used, it
    is required:

    - After any SCRAM or EXTERNAL, PLAIN is refused.
    - After tls-exporter, a login that is not bound, or by tls-server-end-point, is refused.
      That type binds to the certificate only, so it is the same in all connections of a man
      in the middle who has the server's key. tls-unique is of one connection, too.
    - After tls-unique, the same two are refused if the connection has tls-unique.
    - After tls-server-end-point, a login that is not bound is refused if the connection
      has that type. tls-unique does not exist in TLS 1.3, and some servers cannot bind
      there; so the bot still logs in after either side has switched to TLS 1.3. Such
      an unbound login keeps some protection: the server is told that we could have
      bound (gs2 flag ``y``), and PLAIN stays refused.

    EXTERNAL sends no secret and is always allowed. A weaker hash is not a downgrade.
    Entries never expire: the operator removes the file, or sets ``sasl``, which
    overrides both the choice and this check.

    The file is read once, and written after a stronger login than before. While it
    cannot be read, only the strongest logins are allowed: EXTERNAL, and those that are
    bound to the connection (tls-exporter, tls-unique). After such a login a file with
    invalid content is replaced. If the file cannot be written, the log says so, and the
    entries last as long as the process.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Best] | None = None

    def check(self, jid: Jid, choice: Choice, bindings: Collection[str]) -> None:
        """Check the ``choice`` of ``jid`` on a connection with these channel-binding types.

        :raises Downgrade: when an earlier login was stronger.
        :raises MemoryUnreadable: when the file cannot tell.
        """
        if choice.mechanism == "EXTERNAL" or choice.binding_type in _OF_CONNECTION:
            return
        best = self._read().get(str(jid.bare))
        if best is None:
            return
        if best.binding is not None and (best.binding == EXPORTER or best.binding in bindings):
            if choice.binding_type is None:
                raise Downgrade(self._words(best, "no channel binding", bindings))
            if best.binding in _OF_CONNECTION:
                raise Downgrade(self._words(best, f"only {choice.binding_type}", bindings))
        if best.rank and choice.mechanism == "PLAIN":
            raise Downgrade(self._words(best, "only PLAIN", bindings))

    def knows(self, jid: Jid) -> bool:
        """Whether a login of ``jid`` is stored; False where the file cannot tell."""
        try:
            return str(jid.bare) in self._read()
        except MemoryUnreadable:
            return False

    def got_login(self, jid: Jid, choice: Choice) -> None:
        """Store a successful login of ``jid``, in which the server authenticated itself, too."""
        best = Best(choice.mechanism, choice.binding_type)
        try:
            known = self._read()
        except MemoryUnreadable as problem:
            self._log.error(
                "cannot read how this account logged in before: {path}: {reason}",
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

    def _words(self, best: Best, now: str, bindings: Collection[str]) -> str:
        is_old = best.binding == EXPORTER and EXPORTER not in bindings
        on = " on this connection older than TLS 1.3" if is_old else ""
        return (
            f"the server offers {now}{on}, where this account used {best} before; if the"
            f" server really changed, set sasl = ... in [xmpp] or remove {self._path}"
        )

    def _read(self) -> dict[str, Best]:
        if self._known is None:
            try:
                # lstat: a dangling link is an unreadable file, not a missing one.
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
                "cannot store how this account logged in, so a restart forgets it: {path}: {error}",
                path=str(self._path),
                error=reason(error),
            )


def _parsed(data: bytes) -> dict[str, Best]:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("its content is not valid")
    known = {}
    for jid, entry in content.items():
        mechanism = entry.get("mechanism") if isinstance(entry, dict) else None
        binding = entry.get("binding") if isinstance(entry, dict) else None
        if not isinstance(mechanism, str) or not isinstance(binding, str | None):
            raise ValueError("its content is not valid")
        known[jid] = Best(mechanism, binding)
    return known
