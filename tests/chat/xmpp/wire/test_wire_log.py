"""The wire log: secrets are redacted."""

from hypothesis import given
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import HONEST_TREES, JID, PASSWORD, TLS_OPTIONS, Peer, in_thread, shape
from tests.leaks import forms
from xbot.chat.xmpp.stream.login import Account, Login
from xbot.chat.xmpp.stream.stream import StreamFactory
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.chat.xmpp.wire.wire_log import HIDDEN, NAMESPACE, WireLog, redacted
from xbot.config.settings import Secret

CANARY = "c4n4ry"


def parsed(xml: str) -> domish.Element:
    """The element that ``xml`` is."""
    found = []
    stream = domish.elementStream()
    stream.DocumentStartEvent = lambda root: None
    stream.ElementEvent = found.append
    stream.DocumentEndEvent = lambda: None
    stream.parse(f"<stream xmlns='{ns.CLIENT}'>{xml}</stream>".encode())
    return found[0]


class RedactedTests(unittest.TestCase):
    def test_secrets(self):
        """Passwords, SASL's data and the names of sessions are hidden, wherever they stand."""
        for xml in (
            f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{CANARY}</auth>",
            f"<response xmlns='{ns.SASL}'>{CANARY}</response>",
            f"<challenge xmlns='{ns.SASL}'>{CANARY}</challenge>",
            f"<success xmlns='{ns.SASL}'><x>{CANARY}</x></success>",
            f"<presence to='a@b'><x xmlns='{ns.MUC}'><password>{CANARY}</password></x></presence>",
            f"<message><x xmlns='{ns.CONFERENCE}' jid='a@b' password='{CANARY}'/></message>",
            f"<message><x xmlns='{ns.MUC_USER}'><password>{CANARY}</password></x></message>",
            f"<iq><query xmlns='jabber:iq:auth'><digest>{CANARY}</digest></query></iq>",
            f"<enabled xmlns='{ns.SM}' id='{CANARY}' resume='true'/>",
            f"<resume xmlns='{ns.SM}' previd='{CANARY}' h='1'/>",
            f"<iq><x xmlns='{ns.DATA_FORM}'><field var='muc#roomconfig_roomsecret'>"
            f"<value>{CANARY}</value></field></x></iq>",
            f"<iq><x xmlns='{ns.DATA_FORM}'><field var='x' type='text-private'>"
            f"<value>{CANARY}</value></field></x></iq>",
        ):
            element = parsed(xml)
            shown = serialize(redacted(element), ns.CLIENT).decode()
            self.assertNotIn(CANARY, shown)
            self.assertIn(HIDDEN, shown)
            # What is sent is not touched.
            self.assertIn(CANARY, serialize(element, ns.CLIENT).decode())

    def test_what_is_none(self):
        """What is no secret stays: refusals, mechanisms, and all that people say."""
        for xml in (
            f"<failure xmlns='{ns.SASL}'><not-authorized/><text>no</text></failure>",
            f"<features><mechanisms xmlns='{ns.SASL}'><mechanism>PLAIN</mechanism></mechanisms>"
            "</features>",
            "<message id='1'><body>the password is hidden</body></message>",
            f"<success xmlns='{ns.SASL}'/>",
        ):
            self.assertEqual(shape(redacted(parsed(xml))), shape(parsed(xml)))

    @given(HONEST_TREES)
    def test_any_tree(self, tree):
        """Any tree without a secret is copied as it is."""
        self.assertEqual(shape(redacted(tree)), shape(tree))


class TraceTests(unittest.TestCase):
    def test_a_login(self):
        """A login is told element by element, in order, and nowhere in it is the password."""
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        clock = Clock()
        account = Account(JID, Secret(PASSWORD), TLS_OPTIONS)
        factory = StreamFactory(
            lambda: Login(account, clock, in_thread), "example.org", clock, WireLog()
        )
        peer = Peer(factory, clock)
        peer.log_in()
        told = [
            event["log_format"].partition(" ")[0] + " " + event["element"]
            for event in events
            if event["log_namespace"] == NAMESPACE
        ]
        self.assertTrue(told[0].startswith("received <features"), told)
        self.assertIn(f"sent <auth xmlns='{ns.SASL}' mechanism='PLAIN'>{HIDDEN}</auth>", told)
        self.assertTrue(any("<bind" in line for line in told), told)
        for form in forms(PASSWORD):
            self.assertNotIn(form, "\n".join(told))
