"""Listener: a TCP port or unix socket that is opened with retries, and stale sockets replaced."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from xbot.config.settings import Listen
from xbot.model.errors import reason

#: Seconds until the next retry.
RETRY = 30.0

#: Maximum number of connections that wait to be accepted (listen(2)).
BACKLOG = 50


class Listener:
    """Listens at ``where`` for ``factory``, between :meth:`start` and :meth:`stop`.

    If the address is in use, this is logged once and retried; the bot works without
    it meanwhile. ``mode`` is the file mode of a unix socket. A stale socket that a
    killed bot left behind is replaced; one that accepts connections is not.
    """

    _log = Logger("xbot.web.listener")

    def __init__(self, where: Listen, factory: Any, reactor: Any, *, mode: int = 0o600) -> None:
        self.where = where
        self._factory = factory
        self._reactor = reactor
        self._mode = mode
        self._port: Any = None
        self._again: IDelayedCall | None = None
        self._told = ""

    @property
    def is_open(self) -> bool:
        return self._port is not None

    @property
    def address(self) -> Any:
        """The address it listens at; only while it is open."""
        return self._port.getHost()

    def start(self) -> None:
        """Begin to listen, with retries until it succeeds."""
        self._again = None
        try:
            self._port = self._listen()
        except (CannotListenError, OSError) as error:
            why = reason(getattr(error, "socketError", error))
            if why != self._told:
                self._told = why
                self._log.error(
                    "cannot listen at {where}: {reason}; trying again every {seconds:g} s",
                    where=str(self.where),
                    reason=why,
                    seconds=RETRY,
                )
            self._again = self._reactor.callLater(RETRY, self.start)
        else:
            self._log.info("listening at {where}", where=str(self.where))

    def stop(self) -> Deferred[Any]:
        """Stop listening; fires when that is done."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening if port is not None else lambda: None)

    def _listen(self) -> Any:
        where = self.where
        if where.path is None:
            return self._reactor.listenTCP(
                where.port, self._factory, backlog=BACKLOG, interface=where.host
            )
        _remove_stale(where.path)
        # umask: no other user may connect before the mode is set.
        before = os.umask(0o177)
        try:
            return self._reactor.listenUNIX(
                str(where.path), self._factory, backlog=BACKLOG, mode=self._mode
            )
        finally:
            os.umask(before)


def _remove_stale(path: Path) -> None:
    """Remove a unix socket that refuses connections; FileExistsError for anything else there."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FileExistsError("there is a file of that name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        try:
            line.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise FileExistsError("another program listens there")
