"""The verdict on each problem."""

from twisted.trial import unittest

from xbot.chat.xmpp.stream.reconnect_policy import ReconnectPolicy, Verdict
from xbot.chat.xmpp.wire.errors import (
    ConnectionProblem,
    LoginRefused,
    NegotiationTimeout,
    PingTimeout,
    ProtocolViolation,
    StreamError,
)

REFUSED = LoginRefused("not-authorized", final=True)
NOT_NOW = LoginRefused("temporary-auth-failure", final=False)
CONFLICT = StreamError("conflict", "")


class VerdictsTests(unittest.TestCase):
    def judge(self, *problems, has_worked=False):
        """The verdicts on problems, one after the other; None stands for a login."""
        verdicts, found = ReconnectPolicy(lambda: has_worked), []
        for problem in problems:
            if problem is None:
                verdicts.got_session()
            else:
                found.append(verdicts.judge(problem).name)
        return found

    def test_table(self):
        """Each row of the table in the class's docstring."""
        other = ProtocolViolation("x")
        for problems, expected in (
            ([REFUSED] * 3, ["RETRY", "RETRY", "GIVE_UP"]),
            ([REFUSED, REFUSED, None, REFUSED], ["RETRY"] * 3),
            ([REFUSED, REFUSED, other, REFUSED], ["RETRY"] * 4),
            ([REFUSED, REFUSED, NOT_NOW, REFUSED], ["RETRY", "RETRY", "RETRY", "GIVE_UP"]),
            ([NOT_NOW] * 9, ["RETRY"] * 9),
            ([CONFLICT, None, CONFLICT], ["OTHER_RESOURCE", "GIVE_UP"]),
            ([StreamError("see-other-host", "", "x")], ["REDIRECT"]),
            ([StreamError("system-shutdown", "")] * 9, ["RETRY"] * 9),
        ):
            self.assertEqual(self.judge(*problems), expected, problems)

    def test_what_has_worked(self):
        """An account that has logged in before is no mistake of the ini: it is tried for ever."""
        expected = ["RETRY", "RETRY", *["RETRY_RARELY"] * 7]
        self.assertEqual(self.judge(*[REFUSED] * 9, has_worked=True), expected)
        self.assertEqual(self.judge(None, *[REFUSED] * 9), expected)
        self.assertEqual(self.judge(None, *[REFUSED] * 3, None, REFUSED)[-1], "RETRY")

    def test_everything_else_is_tried_again(self):
        """Nothing that may pass by itself is ever final."""
        for problem in (
            ConnectionProblem("x"), NegotiationTimeout("x"), PingTimeout("x"),
            ProtocolViolation("x"), StreamError("policy-violation", "x"),
        ):  # fmt: skip
            self.assertEqual(self.judge(*[problem] * 20), ["RETRY"] * 20)

    def test_every_verdict_is_reached(self):
        """The table leaves no verdict without a use."""
        redirect = StreamError("see-other-host", "", "x")
        reached = {*self.judge(CONFLICT, CONFLICT), *self.judge(NOT_NOW, redirect)}
        reached |= {*self.judge(None, *[REFUSED] * 3)}
        self.assertEqual(reached, {verdict.name for verdict in Verdict})
