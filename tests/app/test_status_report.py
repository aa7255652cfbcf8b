"""Looking at the parts."""

import errno

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, PASSWORD, TLS_OPTIONS, FakeEndpoint, in_thread, lowest
from xbot.app.status_report import survey
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.stream.connection import CONNECT_TIMEOUT
from xbot.chat.xmpp.stream.login import Account
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.status import PATIENCE, Link, Overview, Phase, Place


class DeafEndpoint(FakeEndpoint):
    """One that does not notice when it is given up."""

    def connect(self, factory):
        super().connect(factory)
        attempt = Deferred()
        attempt.cancel = lambda: None
        return attempt


class SurveyTests(unittest.TestCase):
    def adapter(self, kind):
        self.clock = Clock()
        self.endpoint = kind(self.clock)
        adapter = XmppAdapter(
            XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse("a@rooms.example"), "robo"),),
            lambda message: None,
            Outbox(lambda message: None),
            lambda problem: None,
            clock=self.clock,
            uniform=lowest,
            in_thread=in_thread,
        )
        adapter.start()
        return adapter

    def test_overview(self):
        """States, reasons and times are those of the parts, counted from now."""
        adapter = self.adapter(FakeEndpoint)
        self.endpoint.refuse(ConnectionRefusedError(errno.ECONNREFUSED, ""))
        self.clock.advance(0.25)
        self.assertEqual(
            survey(Phase.RUNNING, adapter, self.clock.seconds()),
            Overview(
                Phase.RUNNING,
                Link("waiting", 0.25, "connection refused", 0.75, ends={"unreachable": 1}),
                (Place("a@rooms.example", "robo", "absent", "not joined yet", 0.25),),
            ),
        )

    def test_overdue(self):
        """A connection that stands still past its deadline is overdue, one that waits is not."""
        adapter = self.adapter(DeafEndpoint)
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertEqual(survey(Phase.RUNNING, adapter, self.clock.seconds()).link.overdue, 0)
        self.clock.advance(PATIENCE + 1)
        overdue = survey(Phase.RUNNING, adapter, self.clock.seconds()).link.overdue
        self.assertEqual(overdue, PATIENCE + 1)
