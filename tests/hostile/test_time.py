"""Catalogue rows T (time): delayed messages (XEP-0203), replays and duplicates."""

from datetime import UTC, datetime

from tests.hostile.bot import (
    BIND,
    NICK,
    NOW,
    ROOM,
    SM,
    STAMP,
    HostileCase,
    features,
    present,
    said,
    told,
)
from xbot.chat.xmpp.wire import ns
from xbot.engine.dispatch.missed import GATHER

DAY = 86_400.0


def delay(sender="", stamp=STAMP, uri=ns.DELAY):
    """A ``<delay/>`` element (XEP-0203)."""
    name = "delay" if uri == ns.DELAY else "x"
    written = f" from='{sender}'" if sender else ""
    return f"<{name} xmlns='{uri}'{written} stamp='{stamp}'/>"


class TimeTests(HostileCase):
    def setUp(self):
        super().setUp()
        self.now = NOW
        self.world = self.bot(wall_clock=lambda: self.now)
        self.peer = self.world.online(managed=True)

    def dropped(self, *stanzas):
        for stanza in stanzas:
            self.drops(self.world, self.peer, stanza)

    def messages(self):
        """What the bot has said since."""
        return [stanza for stanza in self.peer.stanzas() if stanza.name == "message"]

    def resume(self, *stanzas):
        """The link is cut and comes back, with these sent again."""
        managed = self.world.adapter.managed
        self.peer.lose()
        self.peer = self.world.await_try()
        self.peer.authenticate()
        self.peer.feed(features(BIND + SM))
        h = managed._session.outbound._acknowledged + managed.unacknowledged
        self.peer.feed(f"<resumed xmlns='{ns.SM}' previd='s1' h='{h}'/>")
        self.peer.sent()
        for stanza in stanzas:
            self.peer.feed(stanza)

    def test_T01(self):
        """History is the past, before the room let us in and after."""
        history = said("bot: deploy", more=delay(ROOM))
        self.dropped(history)
        bot = self.bot()
        peer = bot.await_try()
        bot.log_in(peer)
        peer.feed(present("alice", "role='participant' jid='alice@example.org/x'"))
        peer.feed((said("bot: deploy") + history) * 20)
        peer.feed(present(NICK, "role='participant'", "110"))
        peer.feed((said("bot: deploy") + history) * 20)
        bot.enter(peer)
        self.assertEqual(bot.runs, [])
        self.is_well(bot, peer)

    def test_T02(self):
        """Whoever says that they spoke in the past is not obeyed now."""
        self.dropped(
            said("bot: deploy", more=delay()),
            said("bot: deploy", more=delay(f"{ROOM}/alice")),
            said("bot: deploy", more=delay("example.org")),
            said("bot: deploy", more=delay("xbot@example.org") + delay(ROOM)),
            said("bot: deploy", more=delay(uri=ns.LEGACY_DELAY)),
        )

    def test_T03(self):
        """What the server sends again after a resumption is obeyed, once."""
        by = f"<stanza-id xmlns='{ns.STANZA_ID}' by='{ROOM}' id='s1'/>"
        resent = said("bot: deploy again", more=by + delay("xbot@example.org"))
        self.resume(resent, resent)
        self.assertEqual(self.world.runs, ["bot: deploy again"])
        self.peer.sent()
        self.resume(resent)
        self.assertEqual(self.world.runs, ["bot: deploy again"])
        self.goes_on(self.world, self.peer)

    def test_T04(self):
        """History stays history though it claims to be the server's."""
        for stanza in (
            said("bot: deploy", more=delay(ROOM) + delay("example.org")),
            said("bot: deploy", more=delay("example.org") + delay(ROOM)),
            said("bot: deploy", more=delay("example.org")),
        ):
            self.dropped(stanza)
        runs = len(self.world.runs)
        self.resume(
            said("bot: deploy", more=delay(ROOM) + delay("example.org")),
            said("bot: deploy", more=delay(f"{ROOM}/alice")),
            told("deploy", more=delay("example.org", "2023-11-14T20:00:00Z")),
        )
        self.assertEqual(len(self.world.runs), runs)
        self.is_well(self.world, self.peer)

    def test_T05(self):
        """What the server kept for us is not obeyed; who said a command hears so, once."""
        kept = delay("example.org")
        missed = told("deploy", more=kept).replace("<message", "<message id='m1'")
        self.dropped(missed)
        self.world.clock.advance(GATHER)
        (answer,) = self.messages()
        self.assertEqual(answer["to"], "alice@example.org/x")
        self.assertIn("please repeat", str(answer.body))
        # The next processes are given it again; then there is nobody else to be told.
        for _ in range(2):
            self.world = self.bot(journal=self.world.journal.restarted())
            self.peer = self.world.online(managed=True)
            self.dropped(
                missed,
                told("deploy", "mallory@example.net/x", kept),
                told("nothing", more=kept),
                told("ping", "xbot@example.org/other", kept),
                told("ping", "mallory@example.net/x", delay("example.net")),
                said("ping", more=kept, kind="chat"),
                said("bot: ping", more=kept),
            )
            self.world.clock.advance(GATHER)
            self.assertEqual(self.messages(), [])
            self.is_well(self.world, self.peer)
            self.assertEqual(self.world.runs, ["deploy"] * 8)

    def test_T06(self):
        """A stamp is not read unless it must be, and then only if it is one."""
        for stamp in (
            "",
            "yesterday",
            "9" * 45_000,
            "2023-11-14T22:13:10+99:99",
            "2023-13-45T99:99:99Z",
            "0000-00-00T00:00:00Z",
            "9999-12-31T23:59:60Z",
            "2023-11-14T22:13:10Z" + "0" * 250_000,
        ):
            self.dropped(said("bot: deploy", more=delay("example.org", stamp)))
            self.resume(said("bot: deploy again", more=delay("example.org", stamp)))
            self.assertNotIn("bot: deploy again", self.world.runs)
            self.is_well(self.world, self.peer)

    def test_T07(self):
        """Whatever the wall clock does, nothing happens because of it."""
        for jump in 3600, -3600, 3650 * DAY, -3650 * DAY:
            self.now = NOW + jump
            # The reactor's next turn is no wait.
            self.world.clock.advance(0)
            calls = sorted(call.getTime() for call in self.world.clock.getDelayedCalls())
            runs = len(self.world.runs)
            self.world.clock.advance(0.001)
            self.assertEqual(self.peer.sent(), "")
            self.assertEqual(
                sorted(call.getTime() for call in self.world.clock.getDelayedCalls()), calls
            )
            self.assertEqual(len(self.world.runs), runs)
            self.goes_on(self.world, self.peer)
        # What comes again after a jump is too old, or not yet said: the safe side.
        self.now = NOW + DAY
        self.resume(said("bot: deploy again", more=delay("example.org")))
        self.now = NOW - DAY
        self.resume(said("bot: deploy again", more=delay("example.org")))
        self.assertNotIn("bot: deploy again", self.world.runs)
        self.now = NOW
        stamp = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.resume(said("bot: deploy again", more=delay("example.org", stamp)))
        self.assertIn("bot: deploy again", self.world.runs)
        self.peer.sent()
        self.goes_on(self.world, self.peer)

    def test_T08(self):
        """The old form of a delay counts as the new one."""
        self.dropped(
            said("bot: deploy", more=delay(ROOM, "20231114T22:13:10", ns.LEGACY_DELAY)),
            said("bot: deploy", more=delay(uri=ns.LEGACY_DELAY, stamp="")),
        )
        self.resume(said("bot: deploy", more=delay("example.org", STAMP, ns.LEGACY_DELAY)))
        self.is_well(self.world, self.peer)
