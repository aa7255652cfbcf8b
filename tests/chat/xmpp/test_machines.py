"""Tests of :mod:`xbot.chat.xmpp.machines`, and of what the adapter makes of such senders."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial import unittest

from xbot.chat.xmpp.machines import QUIET, Machines
from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.model.jid import Jid


class MachinesTests(unittest.TestCase):
    def test_senders(self) -> None:
        """Bare domains and addresses without a resource are machines, unless the ini names them."""
        named = Jid.parse("script@example.org")
        machines = Machines(Clock(), lambda jid: jid == named)
        for sender, is_machine in (
            ("alice@example.org/phone", False),
            ("example.org/x", False),
            ("nick%irc.example.org@gateway.example.org", False),
            ("script@example.org", False),
            ("example.org", True),
            ("irc.example.org@gateway.example.org", True),
            ("alice@example.org", True),
        ):
            self.assertIs(machines.has_sent(read_address(sender)), is_machine, sender)

    def test_log(self) -> None:
        """Each is logged once an hour."""
        clock = Clock()
        machines, sender = Machines(clock), read_address("gateway.example.org")
        with capturedLogs() as events:
            for wait in (0, 1, QUIET):
                clock.advance(wait)
                machines.has_sent(sender)
        self.assertEqual([event["sender"] for event in events], ["gateway.example.org"] * 2)
