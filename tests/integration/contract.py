"""Contract tests: mix-ins with the tests that must pass on every kind of server."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.daemon import XBOT, finish
from tests.integration import unchecked
from tests.integration.daemon import Daemon
from tests.integration.person import Person
from tests.integration.process import DEADLINE, read, wait_until
from tests.integration.server import ACCOUNTS, Server, shared
from tests.leaks import forms
from tests.ports import free_port
from xbot import __version__
from xbot.chat.xmpp.wire import ns
from xbot.engine.dispatch.output import PAGE
from xbot.model.markup import pages

#: Seconds within which the bot must rejoin its rooms after the server is back.
RETURN = 10.0

if TYPE_CHECKING:
    Base = unittest.TestCase
else:
    # A mixin that were a TestCase would be collected by itself.
    Base = object


class Scene(Base):
    """Base class: starts a server, a bot and clients, and stops them."""

    kind: type[Server]
    server: Server

    def setUp(self) -> None:
        self.server = shared(self.kind)
        self._daemons: list[Daemon] = []

    def bot(
        self, rooms: Iterable[str] = (), *, server: Server | None = None, **more: Any
    ) -> Daemon:
        """A bot that is not started yet."""
        daemon = Daemon(server or self.server, rooms, **more)
        self.addCleanup(daemon.remove)
        self._daemons.append(daemon)
        return daemon

    def person(self, name: str = "alice") -> Person:
        """Somebody who is logged in."""
        person = Person(self.server, name, lambda: "".join(d.text() for d in self._daemons))
        self.addCleanup(person.leave)
        return person

    def room(self) -> str:
        """The JID of a room that nobody was ever in."""
        return f"room-{secrets.token_hex(4)}@{self.server.muc}"

    def other_server(self, **more: Any) -> Server:
        """One more server of this kind, running, for this test alone."""
        server = self.kind(**more)
        self.addCleanup(server.remove)
        server.start()
        return server

    def folder(self) -> Path:
        """A temporary folder."""
        folder = Path(tempfile.mkdtemp(prefix="xbot-test-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def catch_up(self, person: Person, room: str) -> None:
        """Returns once the bot has done with all that was said in ``room`` until now."""
        text = f"echo {secrets.token_hex(4)}"
        person.say(room, text)
        person.expect(f"{room}/xbot", text)


class LoginContract(Scene):
    """Login: authentication and TLS certificates."""

    def test_logs_in_with_scram_over_verified_tls(self) -> None:
        """The bot logs in by SCRAM inside TLS, and its log does not tell the password."""
        since = len(self.server.log())
        bot = self.bot()
        bot.start_and_join()
        # A server may write its log a while after the fact.
        wait_until(
            lambda: self.server.login_report(self.server.log()[since:]) == (True, True),
            lambda: f"TLS and SCRAM in the server's log\n{self.server.log()[since:][-3000:]}",
            DEADLINE,
        )
        self.assertIn(self.server.attempt_mark, self.server.log()[since:])
        self.assertNotIn(ACCOUNTS["xbot"], bot.text())

    def test_the_password_shows_nowhere(self) -> None:
        """In no form is it in the log at debug, the wire trace, the state folder or /proc."""
        room = self.room()
        bot = self.bot([room])
        bot.arguments = ["--trace"]
        bot.start_and_join()
        seen = [Path(f"/proc/{bot.process.pid}/{name}") for name in ("cmdline", "environ")]
        texts = {str(path): path.read_bytes() for path in seen}
        bot.stop()
        state = [path for path in (bot.folder / "state").rglob("*") if path.is_file()]
        texts |= {str(path): path.read_bytes() for path in state}
        texts["the log"] = bot.text().encode()
        self.assertIn("xbot.chat.xmpp.wire: sent <response", bot.text())
        self.assertIn(str(bot.folder / "state" / "login.json"), texts)
        for place, text in texts.items():
            for form in forms(ACCOUNTS["xbot"]):
                self.assertNotIn(form.encode(), text, place)

    def test_a_wrong_password_ends_it_after_three_tries(self) -> None:
        """Refused three times, the bot exits with 78 and says why; once would be hasty."""
        server = self.other_server()
        bot = self.bot(server=server, password="not the password")
        bot.start()
        self.assertEqual(bot.process.wait(60), 78, bot.text())
        self.assertIn("the server refuses the login: not-authorized", bot.text())
        self.assertIn("xbot stops", bot.text())
        self.assertNotIn("not the password", bot.text())
        server.stop()
        # Proofs, not <auth/>: a server may refuse the first type of channel binding.
        self.assertEqual(server.log().count(server.proof_mark), 3)

    def test_an_untrusted_certificate_gets_no_password(self) -> None:
        """Without the authority in its ini the bot never logs in, says so, and tries again."""
        server = self.other_server()
        self.check_no_login(
            self.bot(server=server, trusts=False),
            "the server's certificate is not trusted",
            server,
        )

    def test_a_certificate_for_another_domain_gets_no_password(self) -> None:
        """A certificate of the right authority for a wrong domain is refused, and told."""
        server = self.other_server(certificate_for="other.test")
        self.check_no_login(
            self.bot(server=server), "the server's certificate is not for our domain", server
        )

    def test_our_own_check_alone(self) -> None:
        """Where Twisted's check asks for no name ours refuses it, by STARTTLS and direct TLS."""
        bot = self.bot()
        bot.main = unchecked.MAIN
        bot.start_and_join()
        bot.stop()
        for is_direct in False, True:
            server = self.other_server(certificate_for="other.test")
            port = server.direct_port if is_direct else server.port
            bot = self.bot(server=server, port=port, xmpp="tls = direct" if is_direct else "")
            bot.main = unchecked.MAIN
            self.check_no_login(
                bot,
                f"the server's certificate is not for our domain ({server.domain});",
                server,
                is_heard=False,
            )
            self.assertNotIn("Traceback", bot.text())

    def test_a_server_without_starttls_gets_no_password(self) -> None:
        """No TLS, no login: the bot says so and tries again, whatever SASL is offered."""
        server = self.other_server(starttls=False)
        self.check_no_login(self.bot(server=server), "the server offers no STARTTLS", server)

    def check_no_login(
        self, bot: Daemon, reason: str, server: Server, *, is_heard: bool = True
    ) -> None:
        """The bot says ``reason`` at its second try still, and never begins a login.

        ``is_heard``: the server heard at least for which domain.
        """
        bot.start()
        bot.await_log(f"no connection: {reason}", times=2)
        self.assertIsNone(bot.process.status, bot.text())
        self.assertNotIn("logged in", bot.text())
        # Its log is complete once it has ended.
        server.stop()
        if is_heard:
            self.assertIn(server.domain, server.log())
        self.assertNotIn(server.attempt_mark, server.log())


