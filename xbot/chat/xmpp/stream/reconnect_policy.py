"""What each end of a connection leads to: try again, change something first, or give up."""

from __future__ import annotations

from enum import Enum

from attrs import define

from xbot.chat.xmpp.wire.errors import ConnectionProblem, LoginRefused, StreamError

#: How often refused credentials are tried before only a person can help.
LOGIN_TRIES = 3

#: How often another program may take our resource before we stop: once, after
#: which we log in under another. A second one wants us gone, or has no bound.
CONFLICTS = 1


class Verdict(Enum):
    """What to do about a problem."""

    RETRY = "try again after a growing delay"
    OTHER_RESOURCE = "log in under another resource"
    REDIRECT = "go where the server sends us"
    GIVE_UP = "only a person can help"


class ResourceConflict(ConnectionProblem):
    """Another program keeps logging in to our account under our name (RFC 6120, 4.9.3.3).

    To go on would be a fight that throws both out for ever. Give each its own account.
    """


@define(eq=False, repr=False)
class ReconnectPolicy:
    """Judges problems, remembering those before.

    ======================================  ==========================================
    problem                                 verdict
    ======================================  ==========================================
    credentials refused                     retry; give up at the third time in a row
    credentials refused for now             retry
    ``conflict``                            once another resource, then give up
    ``see-other-host``                      redirect, at once
    anything else: no answer, certificate,  retry
    protocol, time-out, the server's errors
    ======================================  ==========================================
    """

    refusals: int = 0
    conflicts: int = 0

    def judge(self, problem: ConnectionProblem) -> Verdict:
        """What this problem leads to."""
        condition = problem.condition if isinstance(problem, StreamError) else None
        if condition == "see-other-host":
            return Verdict.REDIRECT
        if condition == "conflict":
            self.conflicts += 1
            return Verdict.OTHER_RESOURCE if self.conflicts <= CONFLICTS else Verdict.GIVE_UP
        if isinstance(problem, LoginRefused) and problem.final:
            self.refusals += 1
            return Verdict.GIVE_UP if self.refusals >= LOGIN_TRIES else Verdict.RETRY
        if not isinstance(problem, LoginRefused):
            self.refusals = 0
        return Verdict.RETRY

    def got_session(self) -> None:
        """We are logged in: the credentials are right."""
        self.refusals = 0
