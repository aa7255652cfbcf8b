"""Presence subscription requests."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, session, shape
from xbot.chat.xmpp.subscriptions import Subscriptions
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import SUBSCRIPTIONS, XmppSettings
from xbot.model.people import NOBODY, People


class SubscriptionsTests(unittest.TestCase):
    def begin(self, rule, named=NOBODY, contacts=()):
        self.clock = Clock()
        settings = XmppSettings(JID, subscriptions=rule, subscribers=named)
        self.subscriptions = Subscriptions(settings, lambda: contacts, self.clock)
        self.peer = session(self.subscriptions, clock=self.clock)
        self.peer.sent()

    def ask(self, sender, kind="subscribe"):
        self.peer.feed(
            f"<presence from='{sender}' type='{kind}' id='1' to='{JID.bare}'>"
            "<status>let me in</status><nick xmlns='http://jabber.org/protocol/nick'>x</nick>"
            "</presence>"
        )
        return [(each["to"], each["type"]) for each in self.peer.stanzas()]

    def test_rules(self):
        """Each rule gives its answer to strangers, contacts and those who are named."""
        yes, no = "subscribed", "unsubscribed"
        table = {"refuse": (no, no), "accept": (yes, yes), "roster": (no, yes), "ask": (None, None)}
        self.assertEqual(set(table), set(SUBSCRIPTIONS))
        named = People.parse(["boss@example.org", "@friends.example"])
        for rule, (to_stranger, to_contact) in table.items():
            for sender, answer in (
                ("stranger@example.net", to_stranger),
                ("friend@example.net/x", to_contact),
                ("boss@example.org", yes),
                ("anyone@friends.example", yes),
            ):
                self.begin(rule, named, ["friend@example.net"])
                expected = [(sender.partition("/")[0], answer)] if answer else []
                self.assertEqual(self.ask(sender), expected, (rule, sender))

    def test_an_unknown_roster(self):
        """Until the roster is known nothing is said: the server asks again at the next login."""
        self.begin("roster", contacts=None)
        self.assertEqual(self.ask("a@example.net"), [])
        self.assertEqual(self.subscriptions.counts, {"unanswered": 1})

    def test_minimal(self):
        """The answer holds nothing of the request."""
        self.begin("refuse")
        self.peer.feed(
            "<presence from='a@b/c' type='subscribe' id='x'><status>s</status></presence>"
        )
        self.assertEqual(
            shape(self.peer.stanza()),
            (ns.CLIENT, "presence", {"to": "a@b", "type": "unsubscribed"}, []),
        )

    def test_nobody_to_answer(self):
        """The other types, ourselves, and who has no address get no answer."""
        for rule in SUBSCRIPTIONS:
            self.begin(rule)
            for kind in ("subscribed", "unsubscribe", "unsubscribed", "probe", "error"):
                self.assertEqual(self.ask("a@example.net", kind), [], kind)
            for sender in ("", "@", str(JID), str(JID.bare), "x" * 4000):
                self.assertEqual(self.ask(sender), [], sender)
            self.peer.feed("<presence type='subscribe'/>")
            self.assertEqual(self.peer.sent(), "")

    def test_flood(self):
        """Each sender gets one answer a minute, and so many get one at all."""
        for rule in "refuse", "accept":
            self.begin(rule)
            answers = [len(self.ask(f"a@example.net/{number}")) for number in range(100)]
            self.assertEqual(sum(answers), 1)
            self.clock.advance(60)
            self.assertEqual(len(self.ask("a@example.net")), 1)
            answers = [len(self.ask(f"a{number}@example.net")) for number in range(1500)]
            self.assertLess(sum(answers), 1001)
