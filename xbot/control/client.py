"""Control socket client: send one request to the daemon and wait for the reply. Blocking."""

from __future__ import annotations

import socket
from pathlib import Path

from attrs import evolve

from xbot.control.protocol import MAX_LINE, SOCKET_NAME, Question, Reply, Request, Result
from xbot.model.errors import XbotError, reason
from xbot.process.uptime import uptime

#: Seconds added to the time-out of the request, for the daemon's own work.
GRACE = 10.0


class NotRunning(XbotError):
    """No daemon answers: it is not running, or has another state folder, or another user."""


def ask(state: Path, request: Request) -> Reply:
    """Send ``request`` to the daemon with this state folder; return its reply.

    :raises NotRunning: when no daemon answers.
    """
    # A deadline: a request taken after it would be answered after we have given up.
    request = evolve(request, until=uptime() + GRACE)
    return _exchange(state / SOCKET_NAME, request.line(), request.timeout + GRACE)


def ask_for(question: str, state: Path, account: str | None, limit: float = GRACE) -> Reply:
    """Ask the daemon with this state folder for its ``status``, or to ``reload``.

    The reply to the first is ready, not ready or lost, to the second done, refused or lost.
    ``limit`` is the time-out in seconds. Refused if ``account`` (a bare JID) is not the daemon's.

    :raises NotRunning: when no daemon answers.
    """
    return _exchange(state / SOCKET_NAME, Question(question, account).line(), limit)


def _exchange(path: Path, asked: bytes, limit: float) -> Reply:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(limit)
        try:
            line.connect(str(path))
        except OSError as error:
            raise NotRunning(f"no bot answers at {path}: {reason(error)}") from None
        try:
            line.sendall(asked)
            data = b""
            while not data.endswith(b"\n") and len(data) <= MAX_LINE:
                more = line.recv(65536)
                if not more:
                    break
                data += more
            return Reply.parse(data)
        except TimeoutError:
            return Reply(Result.LOST, "the bot does not answer")
        except (OSError, ValueError, KeyError, TypeError):
            return Reply(Result.LOST, "the bot went away")
