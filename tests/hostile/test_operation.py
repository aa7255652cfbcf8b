"""Catalogue rows O (operation): operator mistakes, leaked secrets, faults around the bot."""

import contextlib
import io
import os
import stat
from pathlib import Path

from twisted.internet import defer
from twisted.internet.error import ConnectionLost
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from tests.chat.xmpp.harness import PASSWORD, features, mechanisms, sasl
from tests.chat.xmpp.security.test_sasl import ScramServer
from tests.hostile.bot import NICK, ROOM, HostileCase, said, secrets, told
from xbot import tap
from xbot.app import service
from xbot.chat.xmpp.rooms.room import State as Room
from xbot.chat.xmpp.security import sasl as sasl_module
from xbot.chat.xmpp.stream.connection import State
from xbot.config import credentials
from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter
from xbot.logs.text import escape
from xbot.matching.pattern import Pattern
from xbot.runtime.responder import Responder, Route
from xbot.runtime.subprocesses import environment
from xbot.state.interfaces import IJournal
from xbot.state.journal.journal import Journal

INI = "[xmpp]\njid = xbot@example.org\n"
SHUTDOWN = (
    "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
)


class LogCase(HostileCase):
    def setUp(self):
        super().setUp()
        self.log = io.StringIO()
        self.events = []
        for each in LogWriter(self.log, Levels("debug")), self.events.append:
            globalLogPublisher.addObserver(each)
            self.addCleanup(globalLogPublisher.removeObserver, each)

    def assert_no_secret(self):
        """Neither the log nor its events know the password, in any form."""
        written = self.log.getvalue() + "".join(repr(event) for event in self.events)
        for secret in secrets():
            self.assertNotIn(secret, written)


class SecretTests(LogCase):
    def test_O01(self):
        """No command takes the password, and no program that we start inherits it."""
        names = [name for name, *_ in tap.Options.optParameters]
        self.assertEqual(names, ["config"])
        for name in "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_FDS":
            self.assertEqual(environment({name: PASSWORD}), {})
        bot = self.bot()
        self.goes_on(bot, bot.online())

    def test_O02(self):
        """Logins that fail and one that succeeds tell the log nothing of the password."""
        bot = self.bot()
        peer = bot.accept()
        peer.start_tls()
        peer.feed(features(mechanisms("SCRAM-SHA-1", "PLAIN")))
        server = ScramServer(peer, "sha1")
        server.challenge()
        peer.feed(sasl("failure", "<not-authorized/>"))
        peer.lose()
        peer = bot.online()
        self.goes_on(bot, peer)
        self.assertIn("logged in as", self.log.getvalue())
        self.assert_no_secret()

    def test_O03(self):
        """A fault in the middle of the login tells what went wrong, and not with what."""

        def broken(hash_name, password, salt, iterations):
            raise RuntimeError("a fault")

        bot = self.bot()
        peer = bot.accept()
        peer.start_tls()
        peer.feed(features(mechanisms("SCRAM-SHA-1")))
        self.patch(sasl_module, "salt_password", broken)
        ScramServer(peer, "sha1").challenge()
        self.assertIn("a fault", str(peer.stream.problem))
        self.assert_no_secret()
        try:
            raise RuntimeError(bot.adapter._account)
        except RuntimeError:
            failure = Failure()
        for detail in "brief", "default", "verbose":
            for secret in secrets():
                self.assertNotIn(secret, failure.getTraceback(detail=detail))
        peer.lose()
        self.goes_on(bot, bot.online())

    def test_O05(self):
        """Whatever anybody is called or says, a record is one line, and shows what it was."""
        for text in (
            "a\r\nb",
            "x\n2026-01-01T00:00:00+0000 critical xbot: forged",
            "\u2028\u2029\u0085",
            "\u202e\u2066\u200f",
            "\u009b2J",
        ):
            bot = self.bot()
            peer = bot.online()
            written = "".join(f"&#{ord(character)};" for character in text)
            reason = f"<item role='none'><reason>{written}</reason></item><status code='307'/>"
            peer.feed(
                said("bot: deploy", written)
                + f"<message from='{written}@example.net'/>"
                + f"<presence type='unavailable' from='{ROOM}/{NICK}'>"
                f"<x xmlns='http://jabber.org/protocol/muc#user'>{reason}</x></presence>"
            )
            self.goes_on(bot, peer)
        lines = self.log.getvalue().splitlines()
        self.assertEqual(self.log.getvalue().count("\n"), len(lines))
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\S+ [a-z]+ +\S+: ")
            self.assertEqual(escape(line), line)
            self.assertLessEqual(len(line.encode()), 2048)
        self.assertIn("critical xbot: forged", self.log.getvalue())

    def test_O06(self):
        """Braces and percent signs are text, and not looked into."""
        bot = self.bot()
        peer = bot.online()
        for text in (
            "{sender.__class__}",
            "{log_logger}",
            "%s%n%(x)s",
            "{}",
            "{0}",
            "{sender!r:>9999999}",
        ):
            bot.clear_denials()
            peer.feed(told("deploy", f"mallory@example.net/{text}"))
            peer.feed(f"<message from='mallory@example.net/{text}'/>")
            peer.sent()
            self.assertGreaterEqual(self.log.getvalue().count(text), 2)
        self.assertLess(len(self.log.getvalue()), 10_000)
        self.goes_on(bot, peer)