class AnswerContract(Scene):
    """Answers in rooms, in private and in direct messages."""

    def test_answers_in_two_rooms(self) -> None:
        """A command in either of two rooms is answered in that room."""
        rooms = self.room(), self.room()
        alice = self.person()
        for room in rooms:
            alice.create(room)
        self.bot(rooms).start_and_join()
        for room in rooms:
            alice.say(room, "xbot: ping")
            alice.expect(f"{room}/xbot", "pong")
            self.assertEqual(alice.count(room, "pong"), 1)

    def test_answers_a_direct_message_directly(self) -> None:
        """What is said to the account is answered to the sender alone."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        # Who is in a room has told the server before that messages are welcome.
        self.bot([room]).start_and_join()
        alice.tell(f"xbot@{self.server.domain}", "ping")
        alice.expect(f"xbot@{self.server.domain}", "pong", "chat")

    def test_answers_a_private_message_privately(self) -> None:
        """A message to the bot's nick is answered through the room to that nick alone."""
        room = self.room()
        alice, bob = self.person(), self.person("bob")
        alice.create(room)
        bob.join(room, "bob")
        self.bot([room]).start_and_join()
        alice.tell(f"{room}/xbot", "ping")
        alice.expect(f"{room}/xbot", "pong", "chat")
        self.catch_up(bob, room)
        self.assertEqual(bob.count(room, "pong"), 0)

    def test_texts_survive_the_round_trip(self) -> None:
        """New lines, markup, quotes, emoji and 10 KiB come back as they were said, in pages."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        self.bot([room]).start_and_join()
        line = (
            "<b>&amp; \"double\" 'single' ]]> {nick} %s \\ \U0001f389\U0001f469\u200d\U0001f680 äß"
        )
        long = "echo " + "äß\U0001f389\U0001f389\U0001f389 <&>\n" * 580
        self.assertGreater(len(long.encode()), 10 * 1024)
        for text in (f"echo one\ntwo\n\n  three {line}", f"echo {line}", long + "end"):
            alice.say(room, text)
            for page in pages(text, PAGE):
                alice.expect(f"{room}/xbot", page)

    def test_tells_what_it_is(self) -> None:
        """A client, in the room or outside, learns that it is a bot, which one, and its features.

        What those say, ping and version, is answered.
        """
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room])
        bot.start_and_join()
        logged_in = re.search(r"logged in as (\S+/\S+)", bot.text())
        assert logged_in is not None
        for address in (f"{room}/xbot", logged_in[1]):
            disco = alice.ask(address, f"<query xmlns='{ns.DISCO_INFO}' node='n'/>")[0]
            self.assertEqual(
                (disco.tag, disco.attrib), (f"{{{ns.DISCO_INFO}}}query", {"node": "n"})
            )
            identity, *features = disco
            self.assertEqual(identity.attrib, {"category": "client", "type": "bot", "name": "xbot"})
            self.assertLessEqual({ns.PING, ns.VERSION}, {f.attrib["var"] for f in features})
            self.assertEqual(list(alice.ask(address, f"<ping xmlns='{ns.PING}'/>")), [])
            version = alice.ask(address, f"<query xmlns='{ns.VERSION}'/>")[0]
            self.assertEqual(
                [(child.tag, child.text) for child in version],
                [(f"{{{ns.VERSION}}}name", "xbot"), (f"{{{ns.VERSION}}}version", __version__)],
            )

    def test_a_program_answers(self) -> None:
        """``run`` starts the program without a shell, and its output is the answer."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        run = (
            f"{sys.executable} -c 'import sys; print(*sys.argv[1:], sep=chr(10))' {{nick}} {{what}}"
        )
        extra = f"[responder tell]\nmatch = tell (?P<what>.+)\nrun = {run}\n"
        self.bot([room], extra=extra).start_and_join()
        alice.say(room, "xbot: tell $HOME; `id` *")
        alice.expect(f"{room}/xbot", "```\nalice\n$HOME; `id` *\n```")

    def test_a_program_that_hangs_is_ended(self) -> None:
        """After its time limit a program gets an apology said, and all its processes end."""
        room, folder = self.room(), self.folder()
        alice = self.person()
        alice.create(room)
        script, pids = folder / "hang", folder / "pids"
        script.write_text('#!/bin/sh\nsleep 600 &\necho "$$ $!" > "$1"\nwait\n')
        script.chmod(0o700)
        extra = f"[responder hang]\nmatch = hang\nrun = {script} {pids}\ntimeout = 2s\n"
        self.bot([room], extra=extra).start_and_join()
        alice.say(room, "xbot: hang")
        alice.expect(f"{room}/xbot", "hang did not finish within 2 s.")
        started = [int(pid) for pid in read(pids).split()]
        self.assertEqual(len(started), 2)
        wait_until(
            lambda: not any(is_running(pid) for pid in started), lambda: f"{started}", DEADLINE
        )
        self.catch_up(alice, room)


