"""Service discovery, software version and answers to pings."""

from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.protocols.jabber import jid

from tests.chat.xmpp.harness import JID, session, shape
from xbot import __version__
from xbot.chat.xmpp.disco import MAX_NODE, OWN_FEATURES, Answers, result_of
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.wire import _wokkel, ns

STRANGER = "mallory@example.net/x"


class AnswersTests(unittest.TestCase):
    def setUp(self):
        self.iq = Iq(lambda: JID, Clock())
        self.answers = Answers(self.iq)
        self.peer = session(self.iq)

    def ask(self, payload, kind="get"):
        """The reply to a stranger's request."""
        self.peer.feed(f"<iq type='{kind}' id='q' from='{STRANGER}' to='{JID}'>{payload}</iq>")
        return self.peer.stanza()

    def result(self, payload):
        """The payload of the result; everything around it is as it must be."""
        reply = self.ask(payload)
        self.assertEqual(reply.attributes, {"type": "result", "id": "q", "to": STRANGER})
        self.assertLessEqual(len(reply.children), 1)
        return reply.firstChildElement()

    def refused(self, payload, condition, kind="get"):
        """The request is refused, and nothing of it is repeated."""
        reply = self.ask(payload, kind)
        error = [(ns.STANZA_ERRORS, condition, {}, [])]
        self.assertEqual(
            shape(reply),
            (
                ns.CLIENT,
                "iq",
                {"type": "error", "id": "q", "to": STRANGER},
                [(ns.CLIENT, "error", {"type": "cancel"}, error)],
            ),
        )

    def features(self):
        """What we say that we speak."""
        _, *features = self.result(f"<query xmlns='{ns.DISCO_INFO}'/>").elements()
        self.assertEqual({(f.uri, f.name) for f in features}, {(ns.DISCO_INFO, "feature")})
        return [feature["var"] for feature in features]

    def test_ping(self):
        """A ping is answered with an empty result."""
        self.assertIsNone(self.result(f"<ping xmlns='{ns.PING}'/>"))

    def test_version(self):
        """Name and version are told, and no operating system."""
        self.assertEqual(
            shape(self.result(f"<query xmlns='{ns.VERSION}'/>")),
            (
                ns.VERSION,
                "query",
                {},
                [
                    (ns.VERSION, "name", {}, ["xbot"]),
                    (ns.VERSION, "version", {}, [__version__]),
                ],
            ),
        )

    def test_disco_info(self):
        """We say that we are a bot, and what we speak."""
        query = self.result(f"<query xmlns='{ns.DISCO_INFO}'/>")
        self.assertEqual((query.uri, query.name, query.attributes), (ns.DISCO_INFO, "query", {}))
        identity, *features = query.elements()
        self.assertEqual(identity.name, "identity")
        self.assertEqual(identity.attributes, {"category": "client", "type": "bot", "name": "xbot"})
        self.assertEqual(
            [feature["var"] for feature in features], [*OWN_FEATURES, ns.PING, ns.VERSION]
        )

    def test_features(self):
        """Each request that is answered is announced, and each announced one is answered."""
        # Of the others, there are no requests.
        passive = {ns.MUC, ns.CONFERENCE}
        answered = {uri for kind, uri, _ in self.iq._answerers if kind == "get"}
        self.assertEqual(set(self.features()) - passive, answered)
        for feature in answered:
            name = "ping" if feature == ns.PING else "query"
            self.assertEqual(self.ask(f"<{name} xmlns='{feature}'/>")["type"], "result", feature)

    def test_node(self):
        """The node of a request is repeated in the answer, and changes nothing else."""
        plain = list(self.result(f"<query xmlns='{ns.DISCO_INFO}'/>").elements())
        for node in ("n", "&lt;&apos;", "x" * MAX_NODE):
            query = self.result(f"<query xmlns='{ns.DISCO_INFO}' node='{node}'/>")
            given = node.replace("&lt;&apos;", "<'")
            self.assertEqual(query.attributes, {"node": given})
            self.assertEqual(
                [shape(element) for element in query.elements()],
                [shape(element) for element in plain],
            )

    def test_huge_node(self):
        """A huge node is refused and not repeated."""
        for size in (MAX_NODE + 1, 200_000):
            self.refused(f"<query xmlns='{ns.DISCO_INFO}' node='{'x' * size}'/>", "item-not-found")

    def test_nothing_is_repeated(self):
        """What else stands in a request is in no reply, neither result nor error."""
        more = "<evil xmlns='urn:evil'>secret</evil>"
        for payload in (
            f"<ping xmlns='{ns.PING}' a='secret'>{more}</ping>",
            f"<query xmlns='{ns.VERSION}' a='secret'>{more}</query>{more}",
            f"<query xmlns='{ns.DISCO_INFO}' a='secret'>{more}</query>{more}",
        ):
            self.peer.feed(f"<iq type='get' id='q' from='{STRANGER}'>{payload}</iq>")
            sent = self.peer.sent()
            self.assertIn("type='result'", sent)
            self.assertNotIn("secret", sent)
            self.assertNotIn("evil", sent)
        self.refused(
            f"<query xmlns='http://jabber.org/protocol/disco#items'>{more}</query>",
            "service-unavailable",
        )

    def test_nothing_can_be_set(self):
        """A request to set one of them is refused."""
        for payload in (
            f"<ping xmlns='{ns.PING}'/>",
            f"<query xmlns='{ns.VERSION}'/>",
            f"<query xmlns='{ns.DISCO_INFO}'/>",
        ):
            self.refused(payload, "service-unavailable", "set")

    def test_replies_are_no_requests(self):
        """A result or an error that looks like a request is not answered."""
        for kind in ("result", "error"):
            self.peer.feed(
                f"<iq type='{kind}' id='q' from='{STRANGER}'><query xmlns='{ns.VERSION}'/></iq>"
            )
        self.assertEqual(self.peer.sent(), "")

    def test_senders_are_not_kept(self):
        """However many addresses ask, Twisted's cache of JIDs does not grow."""
        # Its name begins with underscores, which a class would change.
        interned = vars(jid)["__internJIDs"]
        before = len(interned)
        for number in range(50):
            self.peer.feed(
                f"<iq type='get' id='q' from='m{number}@example.net/x'>"
                f"<query xmlns='{ns.DISCO_INFO}'/></iq>"
            )
        self.assertEqual(len(self.peer.stanzas()), 50)
        self.assertEqual(len(interned), before)

    def test_no_observers(self):
        """wokkel's handlers add no observer to the stream, before or after they are made."""
        with mock.patch.object(self.peer.stream, "addObserver") as add:
            self.features()
            self.ask(f"<ping xmlns='{ns.PING}'/>")
        add.assert_not_called()

    def test_a_fault(self):
        """A fault in a handler of wokkel's is an error of that request, and of no other."""
        with mock.patch.object(_wokkel.disco.DiscoInfo, "toElement", side_effect=ZeroDivisionError):
            self.refused(f"<query xmlns='{ns.DISCO_INFO}'/>", "internal-server-error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn(ns.PING, self.features())


class ResultTests(unittest.SynchronousTestCase):
    def test_fired(self):
        """The result is returned, and an error raised."""
        self.assertEqual(result_of(succeed(3)), 3)
        with self.assertRaises(ZeroDivisionError):
            result_of(fail(ZeroDivisionError()))

    def test_waiting(self):
        """A Deferred that has not fired is an error, and nothing waits for it."""
        with self.assertRaises(ValueError):
            result_of(Deferred())
