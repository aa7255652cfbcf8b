"""Reconnect policy: after each problem retry, redirect, change the resource, or give up."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from attrs import define

from xbot.chat.xmpp.wire.errors import ConnectionProblem, LoginRefused, StreamError

#: Number of refused logins in a row after which to give up.
LOGIN_TRIES = 3

#: Number of resource conflicts that are answered by another resource. After one more we
#: give up: that program would take each further resource, too.
CONFLICTS = 1


class Verdict(Enum):
    """What to do about a problem."""

    RETRY = "try again after a growing delay"
    OTHER_RESOURCE = "log in under another resource"
    REDIRECT = "go where the server sends us"
    RETRY_RARELY = "try again after a long delay"
    GIVE_UP = "only a person can help"


class ResourceConflict(ConnectionProblem):
    """Another program keeps logging in to our account under our resource (RFC 6120, 4.9.3.3).

    To retry would disconnect both for ever. Give each program its own account.
    """


@define(eq=False, repr=False)
class ReconnectPolicy:
    """Maps each problem to a verdict, and counts refusals and conflicts.

    ======================================  ==========================================
    problem                                 verdict
    ======================================  ==========================================
    credentials refused                     retry; give up at the third time in a row,
                                            but retry rarely where they have worked
    credentials refused for now             retry
    ``conflict``                            once another resource, then give up
    ``see-other-host``                      redirect, at once
    anything else: no answer, certificate,  retry
    protocol, time-out, the server's errors
    ======================================  ==========================================

    ``has_worked()`` tells whether this account has logged in before, in another process.
    What worked is no mistake of the ini: the server's account store may be starting, or
    be restored.
    """

    has_worked: Callable[[], bool] = lambda: False
    refusals: int = 0
    conflicts: int = 0
    _has_had_session: bool = False

    def judge(self, problem: ConnectionProblem) -> Verdict:
        """Count ``problem`` and return the verdict."""
        condition = problem.condition if isinstance(problem, StreamError) else None
        if condition == "see-other-host":
            return Verdict.REDIRECT
        if condition == "conflict":
            self.conflicts += 1
            return Verdict.OTHER_RESOURCE if self.conflicts <= CONFLICTS else Verdict.GIVE_UP
        if isinstance(problem, LoginRefused) and problem.final:
            self.refusals += 1
            if self.refusals < LOGIN_TRIES:
                return Verdict.RETRY
            works = self._has_had_session or self.has_worked()
            return Verdict.RETRY_RARELY if works else Verdict.GIVE_UP
        if not isinstance(problem, LoginRefused):
            self.refusals = 0
        return Verdict.RETRY

    def got_session(self) -> None:
        """A login succeeded: reset the count of refusals."""
        self.refusals = 0
        self._has_had_session = True