class RoomContract(Scene):
    """Joining rooms, and their history."""

    def test_a_subject_with_a_body(self) -> None:
        """A message with a subject and a body is answered as any other."""
        room, alice = self.room(), self.person()
        alice.create(room)
        self.bot([room]).start_and_join()
        alice.say(room, "xbot: ping", subject="news")
        alice.expect(f"{room}/xbot", "pong")

    def test_the_history_is_not_obeyed(self) -> None:
        """Twenty commands said while the bot was away are left alone; a live one is answered."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room])
        bot.start_and_join()
        self.catch_up(alice, room)
        bot.stop()
        alice.expect_presence(f"{room}/xbot", "unavailable")
        for _ in range(20):
            alice.say(room, "xbot: ping")
        # The server does have that history, for those who ask.
        bob = self.person("bob")
        bob.join(room, "bob", history=30)
        wait_until(
            lambda: bob.count(f"{room}/alice", "xbot: ping", delayed=True) == 20,
            lambda: f"the history; there is {bob.messages}",
            DEADLINE,
        )
        bot.start_and_join()
        alice.say(room, "xbot: ping")
        alice.expect(f"{room}/xbot", "pong")
        self.catch_up(alice, room)
        self.assertEqual(alice.count(f"{room}/xbot", "pong"), 1)

    def test_offline_messages_are_not_obeyed(self) -> None:
        """Commands that the server kept for the bot do not run; that is told once."""
        account, room = f"xbot@{self.server.domain}", self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room], extra="[responder do]\nuse = tests.integration.deeds:do\n")
        bot.start_and_join()
        bot.stop()
        alice.expect_presence(f"{room}/xbot", "unavailable")
        for text in "ping", "do 1", "thank you":
            alice.tell(account, text)
        self.flush(alice)
        bot.start_and_join()
        bot.await_log(f"dropped, delayed: from {alice.jid}")
        alice.expect(
            account,
            '"ping", "do 1": I was away and missed that; please repeat what you still want.',
            "chat",
        )
        alice.tell(account, "do 2")
        alice.expect(account, "done 2", "chat")
        bot.stop()
        bot.start_and_join()
        alice.tell(account, "do 3")
        alice.expect(account, "done 3", "chat")
        self.assertEqual(alice.count(account, "pong"), 0)
        missed = [heard for heard in alice.messages if "missed" in heard.body]
        self.assertEqual(len(missed), 1)
        self.assertEqual((bot.folder / "deeds").read_text().split(), ["2", "3"])

    def flush(self, person: Person) -> None:
        """Returns once the server has handled what ``person`` sent."""
        person.tell(person.jid, token := secrets.token_hex(4))
        person.expect(person.jid, token, "chat")

    def test_a_taken_nick_gets_an_underscore(self) -> None:
        """Where somebody is called xbot already, the bot is xbot_ and answers all the same."""
        room = self.room()
        alice = self.person()
        alice.create(room, "xbot")
        self.bot([room]).start_and_join()
        alice.expect_presence(f"{room}/xbot_", "available")
        for name in ("xbot", "xbot_"):
            alice.say(room, f"{name}: ping")
        wait_until(
            lambda: alice.count(f"{room}/xbot_", "pong") == 2, lambda: f"{alice.messages}", DEADLINE
        )

    def test_a_refusal_by_one_room_leaves_the_other(self) -> None:
        """A members-only room is told as refused, with the reason; the other one is answered."""
        closed, opened = self.room(), self.room()
        alice = self.person()
        alice.create(closed, membersonly="1")
        alice.create(opened)
        bot = self.bot([closed, opened])
        bot.start()
        bot.await_log(f"{closed}: refused: it is for members only")
        bot.await_log(f"{opened}: caught up, listening")
        alice.say(opened, "xbot: ping")
        alice.expect(f"{opened}/xbot", "pong")

    def test_sigterm_leaves_cleanly(self) -> None:
        """On SIGTERM the room sees the bot go, and the process ends well within 10 s."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room])
        bot.start_and_join()
        alice.expect_presence(f"{room}/xbot", "available")
        bot.process.signal(signal.SIGTERM)
        alice.expect_presence(f"{room}/xbot", "unavailable")
        # twistd raises the signal again when all is shut down, which systemd takes as clean.
        self.assertIn(bot.process.wait(10), (0, -signal.SIGTERM))
        self.assertIn("Server Shut Down.", bot.text())
        self.assertNotIn("Traceback", bot.text())


