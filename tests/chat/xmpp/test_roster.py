"""Roster and initial presence of a session."""

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, session, shape
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from xbot.chat.xmpp import roster as roster_module
from xbot.chat.xmpp.roster import Roster
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.stream.iq import IQ_TIMEOUT, Iq
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.elements import MAX_ELEMENTS


class RosterTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        iq = Iq(lambda: JID, self.clock)
        self.roster = Roster(iq)
        self.peer = session(iq, self.roster, clock=self.clock)
        self.sent = self.peer.stanzas()

    def test_begins(self):
        """The roster is asked for first; presence follows without waiting."""
        roster, presence = self.sent
        self.assertEqual(
            shape(roster),
            (ns.CLIENT, "iq", {"type": "get", "id": roster["id"]}, [(ns.ROSTER, "query", {}, [])]),
        )
        self.assertEqual(shape(presence), (ns.CLIENT, "presence", {}, []))

    def test_roster(self):
        """The contacts are known, be there many or no list at all."""
        table = {
            "<query xmlns='jabber:iq:roster'><item jid='a@b' subscription='both'/>"
            "<item jid='c@d' subscription='owner'/></query>": {"a@b": "both", "c@d": "none"},
            "<query xmlns='jabber:iq:roster'/>": {},
            "": {},
        }
        for content, contacts in table.items():
            self.setUp()
            self.peer.feed(f"<iq type='result' id='{self.sent[0]['id']}'>{content}</iq>")
            self.assertEqual(self.roster.contacts, contacts)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_large_roster(self):
        """Of a roster that is too large the operator hears."""
        self.patch(roster_module, "MAX_CONTACTS", 3)
        items = "".join(f"<item jid='a{n}@b'/>" for n in range(5))
        with capturedLogs() as logged:
            self.peer.feed(
                f"<iq type='result' id='{self.sent[0]['id']}'>"
                f"<query xmlns='jabber:iq:roster'>{items}</query></iq>"
            )
        self.assertEqual(len(self.roster.contacts), 3)
        warned = [event for event in logged if event["log_level"] is LogLevel.warn]
        self.assertEqual([event["most"] for event in warned], [3])

    def test_by_items(self):
        """What a large roster begins and ends with is known, and not before its end."""
        jids = [f"a{n}@b" for n in range(MAX_ELEMENTS + 500)]
        items = "".join(f"<item jid='{jid}'><group>x</group></item>" for jid in jids)
        reply = f"<iq type='result' id='{{}}'><query xmlns='jabber:iq:roster'>{items}</query></iq>"
        for make_elements in FastPathElementStream, DomishElementStream:
            iq = Iq(lambda: JID, self.clock)
            self.roster = Roster(iq)
            self.peer = session(iq, self.roster, clock=self.clock, make_elements=make_elements)
            data = reply.format(self.peer.stanzas()[0]["id"])
            self.peer.feed(reply.format("guessed"))
            for start in range(0, len(data), 5000):
                self.assertIsNone(self.roster.contacts)
                self.peer.feed(data[start : start + 5000])
            self.assertEqual(self.roster.contacts, dict.fromkeys(jids, "none"))

    def test_roster_pushes(self):
        """The server's pushes are taken and answered; anyone else's change nothing."""
        self.peer.feed(f"<iq type='result' id='{self.sent[0]['id']}'/>")
        push = (
            "<iq type='set' id='p' {}><query xmlns='jabber:iq:roster'>"
            "<item jid='a@b' subscription='{}'/></query></iq>"
        )
        for sender in ("from='mallory@example.org'", "from='xbot@example.org.evil'", "from='@'"):
            self.peer.feed(push.format(sender, "both"))
            self.assertEqual(self.peer.stanza()["type"], "error", sender)
            self.assertEqual(self.roster.contacts, {}, sender)
        for sender in ("", f"from='{JID.bare}'"):
            self.peer.feed(push.format(sender, "both"))
            self.assertEqual(self.peer.stanza()["type"], "result", sender)
            self.assertEqual(self.roster.contacts, {"a@b": "both"}, sender)
            self.peer.feed(push.format(sender, "remove"))
            self.peer.sent()
            self.assertEqual(self.roster.contacts, {}, sender)

    def test_no_roster(self):
        """A roster that is refused, never comes, or is cut off costs nothing."""
        self.peer.feed(f"<iq type='error' id='{self.sent[0]['id']}'/>")
        self.assertIsNone(self.peer.stream.problem)
        self.setUp()
        self.clock.advance(IQ_TIMEOUT)
        self.assertIsNone(self.peer.stream.problem)
        self.setUp()
        self.peer.lose()
        self.assertIsNone(self.roster.contacts)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
