"""Where a domain's server is."""

import builtins

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.names import dns
from twisted.names import error as names
from twisted.trial import unittest

from tests.xmpp.harness import PROPERTY, lowest
from xbot.xmpp import endpoints
from xbot.xmpp.endpoints import DomainEndpoint, ServiceNotOffered, Target, order_targets
from xbot.xmpp.problems import ConnectionProblem


def record(host, port=5222, priority=0, weight=0):
    return dns.RRHeader(
        "_xmpp-client._tcp.example.org",
        dns.SRV,
        # The root, "." in text, is a name without labels on the wire.
        payload=dns.Record_SRV(priority, weight, port, host.rstrip(".")),
    )


class Net:
    """A resolver with one answer, and hosts that refuse, or not."""

    def __init__(self, answer, outcomes=None):
        self.answer, self.outcomes = answer, outcomes or {}
        self.asked, self.tried = [], []

    def lookupService(self, name):
        self.asked.append(name)
        if isinstance(self.answer, Deferred):
            return self.answer
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return succeed((self.answer, [], []))

    def connect_to(self, host, port):
        net = self

        class Endpoint:
            def connect(self, factory):
                net.tried.append((host, port))
                outcome = net.outcomes.get(host, ConnectionRefusedError())
                if isinstance(outcome, Deferred):
                    return outcome
                return fail(outcome) if isinstance(outcome, Exception) else succeed(outcome)

        return Endpoint()

    def connect(self):
        return DomainEndpoint("example.org", self, lowest, self.connect_to).connect(object())


class OrderTests(unittest.TestCase):
    def test_priorities(self):
        """Lower priorities come first."""
        targets = [Target(str(priority), 1, priority) for priority in (20, 0, 10)]
        self.assertEqual([t.priority for t in order_targets(targets, lowest)], [0, 10, 20])

    def test_weights(self):
        """Within a priority each is chosen by its share of the weights."""
        targets = [Target("a", 1, 0, 10), Target("b", 1, 0, 30), Target("z", 1, 0, 0)]
        for marks, hosts in (
            ([0, 0, 0], "zab"),
            ([5, 0, 0], "azb"),
            ([10, 30, 0], "abz"),
            ([10.1, 0, 0], "bza"),
            ([40, 10, 0], "baz"),
        ):
            script, asked = iter(marks), []

            def uniform(low, high, script=script, asked=asked):
                asked.append((low, high))
                return next(script)

            self.assertEqual("".join(t.host for t in order_targets(targets, uniform)), hosts)
            self.assertEqual(asked[0], (0, 40))

    @PROPERTY
    @given(
        st.lists(st.builds(Target, st.sampled_from("abc"), st.integers(1, 3), st.integers(0, 3),
                           st.integers(0, 65535)), max_size=12),
        st.floats(0, 1),
    )  # fmt: skip
    def test_all_of_them(self, targets, chance):
        """Whatever chance says, each target comes once, by priority."""
        ordered = order_targets(targets, lambda low, high: low + (high - low) * chance)
        self.assertCountEqual(ordered, targets)
        self.assertEqual([t.priority for t in ordered], sorted(t.priority for t in targets))


class ConnectTests(unittest.TestCase):
    def test_in_order(self):
        """All targets are tried in their order until one answers."""
        net = Net([record("b", 2, 2), record("a", 1, 1), record("c", 3, 3)], {"b": "connected"})
        self.assertEqual(self.successResultOf(net.connect()), "connected")
        self.assertEqual(net.asked, ["_xmpp-client._tcp.example.org"])
        self.assertEqual(net.tried, [("a", 1), ("b", 2)])

    def test_none_answers(self):
        """When none answers the last one's error is told, with its host."""
        net = Net(
            [record("a", 1, 1), record("b", 2, 2)],
            {"a": TimeoutError(), "b": DNSLookupError("no such host")},
        )
        problem = self.failureResultOf(net.connect(), ConnectionProblem).value
        self.assertIn("b:2: ", str(problem))
        self.assertIn("no such host", str(problem))
        self.assertEqual(net.tried, [("a", 1), ("b", 2)])

    def test_a_name_that_is_none(self):
        """A target that cannot be a host's name costs its turn only."""
        net = Net([record("a", 1, 1), record("b", 2, 2)], {"b": "connected"})
        connect_to = net.connect_to

        def refuse_a(host, port):
            return (
                endpoints.host_endpoint(None, "x" * 64, port)
                if host == "a"
                else connect_to(host, port)
            )

        net.connect_to = refuse_a
        self.assertEqual(self.successResultOf(net.connect()), "connected")

    def test_fallback(self):
        """Where DNS has no answer, or says that there is none, the domain itself is tried."""
        for answer in (
            names.DNSNameError(),
            names.DNSServerError(),
            names.DomainError(),
            names.DNSQueryTimeoutError("x"),
            OSError("no resolver"),
            builtins.TimeoutError(),
            [],
            [dns.RRHeader("example.org", dns.CNAME, payload=dns.Record_CNAME("x"))],
            [record("."), record(".")],
        ):
            net = Net(answer, {"example.org": "connected"})
            self.assertEqual(self.successResultOf(net.connect()), "connected", repr(answer))
            self.assertEqual(net.tried, [("example.org", 5222)])

    def test_no_fallback_from_targets(self):
        """A domain whose SRV records name others is not tried itself (RFC 6120 3.2.1)."""
        net = Net([record("a", 1)], {"example.org": "connected"})
        self.failureResultOf(net.connect(), ConnectionProblem)
        self.assertEqual(net.tried, [("a", 1)])

    def test_not_offered(self):
        """A single target "." says that there is no service: nobody is tried."""
        net = Net([record(".")])
        self.failureResultOf(net.connect(), ServiceNotOffered)
        self.assertEqual(net.tried, [])

    def test_other_failures(self):
        """Any other failure of the look-up is a problem with a name, not a crash."""
        problem = self.failureResultOf(Net(ZeroDivisionError()).connect(), ConnectionProblem).value
        self.assertIn("ZeroDivisionError", str(problem))

    def test_bounded(self):
        """Of fifty targets the first few are tried."""
        net = Net([record(f"h{number}", 1, number) for number in range(50)])
        self.failureResultOf(net.connect(), ConnectionProblem)
        self.assertEqual(net.tried, [(f"h{n}", 1) for n in range(endpoints.MAX_TARGETS)])

    def test_cancelled(self):
        """A try that is given up ends where it is: in the look-up or at a target."""
        net = Net(Deferred(), {"example.org": "connected"})
        attempt = net.connect()
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)
        self.assertEqual(net.tried, [])
        net = Net([record("a", 1, 1), record("b", 2, 2)], {"a": Deferred(), "b": "connected"})
        attempt = net.connect()
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)
        self.assertEqual(net.tried, [("a", 1)])
