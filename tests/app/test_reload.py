"""Tests of reloads of the whole bot, in memory: only what changed in the ini changes."""

import importlib
import os
import sys
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, globalLogPublisher
from twisted.trial import unittest

from tests.chat.xmpp.harness import FakeEndpoint
from tests.chat.xmpp.security.test_tls import Identity
from tests.state.journal.test_journal import InTurn
from xbot.app.reload_queue import SETTLE
from xbot.app.service import BotService
from xbot.chat.xmpp import network
from xbot.chat.xmpp.stream.connection import State
from xbot.chat.xmpp.wire import ns
from xbot.config import load
from xbot.model.file_state import UnusableFile
from xbot.model.message import Message
from xbot.state.journal import journal as journal_module
from xbot.testing.journal import MemoryJournal
from xbot.web.posting import PostRequest
from xbot.webhooks import spool
from xbot.webhooks.spool import Spool

ACCOUNT = "[xmpp]\njid = xbot@example.org\npassword = pencil\n"
ROOM = "a@muc.example.org"
HELLO = "[responder hello]\nmatch = hello\nreply = {}\n"


class ReloadCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.ini = self.folder / "xbot.ini"
        self.state = self.folder / "state"
        self.clock = Clock()
        self.endpoints = []
        self.patch(network, "make_endpoint", self.make_endpoint)
        self.messages = 0
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def make_endpoint(self, config, reactor, embedded):
        self.endpoints.append(FakeEndpoint(self.clock))
        return self.endpoints[-1]

    def write(self, *parts, name="xbot.ini"):
        path = self.folder / name
        path.write_text("\n".join(parts))
        path.chmod(0o600)

    def start(self, *parts):
        """A bot with this ini, logged in, in its rooms."""
        self.write(*parts)
        self.load = partial(load, environ={"STATE_DIRECTORY": str(self.state), "PATH": "/bin"})
        self.bot = BotService(self.load(self.ini), self.clock, self.fail, self.load)
        self.bot.startService()
        self.log_in()

    def log_in(self):
        self.peer = self.bot.network.adapter.connection._endpoint.accept()
        self.peer.log_in("xbot@example.org/bot")
        self.let_in()

    def let_in(self):
        """Every room that we ask lets us in; gives what else we sent."""
        others = []
        while stanzas := self.peer.stanzas():
            for stanza in stanzas:
                x = stanza.firstChildElement()
                if stanza.name == "presence" and x is not None and x.uri == ns.MUC:
                    self.enter(stanza["to"])
                elif stanza.name != "iq":
                    others.append(stanza)
        return others

    def enter(self, occupant, status="110"):
        room = occupant.partition("/")[0]
        self.peer.feed(
            f"<presence from='{occupant}'><x xmlns='{ns.MUC_USER}'><status code='{status}'/></x>"
            f"</presence><message type='groupchat' from='{room}'><subject/></message>"
        )

    def say(self, text, room=ROOM):
        self.messages += 1
        self.peer.feed(
            f"<message type='groupchat' from='{room}/alice' id='m{self.messages}'>"
            f"<body>{text}</body></message>"
        )

    def answers(self):
        """What we said since the last call; the room reflects it."""
        said = [each for each in self.let_in() if each.name == "message"]
        for each in said:
            self.peer.feed(
                f"<message type='groupchat' from='{ROOM}/xbot' id='{each['id']}'>"
                f"<body>{each.body}</body></message>"
            )
        return [str(each.body) for each in said]

    def reload(self, *parts):
        """The ini becomes this, and SIGHUP comes."""
        self.write(*parts)
        done = self.bot.reload()
        self.clock.advance(SETTLE)
        return done

    def logged(self, text):
        return [each for each in self.events if (each.get("log_format") or "").startswith(text)]

    def assert_refused(self, where):
        [event] = self.logged("reload refused")
        self.assertIn(where, event["problem"])
        self.events.clear()

    def plan(self):
        [event] = self.logged("reload: ")
        self.events.clear()
        return event["plan"]