class Here:
    """A fake journal thread that runs calls in this thread."""

    def __call__(self, function, *arguments):
        return defer.maybeDeferred(function, *arguments)

    def stop(self):
        """There is nothing to stop."""


class DaemonTests(HostileCase):
    def refused(self, text, mode=0o600, **files):
        """twistd's options do not take an ini like this; gives what they say."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, (content, its_mode) in files.items():
            (folder / name).write_text(content)
            (folder / name).chmod(its_mode)
        path = folder / "xbot.ini"
        path.write_text(text)
        path.chmod(mode)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            refused = self.assertRaises(
                SystemExit, tap.Options().parseOptions, ["--config", str(path)]
            )
        self.assertEqual(refused.code, 78)
        self.assertNotIn(PASSWORD, said.getvalue())
        self.outcomes.add("X")
        return said.getvalue()

    def test_O04(self):
        """A password that others of this machine can read, or put there, is not used."""
        self.assertIn("open to other users", self.refused(f"{INI}password = {PASSWORD}\n", 0o644))
        self.assertIn("open to other users", self.refused(f"{INI}password = {PASSWORD}\n", 0o640))
        self.refused(f"{INI}password-file = secret\n", secret=(PASSWORD, 0o644))
        read_file = credentials.read_file

        def of_somebody_else(path, limit):
            data, status = read_file(path, limit)
            fields = list(status)
            fields[stat.ST_UID] = os.geteuid() + 1
            return data, os.stat_result(fields)

        self.patch(credentials, "read_file", of_somebody_else)
        self.assertIn("belongs to user", self.refused(f"{INI}password = {PASSWORD}\n"))
        said = self.refused(f"{INI}password-file = secret\n", secret=(PASSWORD, 0o600))
        self.assertIn("belongs to user", said)

    def test_O07(self):
        """Without a disk what has effects is refused, aloud; the rest goes on, and it mends."""
        bot = self.bot()
        peer = bot.online()
        bot.journal.problem = "No space left on device"
        peer.feed(told("deploy"))
        self.assertEqual(bot.runs, [])
        self.assertIn("cannot run now", str(peer.stanza().body))
        peer.feed(told("ping"))
        self.assertEqual(str(peer.stanza().body), "pong")
        self.assertIn("No space", str(bot.journal.state))
        bot.journal.problem = None
        self.goes_on(bot, peer)
        # A folder that cannot be written is a problem that the real journal tells as well.
        folder = Path(self.mktemp())
        folder.write_text("no folder")
        journal = Journal(folder / "journal.sqlite", bot.clock, in_thread=Here())
        self.assertTrue(IJournal.providedBy(journal))
        with contextlib.suppress(Exception):
            self.successResultOf(journal.open())
        self.assertIsNotNone(journal.state.problem)
        journal.close()

    def begun(self, bot):
        """A deployment that goes on."""
        bot.runs.append("once")
        return defer.Deferred()

    def test_O08(self):
        """A command that the end of the process interrupted is not run again, and is told."""
        bot = self.bot()
        stuck = Responder(
            "deploy",
            (Route(Pattern.match("deploy"), lambda message, groups: self.begun(bot)),),
        )
        bot.have_only(stuck)
        peer = bot.online()
        command = told("deploy").replace("<message", "<message id='1'")
        peer.feed(command)
        self.assertEqual(bot.runs, ["once"])
        after = self.bot(journal=bot.journal.restarted())
        peer = after.online()
        after.dispatcher.report_interrupted(after.outbox.put)
        self.assertIn("interrupted", str(peer.stanza().body))
        peer.feed(command)
        self.assertEqual(after.runs, [])
        self.assertEqual(after.dispatcher.fates["duplicate"], 1)
        self.goes_on(after, peer)

    def test_O09(self):
        """What is to be said when we are told to end is said first, for ten seconds at most."""
        bot = self.bot()
        peer = bot.online(managed=True)
        peer.transport.producer.pauseProducing()
        for _ in range(100):
            peer.feed(told("ping"))
        drained = bot.outbox.drained()
        self.assertNoResult(drained)
        bot.dispatcher.stop()
        peer.transport.producer.resumeProducing()
        answers, managed = 0, bot.adapter.managed
        while some := [stanza for stanza in peer.stanzas() if stanza.name == "message"]:
            answers += len(some)
            h = managed._session.outbound._acknowledged + managed.unacknowledged
            peer.feed(f"<a xmlns='urn:xmpp:sm:3' h='{h}'/>")
        self.assertEqual(answers, 100)
        self.successResultOf(drained)
        self.assertLessEqual(service.DRAIN_TIMEOUT, 10)
        peer.feed(told("deploy"))
        self.assertEqual(bot.runs, [])
        self.outcomes.add("O")

    def test_O10(self):
        """In the foreground no pid file is written, so no old one is in the way."""
        folder = Path(self.mktemp())
        folder.mkdir()
        ini = folder / "xbot.ini"
        ini.write_text("[xmpp]\nserver = embedded\n")
        for content in "", "1", str(os.getpid()), "no number":
            (folder / "twistd.pid").write_text(content)
            options = tap.Options()
            options.parent = {"nodaemon": True, "pidfile": "twistd.pid"}
            options.parseOptions(["--config", str(ini)])
            self.assertEqual(options.parent["pidfile"], "")
        self.outcomes.add("O")


class AroundTests(HostileCase):
    def room(self, bot):
        (room,) = bot.adapter.rooms
        return room

    def test_O11(self):
        """After the server's restart we are back in the room, whatever it said or did not say."""
        bot = self.bot()
        for end in "", SHUTDOWN.format("system-shutdown"), SHUTDOWN.format("reset"):
            peer = bot.online()
            peer.feed(end)
            peer.lose(ConnectionLost())
            self.assertIs(bot.state, State.WAITING)
        peer = bot.online()
        self.assertEqual(bot.adapter.nick_in(ROOM), NICK)
        self.goes_on(bot, peer)

    def test_O12(self):
        """Another program under our name has it once; the second time only a person can help."""
        bot = self.bot()
        for _ in range(2):
            peer = bot.online()
            peer.feed(SHUTDOWN.format("conflict"))
            peer.lose()
        self.exits(bot)
        self.assertIn("another program", str(bot.gave_up[0]))

    def test_O13(self):
        """An account that is gone, and has worked, is tried rarely, and told."""
        bot = self.bot()
        peer = bot.online()
        peer.feed(SHUTDOWN.format("not-authorized"))
        peer.lose()
        for _ in range(3):
            self.assertEqual(bot.gave_up, [])
            peer = bot.await_try()
            peer.start_tls()
            peer.feed(features(mechanisms("PLAIN")))
            peer.feed(sasl("failure", "<not-authorized/>"))
            peer.lose()
        self.assertEqual(bot.gave_up, [])
        self.assertGreaterEqual(bot.adapter.connection.status.next_try - bot.clock.seconds(), 600)
        self.assertIn("not-authorized", bot.adapter.connection.status.last_error)
        self.outcomes.add("C")

    def test_O14(self):
        """Put out of a room we come back where we may, and say why where not."""
        x = "<x xmlns='http://jabber.org/protocol/muc#user'>{}</x>"
        gone = f"<presence type='unavailable' from='{ROOM}/{NICK}'>{x}</presence>"
        item = "<item role='none' affiliation='{}'><reason>why</reason></item><status code='110'/>"
        destroyed = "<item role='none' affiliation='none'/><destroy><reason>why</reason></destroy>"
        table = (
            (destroyed + "<status code='110'/>", Room.REFUSED),
            (item.format("none") + "<status code='307'/>", Room.ABSENT),
            (item.format("outcast") + "<status code='301'/>", Room.REFUSED),
            (item.format("none") + "<status code='322'/>", Room.REFUSED),
            (item.format("none") + "<status code='332'/>", Room.ABSENT),
        )
        for content, state in table:
            bot = self.bot()
            peer = bot.online()
            peer.feed(gone.format(content))
            room = self.room(bot)
            self.assertIs(room.state, state, content)
            self.assertIsNone(bot.adapter.nick_in(ROOM))
            self.assertTrue(room.status.reason)
            if state is Room.ABSENT:
                bot.clock.advance(room.status.next_try - bot.clock.seconds())
                self.assertIs(room.state, Room.JOINING)
                bot.enter(peer)
                self.assertEqual(bot.adapter.nick_in(ROOM), NICK)
            self.goes_on(bot, peer)

    def test_O15(self):
        """After a day without a processor the connection is tried, found dead, and made anew.

        What it brings of before is not obeyed, whether it is read before a timer rings or after.
        """
        bot = self.bot(may_stand_still=True)
        peer = bot.online()
        calls = len(bot.clock.getDelayedCalls())
        bot.clock.rightNow += 86_400.0
        peer.feed(said("bot: deploy"))
        bot.clock.advance(0)
        peer.feed(said("bot: deploy"))
        self.assertEqual(bot.runs, [])
        for _ in range(11):
            bot.clock.advance(1)
        self.assertTrue(peer.transport.aborted)
        peer.lose(ConnectionLost())
        peer = bot.online()
        self.assertEqual(bot.adapter.nick_in(ROOM), NICK)
        self.goes_on(bot, peer)
        bot.clock.advance(6)
        self.assertLessEqual(len(bot.clock.getDelayedCalls()), calls)
