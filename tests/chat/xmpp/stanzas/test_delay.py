"""Delayed delivery: any delay element counts, whatever its stamp."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import parse_node
from xbot.chat.xmpp.stanzas.delay import is_delayed


class DelayTests(unittest.TestCase):
    def test_delayed(self):
        """Any delay makes history, whoever wrote it and whatever stamp it bears."""
        for delay in (
            "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z' from='room@example.org'/>",
            "<delay xmlns='urn:xmpp:delay'/>",
            "<delay xmlns='urn:xmpp:delay' stamp=''/>",
            "<delay xmlns='urn:xmpp:delay' stamp='+99:99'/>",
            f"<delay xmlns='urn:xmpp:delay' stamp='{'9' * 250_000}'/>",
            "<delay xmlns='urn:xmpp:delay' from='@@@'/>",
            "<x xmlns='jabber:x:delay' stamp='20020910T23:08:25'/>",
            "<x xmlns='urn:other'/><p:delay xmlns:p='urn:xmpp:delay'/>",
        ):
            self.assertTrue(
                is_delayed(parse_node(f"<message><body/>{delay}</message>")), delay[:80]
            )

    def test_live(self):
        """What only looks like a delay, or stands elsewhere, is none."""
        for other in (
            "",
            "<delay/>",
            "<x xmlns='urn:xmpp:delay'/>",
            "<delay xmlns='jabber:x:delay'/>",
            "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay'/></forwarded>",
        ):
            self.assertFalse(is_delayed(parse_node(f"<message><body/>{other}</message>")), other)
