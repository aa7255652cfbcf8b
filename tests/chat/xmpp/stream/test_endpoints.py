"""SRV look-ups and the order of targets."""

import builtins

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.names import dns
from twisted.names import error as names
from twisted.trial import unittest
from zope.interface import implementer

from tests.chat.xmpp.harness import PROPERTY, lowest
from xbot.chat.xmpp.security.tls import client_options
from xbot.chat.xmpp.stream import endpoints
from xbot.chat.xmpp.stream.endpoints import DomainEndpoint, ServiceNotOffered, Target, order_targets
from xbot.chat.xmpp.wire.errors import ConnectionProblem

STARTTLS, DIRECT = "_xmpp-client._tcp.example.org", "_xmpps-client._tcp.example.org"


def record(host, port=5222, priority=0, weight=0):
    return dns.RRHeader(
        "_xmpp-client._tcp.example.org",
        dns.SRV,
        # The root, "." in text, is a name without labels on the wire.
        payload=dns.Record_SRV(priority, weight, port, host.rstrip(".")),
    )


class Net:
    """A fake resolver with an answer for each service, and hosts that accept or refuse."""

    def __init__(self, answer, outcomes=None, direct=()):
        self.answers, self.outcomes = {STARTTLS: answer, DIRECT: direct}, outcomes or {}
        self.asked, self.tried, self.directly = [], [], []
        self.endpoint = DomainEndpoint(
            "example.org",
            self,
            lowest,
            lambda target: self.connect_to(target.host, target.port, target.direct),
            lambda protocol: protocol != "useless",
        )

    def lookupService(self, name):
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, Deferred):
            return answer
        if isinstance(answer, Exception):
            return fail(answer)
        return succeed((answer, [], []))

    def connect_to(self, host, port, direct):
        net = self

        class Endpoint:
            def connect(self, factory):
                net.tried.append((host, port))
                if direct:
                    net.directly.append(host)
                outcome = net.outcomes.get(host, ConnectionRefusedError())
                if isinstance(outcome, Deferred):
                    return outcome
                return fail(outcome) if isinstance(outcome, Exception) else succeed(outcome)

        return Endpoint()

    def connect(self):
        return self.endpoint.connect(object())


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

    def test_the_foremost_of_many(self):
        """Of thousands a few are kept before any is weighed: the heaviest of the best priority."""
        targets = [Target(str(n), 1, n % 3, n) for n in range(10_000)]
        asked = []
        ordered = order_targets(targets, lambda low, high: asked.append(high) or low, 5)
        self.assertEqual(
            {target.host for target in ordered}, {"9999", "9996", "9993", "9990", "9987"}
        )
        self.assertEqual(len(asked), 5)

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
        self.assertEqual(net.asked, [STARTTLS, DIRECT])
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

        def refuse_a(host, port, direct):
            return (
                endpoints.host_endpoint(None, "x" * 64, port)
                if host == "a"
                else connect_to(host, port, direct)
            )

        net.connect_to = refuse_a
        self.assertEqual(self.successResultOf(net.connect()), "connected")

    def test_fallback(self):
        """RFC 6120 3.2.1: where there are no records, or nobody answers, the domain is tried."""
        for answer in (
            names.DNSNameError(),
            names.DomainError(),
            names.AuthoritativeDomainError(),
            names.DNSQueryTimeoutError("x"),
            OSError("no resolver"),
            builtins.TimeoutError(),
            [],
            [dns.RRHeader("example.org", dns.CNAME, payload=dns.Record_CNAME("x"))],
        ):
            for direct in (), names.DNSNameError(), names.DNSServerError(), OSError():
                net = Net(answer, {"example.org": "connected"}, direct)
                self.assertEqual(self.successResultOf(net.connect()), "connected", repr(answer))
                self.assertEqual((net.tried, net.directly), ([("example.org", 5222)], []))

    def test_no_fallback_from_a_failure(self):
        """A name server that answers that it failed is asked again later: nobody is tried."""
        for answer in names.DNSServerError(), names.DNSQueryRefusedError(), names.DNSFormatError():
            for direct in (), [record(".")], names.DNSNameError(), names.DNSServerError():
                net = Net(answer, {"example.org": "connected"}, direct)
                problem = self.failureResultOf(net.connect(), ConnectionProblem).value
                self.assertIn(f"{STARTTLS} failed: {type(answer).__name__}", str(problem))
                self.assertEqual(net.tried, [])

    def test_one_pool(self):
        """XEP-0368 3: records of both services are one list, by priority, each with its TLS."""
        net = Net(
            [record("a", 1, 10), record("c", 3, 30)],
            {"d": "connected"},
            [record("b", 2, 20), record("d", 4, 40)],
        )
        self.assertEqual(self.successResultOf(net.connect()), "connected")
        self.assertEqual(net.tried, [("a", 1), ("b", 2), ("c", 3), ("d", 4)])
        self.assertEqual(net.directly, ["b", "d"])

    def test_one_service_will_do(self):
        """Records of one service count, whatever became of the other's look-up."""
        for other in (), [record(".")], names.DNSServerError(), names.DNSNameError(), OSError():
            net = Net([record("a", 1)], {"a": "connected"}, other)
            self.assertEqual(self.successResultOf(net.connect()), "connected")
            self.assertEqual((net.tried, net.directly), ([("a", 1)], []))
            net = Net(other, {"a": "connected"}, [record("a", 1)])
            self.assertEqual(self.successResultOf(net.connect()), "connected")
            self.assertEqual((net.tried, net.directly), ([("a", 1)], ["a"]))

    def test_a_target_that_led_nowhere(self):
        """What accepted us without a login goes last the next time, and then has its turn again."""
        net = Net([record("a", 1, 1), record("b", 2, 2)], {"a": "useless", "b": "connected"})
        self.assertEqual(self.successResultOf(net.connect()), "useless")
        self.assertEqual(self.successResultOf(net.connect()), "connected")
        self.assertEqual(self.successResultOf(net.connect()), "useless")
        self.assertEqual(net.tried, [("a", 1), ("b", 2), ("a", 1)])

    def test_no_fallback_from_targets(self):
        """A domain whose SRV records name others is not tried itself (RFC 6120 3.2.1)."""
        net = Net([record("a", 1)], {"example.org": "connected"})
        self.failureResultOf(net.connect(), ConnectionProblem)
        self.assertEqual(net.tried, [("a", 1)])

    def test_not_offered(self):
        """Targets of "." alone say that there is no service: nobody is tried (XEP-0368 5)."""
        none = names.DNSNameError()
        for answer, direct in (
            ([record(".")], ()),
            ([record(".")], [record(".")]),
            ([record("."), record(".")], none),
            ((), [record(".")]),
            (none, [record(".")]),
        ):
            net = Net(answer, {"example.org": "connected"}, direct)
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
        for answers in (Deferred(), ()), ((), Deferred()), (Deferred(), Deferred()):
            net = Net(answers[0], {"example.org": "connected"}, answers[1])
            attempt = net.connect()
            self.assertNoResult(attempt)
            attempt.cancel()
            self.failureResultOf(attempt, CancelledError)
            self.assertEqual(net.tried, [])
        net = Net([record("a", 1, 1), record("b", 2, 2)], {"a": Deferred(), "b": "connected"})
        attempt = net.connect()
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)
        self.assertEqual(net.tried, [("a", 1)])