class StatusContract(Scene):
    """The HTTP status page and metrics."""

    def test_ready(self) -> None:
        """Ready in its rooms, not ready without its server, and well all the time."""
        server = self.other_server()
        room = f"status@{server.muc}"
        port = free_port()
        bot = self.bot(
            [room], server=server, extra=f"[http]\nlisten = 127.0.0.1:{port}\n",
            xmpp="reconnect-max = 1s",
        )  # fmt: skip

        def get(path: str) -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        bot.start_and_join()
        self.assertEqual(get("/readyz"), (200, "in 1 of 1 rooms\n"))
        person = Person(server, "alice", bot.text)
        self.addCleanup(person.leave)
        person.join(room)
        person.say(room, "echo once")
        person.expect(f"{room}/xbot", "echo once")
        metrics = get("/metrics")[1]
        families = {family.name: family for family in text_string_to_metric_families(metrics)}
        self.assertEqual(families["xbot_rooms_joined"].samples[0].value, 1)
        (answered,) = (each for each in families["xbot_commands"].samples if each.value)
        self.assertEqual(answered.labels, {"responder": "echo", "outcome": "answered"})
        server.stop()
        wait_until(lambda: get("/readyz")[0] == 503, lambda: str(get("/readyz")), DEADLINE)
        self.assertEqual(get("/healthz"), (200, "well\n"))
        server.start()
        wait_until(lambda: get("/readyz")[0] == 200, lambda: str(get("/readyz")), DEADLINE)
        told = json.loads(get("/status.json")[1])
        self.assertGreater(sum(told["link"]["ends"].values()), 0)
        self.assertEqual(told["commands"][0]["who"], "alice")