class ReloadTests(ReloadCase):
    def test_rooms(self):
        """Rooms are joined and left, and another nick taken, on the same stream."""
        self.start(ACCOUNT, f"[room {ROOM}]\n[room b@muc.example.org]")
        done = self.reload(ACCOUNT, f"[room {ROOM}]\nnick = robo\n[room c@muc.example.org]")
        self.successResultOf(done)
        self.assertEqual(
            self.plan(),
            "join +1, leave -1, nick 1, responders +0 -0 ~0, account unchanged",
        )
        sent = {each["to"]: each.getAttribute("type") for each in self.peer.stanzas()}
        self.assertEqual(
            sent,
            {
                "b@muc.example.org/xbot": "unavailable",
                "c@muc.example.org/xbot": None,
                f"{ROOM}/robo": None,
            },
        )
        self.assertEqual(len(self.endpoints), 1)
        self.assertIs(self.bot.network.adapter.connection.status.state, State.ONLINE)

    def test_every_message_is_answered_once(self):
        """What is said before, within and after a reload is answered once, by old or new code."""
        account = "[xbot]\nsender-rate = off\nroom-rate = off\n" + ACCOUNT
        self.start(account, f"[room {ROOM}]", HELLO.format("old"))
        for cut in range(4):
            self.say("xbot: hello")
            done = self.bot.reload()
            rooms = f"[room {ROOM}]\n[room x{cut}@muc.example.org]"
            self.write(account, rooms, HELLO.format("new"))
            self.say("xbot: hello")
            self.clock.advance(SETTLE / 2)
            self.say("xbot: hello")
            self.clock.advance(SETTLE)
            self.successResultOf(done)
            self.say("xbot: hello")
            self.assertEqual(
                self.answers(), ["old"] * 3 + ["new"] if cut == 0 else ["new"] * 4, cut
            )
        # The same message again is still the same one.
        self.messages -= 1
        self.say("xbot: hello")
        self.assertEqual(self.answers(), [])
        self.assertEqual(self.bot.dispatcher.fates["answered"], 16)

    def test_rooms_that_refused(self):
        """SIGHUP has the bot ask a room again that refused it, and says so; no other room is."""
        self.start(ACCOUNT, f"[room {ROOM}]\n[room b@muc.example.org]")
        code = "<status code='110'/><status code='321'/>"
        self.peer.feed(
            f"<presence type='unavailable' from='{ROOM}/xbot'><x"
            f" xmlns='http://jabber.org/protocol/muc#user'>{code}</x></presence>"
        )
        self.peer.stanzas()
        with capturedLogs() as events:
            self.successResultOf(self.reload(ACCOUNT, f"[room {ROOM}]\n[room b@muc.example.org]"))
        self.assertEqual([each["to"] for each in self.peer.stanzas()], [f"{ROOM}/xbot"])
        whys = [str(event["why"]) for event in events if "why" in event]
        self.assertEqual(whys, ["the ini was read again"])

    def test_mistakes_change_nothing(self):
        """An ini with mistakes is refused with every one of them, and the bot goes on."""
        self.start(ACCOUNT, f"[room {ROOM}]", HELLO.format("old"))
        before = self.bot.config
        new = f"[room {ROOM}]\n[room c@muc.example.org]"
        table = [
            ((ACCOUNT, new, "[responder x]\nmatch = (\nreply = x"), ":8: [responder x] match"),
            ((ACCOUNT, new, "[romo x]"), "xbot.ini:7: [romo x]"),
            (("[xbot]\nstate = other\n" + ACCOUNT, new), "xbot.ini:2: [xbot] state: cannot change"),
            ((ACCOUNT, new, "[responder x]\nmatch = x\nuse = no_such_module:x"), "xbot.ini:9"),
            ((ACCOUNT + "ca-file = xbot.ini", new), "[xmpp] ca-file"),
        ]
        for parts, where in table:
            self.successResultOf(self.reload(*parts))
            self.assert_refused(where)
            self.assertIs(self.bot.config, before)
            self.assertEqual(self.peer.stanzas(), [])
        self.ini.unlink()
        self.bot.reload()
        self.clock.advance(SETTLE)
        self.assert_refused("xbot.ini: there is no file")
        self.say("xbot: hello")
        self.assertEqual(self.answers(), ["old"])

    def test_all_mistakes_are_told(self):
        """Each mistake has its line in the log."""
        self.start(ACCOUNT)
        self.reload(ACCOUNT, "[romo x]\n[room a@b/c]")
        self.assertEqual(len(self.logged("reload refused")), 2)
        overview = self.bot.overview()
        self.assertRegex(overview.reload.problem, r"xbot.ini:\d+: .*romo.* \(and 1 more\)")
        self.assertIn("the last reload was refused: ", overview.in_words())
        # What holds is still the ini of the start.
        self.assertLess(overview.reload.applied_at, overview.reload.when)
        self.reload(ACCOUNT)
        self.assertIsNone(self.bot.overview().reload.problem)

    def test_by_command(self):
        """xbot reload is answered with the outcome, when the reload is done."""
        self.start(ACCOUNT)
        for text, told in (("[romo x]", "romo"), ("", "")):
            self.write(ACCOUNT, text)
            asked = self.bot.for_scripts().reload()
            self.assertNoResult(asked)
            self.clock.advance(SETTLE)
            problem = self.successResultOf(asked)
            self.assertEqual((bool(problem), told in problem), (bool(told), True))

    def test_options(self):
        """Name, prefix and times hold from then on."""
        self.start(ACCOUNT, f"[room {ROOM}]\nnick = robo", HELLO.format("hi"))
        self.say("!hello")
        self.assertEqual(self.answers(), [])
        self.reload(
            "[xbot]\nname = bob\nprefix = !",
            ACCOUNT + "ping-interval = 5s\nping-timeout = 2s\nreconnect-max = 7s\n"
            "room-ping-interval = 99s\nresume-max-age = 3s\nsubscriptions = accept\n"
            "accept-invites = alice@example.org",
            f"[room {ROOM}]\nnick = robo",
            HELLO.format("hi"),
        )
        self.assertIn("account unchanged", self.plan())
        for text, answered in {"!": 1, "bob: ": 1, "xbot: ": 0, "robo: ": 1}.items():
            self.say(f"{text}hello")
            self.assertEqual(self.answers(), ["hi"] * answered, text)
        self.clock.advance(5)
        self.assertIn("urn:xmpp:ping", self.peer.sent())
        self.peer.feed("<presence from='x@example.net' type='subscribe'/>")
        self.assertEqual(self.peer.stanza()["type"], "subscribed")
        self.peer.feed(
            "<message from='alice@example.org/x'>"
            "<x xmlns='jabber:x:conference' jid='n@muc.y'/></message>"
        )
        self.assertEqual(self.peer.stanza()["to"], "n@muc.y/bob")
        self.clock.advance(2)
        self.assertTrue(self.peer.transport.aborted)

    def test_groups(self):
        """Who belongs to a group changes at once what they may: commands, invitations, presence."""
        account = ACCOUNT + "ping-interval = 1h\nsubscriptions = ops\naccept-invites = ops"
        group = "[group ops]\nmembers = {}@example.net\n"
        hello = HELLO.format("hi") + "allow = ops\n"
        self.start(account, group.format("alice"), hello)
        for number, member in enumerate(("alice", "bob", "alice")):
            if number:
                self.reload(account, group.format(member), hello)
                self.assertIn("account unchanged", self.plan())
            for name in "alice", "bob":
                jid = f"{name}@example.net"
                room = f"{name}{number}@muc.example.net"
                self.peer.feed(
                    f"<message type='chat' from='{jid}/x' id='h{number}'><body>hello</body>"
                    f"</message><presence type='subscribe' from='{jid}'/>"
                    f"<message from='{jid}/x'><x xmlns='jabber:x:conference' jid='{room}'/>"
                    "</message>"
                )
                sent = self.peer.stanzas()
                # The joins wait for the answer to the ping behind those before.
                for iq in [each for each in sent if each.name == "iq" and each.ping]:
                    self.peer.feed(f"<iq type='result' id='{iq['id']}' from='{iq['to']}'/>")
                sent += self.peer.stanzas()
                [said] = [str(each.body) for each in sent if each.name == "message"]
                self.assertEqual(said == "hi", name == member, said)
                answers = {each["to"]: each.getAttribute("type") for each in sent}
                answer = "subscribed" if name == member else "unsubscribed"
                self.assertEqual(answers[jid], answer)
                self.assertEqual(f"{room}/xbot" in answers, name == member)
            self.clock.advance(60)

    def test_how_much(self):
        """The rates change; what was used up counts."""
        self.start("[xbot]\nsender-rate = 1/1h\n" + ACCOUNT, f"[room {ROOM}]", HELLO.format("hi"))
        for _ in range(2):
            self.say("xbot: hello")
        self.assertEqual(len(self.answers()), 2)
        self.reload("[xbot]\nsender-rate = off\n" + ACCOUNT, f"[room {ROOM}]", HELLO.format("hi"))
        self.assertIn("options sender-rate", self.plan())
        for _ in range(5):
            self.say("xbot: hello")
        self.assertEqual(self.answers(), ["hi"] * 5)

    def test_who_answers_where(self):
        """Which responders answer in a room changes without a word to the room."""
        self.start(ACCOUNT, f"[room {ROOM}]", HELLO.format("hi"))
        self.reload(ACCOUNT, f"[room {ROOM}]\nresponders = ping", HELLO.format("hi"))
        self.assertEqual(self.peer.sent(), "")
        self.say("xbot: hello")
        self.say("xbot: help")
        self.say("xbot: ping")
        self.assertEqual(self.answers(), ["pong"])

    def test_stopped(self):
        """A reload that is asked for at the end, or after it, does nothing."""
        self.start(ACCOUNT, f"[room {ROOM}]")
        asked = self.bot.reload()
        stopped = self.bot.stopService()
        self.peer.lose()
        self.successResultOf(asked)
        self.successResultOf(stopped)
        self.successResultOf(self.bot.reload())
        self.clock.advance(10)
        self.assertEqual(self.logged("reload"), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AccountTests(ReloadCase):
    def test_another_account(self):
        """Another account needs a new connection: rooms are joined anew, what waits is said."""
        self.start(ACCOUNT, f"[room {ROOM}]", HELLO.format("hi"))
        other = ACCOUNT.replace("pencil", "other")
        done = self.reload(other, f"[room {ROOM}]", HELLO.format("ho"))
        self.assertNoResult(done)
        self.assertTrue(self.peer.sent().endswith("</stream:stream>"))
        # Meanwhile somebody who talks to no connection at all is owed an answer.
        self.bot.outbox.put(Message("", ROOM, "waited", {"type": "groupchat"}, room=ROOM))
        self.peer.lose()
        self.successResultOf(done)
        self.assertIn("account changed (password)", self.plan())
        self.peer = self.endpoints[-1].accept()
        self.peer.log_in("xbot@example.org/bot")
        self.assertEqual(self.answers(), ["waited"])
        self.say("xbot: hello")
        self.assertEqual(self.answers(), ["ho"])
        self.assertEqual(len(self.bot.outbox), 0)

    def test_a_new_certificate(self):
        """A file with other contents under the same name is another account."""
        self.write(Identity("a").pem.decode(), name="ca")
        self.start(ACCOUNT + "ca-file = ca")
        self.reload(ACCOUNT + "ca-file = ca")
        self.assertIn("account unchanged", self.plan())
        self.write(Identity("b").pem.decode(), name="ca")
        self.reload(ACCOUNT + "ca-file = ca")
        self.assertIn("account changed (ca-file)", self.plan())

    def test_stopped_meanwhile(self):
        """A bot that is stopped while it changes its account stays stopped."""
        self.start(ACCOUNT, f"[room {ROOM}]")
        done = self.reload(ACCOUNT.replace("pencil", "other"))
        stopped = self.bot.stopService()
        self.peer.lose()
        self.successResultOf(done)
        self.successResultOf(stopped)
        self.assertEqual(self.endpoints[-1].attempts[1:], [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reload_while_offline(self):
        """Without a connection the new rooms are joined at the next one."""
        self.start(ACCOUNT, f"[room {ROOM}]")
        self.peer.lose()
        self.reload(ACCOUNT, "[room b@muc.example.org]")
        self.clock.advance(2)
        self.peer = self.endpoints[0].accept()
        self.peer.log_in("xbot@example.org/bot")
        sent = [each["to"] for each in self.peer.stanzas() if each.hasAttribute("to")]
        self.assertEqual(sent, ["b@muc.example.org/xbot"])


class CodeTests(ReloadCase):
    USE = "[responder w]\nuse = reload_ours:answer\n"
    CODE = (
        "from twisted.internet.defer import Deferred\nfrom xbot import respond\n"
        "WAITING = Deferred()\n"
        "@respond('w', effect={effect})\nasync def answer(message):\n"
        "    await WAITING\n    return {text!r}\n"
    )

    def setUp(self):
        super().setUp()
        # Whatever the environment wishes.
        self.patch(sys, "dont_write_bytecode", False)
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.addCleanup(sys.modules.pop, "reload_ours", None)
        self.code("first")

    def code(self, text, effect=False):
        path = self.folder / "reload_ours.py"
        path.write_text(self.CODE.format(text=text, effect=effect))
        # Two edits within a second: by time and size the old bytecode fits the new code.
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def test_fresh_code(self):
        """A run under way ends with the old code; the next one, after it, has the new."""
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        self.say("xbot: w")
        old = sys.modules["reload_ours"]
        self.code("second time")
        self.reload(ACCOUNT, f"[room {ROOM}]", self.USE)
        self.assertIn("fresh code 1", self.plan())
        self.say("xbot: w")
        old.WAITING.callback(None)
        sys.modules["reload_ours"].WAITING.callback(None)
        self.assertEqual(self.answers(), ["first", "second time"])

    def test_helper_beside(self):
        """A helper module beside the responder's is new with it; if the reload fails, neither."""
        self.addCleanup(sys.modules.pop, "reload_helper", None)

        def write(value, *more):
            (self.folder / "reload_helper.py").write_text(f"VALUE = {value!r}\n")
            code = ["import reload_helper", "from xbot import respond", *more]
            code += ["@respond('w', effect=False)", "async def answer(message):"]
            code += ["    return reload_helper.VALUE"]
            (self.folder / "reload_ours.py").write_text("\n".join(code))

        write("first")
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        for value, more, answer in (
            ("second", (), "second"),
            ("broken", ("1 / 0",), "second"),
            ("third", (), "third"),
        ):
            write(value, *more)
            self.reload(ACCOUNT, f"[room {ROOM}]", self.USE)
            self.say("xbot: w")
            self.assertEqual(self.answers(), [answer])
        self.flushLoggedErrors()

    def test_helper_elsewhere(self):
        """A changed helper from another folder stays old, and the log says so."""
        elsewhere = Path(self.mktemp()).absolute()
        elsewhere.mkdir()
        sys.path.insert(0, str(elsewhere))
        self.addCleanup(sys.path.remove, str(elsewhere))
        self.addCleanup(sys.modules.pop, "reload_far", None)
        (elsewhere / "reload_far.py").write_text("")
        importlib.import_module("reload_far")
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        self.bot._assembly._modules._imported["reload_far"] = 0.0
        self.reload(ACCOUNT, f"[room {ROOM}]", self.USE)
        [warned] = self.logged("changed on disk")
        self.assertIn("reload_far", warned["modules"])

    def test_broken_code(self):
        """Code that cannot be imported refuses the reload as a whole."""
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        old = sys.modules["reload_ours"]
        (self.folder / "reload_ours.py").write_text("1 / 0")
        self.reload(ACCOUNT, "[room b@muc.example.org]", self.USE)
        self.assert_refused("ZeroDivisionError")
        self.assertIs(sys.modules["reload_ours"], old)
        self.assertEqual(self.peer.sent(), "")
        self.say("xbot: w")
        old.WAITING.callback(None)
        self.assertEqual(self.answers(), ["first"])

    def test_a_journal_that_was_not_needed_before(self):
        """The first responder with effects brings the journal, which then stays."""
        journal = MemoryJournal()
        self.patch(journal_module, "Journal", lambda *arguments, **options: journal)
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        self.assertIsNone(self.bot.journal)
        self.code("second", effect=True)
        self.successResultOf(self.reload(ACCOUNT, f"[room {ROOM}]", self.USE))
        self.say("xbot: w")
        self.assertEqual(len(journal.entries), 1)
        self.reload(ACCOUNT, f"[room {ROOM}]")
        self.assertIs(self.bot.journal, journal)

    def test_a_journal_that_cannot_be_opened(self):
        """Without the journal that it needs, a reload is refused."""
        journal = MemoryJournal()
        journal.open = lambda: fail(UnusableFile(Path("x"), "it is not ours"))
        self.patch(journal_module, "Journal", lambda *arguments, **options: journal)
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE)
        self.code("second", effect=True)
        self.reload(ACCOUNT, "[room b@muc.example.org]", self.USE)
        self.assert_refused("it is not ours")
        self.assertEqual(self.peer.sent(), "")

    def test_messages_while_the_journal_opens(self):
        """What is said while a reload waits for the disk is answered by the old responders."""
        journal, opened = MemoryJournal(), Deferred()
        journal.open = lambda: opened
        self.patch(journal_module, "Journal", lambda *arguments, **options: journal)
        self.start(ACCOUNT, f"[room {ROOM}]", self.USE, HELLO.format("old"))
        self.code("second", effect=True)
        done = self.reload(ACCOUNT, f"[room {ROOM}]", self.USE, HELLO.format("new"))
        again = self.bot.reload()
        self.clock.advance(1)
        self.say("xbot: hello")
        self.assertEqual(self.answers(), ["old"])
        opened.callback(None)
        self.successResultOf(done)
        self.say("xbot: hello")
        self.assertEqual(self.answers(), ["new"])
        self.clock.advance(SETTLE)
        self.successResultOf(again)
        self.assertEqual(len(self.logged("reload: ")), 2)


class StatusServerTests(ReloadCase):
    def test_it_comes_moves_and_goes(self):
        """What the ini says of HTTP holds after a reload; the rest of the bot does not notice."""
        ports = []

        class Port:
            def __init__(self, port):
                self.port, self.is_open = port, True

            def stopListening(self):
                self.is_open = False

        def listen(port, factory, backlog, interface):
            ports.append(Port(port))
            return ports[-1]

        self.clock.listenTCP = listen
        http = "[http]\nlisten = 127.0.0.1:{}\n"
        self.start(ACCOUNT, HELLO.format("1"))
        for parts, told in (
            (http.format(1), [(1, True)]),
            (http.format(1), [(1, True)]),
            (http.format(2), [(1, False), (2, True)]),
            ("", [(1, False), (2, False)]),
            (http.format(3), [(1, False), (2, False), (3, True)]),
        ):
            self.reload(ACCOUNT, HELLO.format("1"), parts)
            self.assertEqual([(each.port, each.is_open) for each in ports], told)
        self.assertTrue(any("options http" in str(event.get("plan")) for event in self.events))


class WebhookTests(ReloadCase):
    HTTP = "[http]\nlisten = 127.0.0.1:1\n"
    HOOK = f"[webhook {{}}]\nroom = {ROOM}\ntemplate = {{{{a}}}}\nsecret = none\n"

    def setUp(self):
        super().setUp()
        self.patch(spool, "Spool", partial(Spool, in_thread=InTurn()))
        self.clock.listenTCP = lambda *args, **more: Port()

    def post(self, name, body=b'{"a": "b"}'):
        headers = {"content-type": "application/json"}
        posted = PostRequest(f"/webhook/{name}", headers, body)
        return self.successResultOf(self.bot.http.webhooks.post(posted)).status

    def test_they_come_and_go(self):
        """The webhooks are those of the ini after a reload, and say what was posted."""
        self.start(ACCOUNT, self.HTTP, f"[room {ROOM}]")
        self.assertEqual(self.post("one"), 404)
        self.reload(ACCOUNT, self.HTTP, f"[room {ROOM}]", self.HOOK.format("one"))
        self.assertIn("options webhooks", self.plan())
        self.assertEqual(self.post("one"), 202)
        self.clock.advance(1)
        self.assertEqual(self.answers(), ["[one] b"])
        posts = self.bot.overview().posts
        self.assertEqual((posts.answers["one"]["202"], posts.texts["delivered"]), (1, 1))
        self.reload(ACCOUNT, self.HTTP, f"[room {ROOM}]", self.HOOK.format("two"))
        self.assertEqual((self.post("one"), self.post("two")), (404, 202))

    def test_kept_while_the_link_is_down(self):
        """What is taken while the link is down is said once it is back."""
        self.start(ACCOUNT, self.HTTP, f"[room {ROOM}]", self.HOOK.format("one"))
        self.peer.lose()
        self.assertEqual(self.post("one"), 202)
        self.clock.advance(5)
        self.peer = self.bot.network.adapter.connection._endpoint.accept()
        self.peer.log_in("xbot@example.org/bot")
        self.assertEqual(self.answers(), ["[one] b"])


class Port:
    """A fake listening port."""

    def stopListening(self):
        """Nobody knows."""


class OverviewTests(ReloadCase):
    def test_what_is_told(self):
        """The overview has who we are, what is loaded, what ran and how the connection went."""
        self.patch(journal_module, "Journal", lambda path, clock, keep: MemoryJournal())
        deed = "[responder deed]\nmatch = deed\nrun = true\n"
        self.start(ACCOUNT, HELLO.format("1"), deed, "[room a@muc.example.org]")
        self.assertEqual(self.bot.overview().journal, "ok")
        self.bot.dispatcher.got_message(
            Message("alice@example.org/x", "xbot@example.org/bot", "hello", {"type": "chat"})
        )
        told = self.bot.overview()
        self.assertEqual((told.name, told.jid), ("xbot", "xbot@example.org/bot"))
        self.assertEqual(told.skills[0].name, "hello")
        self.assertEqual([each.state for each in told.changes],
                         ["connecting", "negotiating", "online"])  # fmt: skip
        (command,) = told.commands
        self.assertEqual(
            (command.responder, command.who, command.outcome, command.seconds),
            ("hello", "alice@example.org/x", "answered", 0.0),
        )
        self.assertEqual(told.fates["answered"], 1)
        self.assertEqual([(room.state, room.is_named) for room in told.rooms], [("joined", True)])