@implementer(IReactorPluggableNameResolver)
class TwoFamilies(MemoryReactorClock):
    """A reactor on which every host has an address of each family."""

    def __init__(self):
        super().__init__()
        self.nameResolver = self

    def resolveHostName(self, receiver, hostName, portNumber=0, *arguments, **more):
        receiver.resolutionBegan(None)
        receiver.addressResolved(IPv6Address("TCP", "2001:db8::1", portNumber))
        receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", portNumber))
        receiver.resolutionComplete()


class HostTests(unittest.TestCase):
    def test_happy_eyeballs(self):
        """RFC 8305, by Twisted's HostnameEndpoint: a silent IPv6 address does not hold up IPv4."""
        reactor = TwoFamilies()
        attempt = endpoints.host_endpoint(reactor, "example.org", 5222).connect(object())
        reactor.advance(1)
        self.assertEqual(
            [client[:2] for client in reactor.tcpClients],
            [("2001:db8::1", 5222), ("192.0.2.1", 5222)],
        )
        attempt.cancel()
        self.failureResultOf(attempt)

    def test_the_first_byte_of_direct_tls(self):
        """With direct TLS the first bytes are a handshake, with our domain for a name and ALPN."""
        reactor = TwoFamilies()
        endpoint = endpoints.host_endpoint(
            reactor, "host.example.net", 5223, client_options("example.org", direct=True)
        )
        endpoint.connect(Factory.forProtocol(Protocol)).addErrback(lambda failure: None)
        reactor.advance(0.1)
        transport = StringTransport()
        reactor.tcpClients[0][2].buildProtocol(None).makeConnection(transport)
        hello = transport.value()
        self.assertEqual(hello[0], 0x16)
        self.assertIn(b"example.org", hello)
        self.assertIn(b"\x0bxmpp-client", hello)
        self.assertNotIn(b"host.example.net", hello)
        self.assertNotIn(b"<stream", hello)