class SayContract(Scene):
    """``xbot say``: messages from scripts."""

    def say(self, bot: Daemon, room: str, text: str, *more: str) -> tuple[int, str]:
        """Exit status and errors of ``xbot say``."""
        ended = finish([*XBOT, "say", "--state", str(bot.folder / "state"), *more, room, text])
        return ended.returncode, ended.stderr

    def test_said_and_acknowledged(self) -> None:
        """It is in the room when the command ends with 0; without a server it waits for it."""
        server = self.other_server()
        room = f"say@{server.muc}"
        bot = self.bot([room], server=server, xmpp="reconnect-max = 1s")
        bot.start_and_join()
        person = Person(server, "alice", bot.text)
        person.join(room)
        self.assertEqual(self.say(bot, room, "the backup is done"), (0, ""))
        person.expect(f"{room}/xbot", "the backup is done")
        status, told = self.say(bot, f"other@{server.muc}", "x")
        self.assertEqual(status, 65, told)
        person.leave()
        server.pause()
        status, told = self.say(bot, room, "nobody acknowledges this", "--timeout", "1s")
        self.assertEqual(status, 75, told)
        self.assertIn("the server has not acknowledged it", told)
        server.resume()
        server.stop()
        bot.await_log("no connection")
        status, told = self.say(bot, room, "said later", "--timeout", "500ms")
        self.assertEqual(status, 75, told)
        self.assertIn("it will be as soon as it can", told)
        server.start()
        again = Person(server, "alice", bot.text)
        self.addCleanup(again.leave)
        again.join(room, history=20)
        wait_until(
            lambda: sum(again.count(f"{room}/xbot", "said later", delayed=old) for old in (0, 1)),
            lambda: f"what was queued\n{bot.text()[-3000:]}",
            DEADLINE,
        )
        bot.stop()
        self.assertEqual(self.say(bot, room, "x")[0], 69)

    def test_people(self) -> None:
        """A person whom the ini names gets it, offline, too, or the script is told; no other."""
        bot = self.bot(own=f"may-write-to = alice@{self.server.domain} nobody@{self.server.domain}")
        bot.start_and_join()
        bot.await_log("logged in")
        alice, bob = (f"{name}@{self.server.domain}" for name in ("alice", "bob"))
        person = Person(self.server, "alice", bot.text)
        self.assertEqual(self.say(bot, alice, "the backup failed"), (0, ""))
        person.expect(f"xbot@{self.server.domain}", "the backup failed", "chat")
        status, told = self.say(bot, bob, "x")
        self.assertEqual((status, "may-write-to in [xbot] does not name it" in told), (65, True))
        person.leave()
        # Both servers keep it for the next login.
        self.assertEqual(self.say(bot, alice, "while you were away"), (0, ""))
        person = Person(self.server, "alice", bot.text)
        self.addCleanup(person.leave)
        wait_until(
            lambda: person.count(f"xbot@{self.server.domain}", "while you were away", delayed=True),
            lambda: f"what was kept\n{person.messages}",
            DEADLINE,
        )
        status, told = self.say(bot, f"nobody@{self.server.domain}", "x")
        self.assertEqual(status, 65, told)
        self.assertIn("it came back: ", told)
        bot.await_log("it came back: ")

    def test_another_session_of_the_account(self) -> None:
        """A session of a higher or the same priority is told in the log; it gets our messages."""
        bot = self.bot()
        bot.start_and_join()
        bot.await_log("logged in")
        own, alice = Person(self.server, "xbot", bot.text), Person(self.server, "alice", bot.text)
        self.addCleanup(own.leave)
        self.addCleanup(alice.leave)
        address = f"xbot@{self.server.domain}"
        bot.await_log("another session of our account, test, has the same priority (0)")
        alice.tell(address, "ping")
        own.expect(alice.jid, "ping", "chat")
        alice.expect(address, "pong", "chat")
        own.prioritise(5)
        bot.await_log("has the higher priority (5)")
        alice.tell(address, "xbot: ping")
        own.expect(alice.jid, "xbot: ping", "chat")
        alice.tell(f"{address}/bot", "whoami")
        wait_until(
            lambda: any("alice@" in heard.body for heard in alice.messages),
            lambda: f"the answer\n{alice.messages}",
            DEADLINE,
        )
        self.assertEqual(alice.count(address, "pong"), 1)


