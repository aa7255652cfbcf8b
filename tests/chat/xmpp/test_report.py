"""Tests of :mod:`xbot.chat.xmpp.report`."""

import errno

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, PASSWORD, TLS_OPTIONS, FakeEndpoint, in_thread, lowest
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.report import link, places
from xbot.chat.xmpp.rooms.room import State
from xbot.chat.xmpp.stream.connection import CONNECT_TIMEOUT
from xbot.chat.xmpp.stream.login import Account
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.status import PATIENCE, Link, Place


class DeafEndpoint(FakeEndpoint):
    """An endpoint whose connection attempt ignores cancellation."""

    def connect(self, factory):
        super().connect(factory)
        attempt = Deferred()
        attempt.cancel = lambda: None
        return attempt


class ReportTests(unittest.TestCase):
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

    def test_link_and_places(self):
        """States, reasons and times are those of the parts, counted from now."""
        adapter = self.adapter(FakeEndpoint)
        self.endpoint.refuse(ConnectionRefusedError(errno.ECONNREFUSED, ""))
        self.clock.advance(0.25)
        now = self.clock.seconds()
        self.assertEqual(
            link(adapter, now),
            Link("waiting", 0.25, "connection refused", 0.75, ends={"unreachable": 1}),
        )
        self.assertEqual(
            places(adapter, now),
            (Place("a@rooms.example", "robo", "absent", "not joined yet", 0.25),),
        )

    def test_no_room_is_joined_without_a_connection(self):
        """A room in which the bot was is stale while there is no connection."""
        adapter = self.adapter(FakeEndpoint)
        (room,) = adapter.rooms
        room.state = State.JOINED
        self.endpoint.refuse(ConnectionRefusedError(errno.ECONNREFUSED, ""))
        self.clock.advance(0.25)
        (place,) = places(adapter, self.clock.seconds())
        self.assertEqual(
            (place.state, place.reason, place.seconds), ("stale", "no connection", 0.25)
        )

    def test_overdue(self):
        """A connection that stands still past its deadline is overdue, one that waits is not."""
        adapter = self.adapter(DeafEndpoint)
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertEqual(link(adapter, self.clock.seconds()).overdue, 0)
        self.clock.advance(PATIENCE + 1)
        overdue = link(adapter, self.clock.seconds()).overdue
        self.assertEqual(overdue, PATIENCE + 1)