class SurvivalContract(Scene):
    """Reconnects after servers stop or hang."""

    def test_returns_after_a_restart(self) -> None:
        """Both rooms have the bot again within 10 s of the server being up."""
        self.check_return(self.server.stop)

    def test_returns_after_a_crash(self) -> None:
        """The same after SIGKILL, where no stream is closed and nothing is said."""
        self.check_return(self.server.kill)

    def check_return(self, end: Any) -> None:
        """End the server with ``end``, start it, and find the bot answering in two rooms."""
        rooms = self.room(), self.room()
        alice = Person(self.server, "alice")
        try:
            for room in rooms:
                alice.create(room)
            bot = self.bot(rooms)
            bot.start_and_join()
        finally:
            alice.leave()
        since = bot.now()
        end()
        bot.await_log("no connection", since)
        self.server.start()
        self.assertLess(bot.await_rooms(since), RETURN, bot.text()[since:])
        again = self.person()
        for room in rooms:
            again.join(room)
            again.say(room, "xbot: ping")
            again.expect(f"{room}/xbot", "pong")

    def test_notices_a_silent_server(self) -> None:
        """A frozen server is noticed by its missing ping, and found again when it thaws."""
        room = self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room], xmpp="ping-interval = 1s\nping-timeout = 1s")
        bot.start_and_join()
        since = bot.now()
        self.addCleanup(self.server.resume)
        self.server.pause()
        took = bot.await_log("the server did not answer a ping within 1 s", since)
        # One interval and one time-out, and something for a busy machine.
        self.assertLess(took, 2 + 3)
        self.server.resume()
        # With its old session or a new one, whichever the server grants.
        wait_until(
            lambda: any(
                back in bot.text()[since:] for back in ("resumed the session", "caught up")
            ),
            lambda: f"its return\n{bot.text()[since:]}",
            DEADLINE,
        )
        alice.say(room, "xbot: ping")
        wait_until(
            lambda: any(
                heard.body == "pong" and re.fullmatch(rf"{re.escape(room)}/xbot_*", heard.sender)
                for heard in list(alice.messages)
            ),
            lambda: f"pong in {alice.messages}\n{bot.text()}",
            DEADLINE,
        )


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = read(Path(f"/proc/{pid}/stat"))
    return not status or status.rpartition(")")[2].split()[0] != "Z"
