"""Contract tests: a hostile account on a real server, and what the bot makes of its stanzas."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Mapping

from tests.hostile.catalogue import CATALOGUE
from tests.integration.attacker import Attacker
from tests.integration.attacks import BRACES, MUC, ODD, tagged, told
from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.deeds import DEEDS
from tests.integration.person import Person
from tests.integration.process import DEADLINE, read, say_figures, wait_until
from tests.integration.server import ACCOUNTS, Server
from tests.integration.tap import Stanza, Tap
from tests.leaks import forms
from xbot.logs.text import escape

#: Seconds within which the bot must answer alice after the attacks.
PROMPT = 1.0

#: Maximum growth of the bot's memory, in KiB.
GROWTH = 64 * 1024

#: Seconds of silence after which a loop of two bots counts as ended.
SILENCE = 2.0

_RESPONDERS = """
[responder canary]
use = tests.integration.deeds:canary
[responder do]
use = tests.integration.deeds:do
allow = alice@{domain}
[responder burst]
hear = ^burst (?!x)(\\w+\\s?)*$
reply = boom
"""

_OWNER = (
    f"<iq type='set' to='{{room}}' id='own'><query xmlns='{MUC}#owner'>"
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
    f"<value>{MUC}#roomconfig</value></field>"
    "<field var='muc#roomconfig_whois'><value>anyone</value></field></x></query></iq>"
)
_KICK = (
    f"<iq type='set' to='{{room}}' id='kick'><query xmlns='{MUC}#admin'>"
    f"<item nick='xbot' role='none'><reason>{ODD}</reason></item></query></iq>"
)

_BODY = re.compile(rb"<body>(.*?)</body>", re.DOTALL)

#: A minimal stanza error.
_MINIMAL_ERROR = re.compile(
    rb"<iq [^<>]*><error type='[a-z]+'><[a-z-]+ xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    rb"</error></iq>"
)

#: The requests that the bot may send to its server.
_ASKED = re.compile(
    rb"<iq [^<>]*><(query xmlns='jabber:iq:roster'|bind xmlns='[^']*-bind'|session |ping )"
)

#: What a room and its service may be asked: what they announce.
_DISCO = re.compile(
    rb"<iq type='get' id='[^'<>]*' to='[^'<>]*'>"
    rb"<query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
)


class HostileContract(Scene):
    """Attacks by an account without rights, as far as the server relays them."""

    def test_a_hostile_account(self) -> None:
        """Nothing of it is obeyed, is said in the bot's name, or keeps alice waiting."""
        # What a server takes to log a megabyte is not the bot's time.
        self.server = self.other_server()
        self.server.log_less()
        names = {
            "{room}": self.room(),
            "{closed}": self.room(),
            "{domain}": self.server.domain,
            "{jid}": f"xbot@{self.server.domain}",
            "{full}": f"xbot@{self.server.domain}/bot",
        }
        alice, mallory = self.person(), Mallory(self.server, names)
        self.addCleanup(mallory.close)
        alice.create(names["{closed}"])
        mallory.create_room()
        alice.join(names["{room}"])
        tap = Tap(self.server)
        self.addCleanup(tap.close)
        bot = self.bot(
            [names["{room}"], names["{closed}"]],
            port=tap.port,
            # Nothing binds PLAIN to the channel, which ends at the tap. No pings of the bot's own
            # are among what it says, however long the attacks take.
            xmpp="tls = direct\nsasl = PLAIN\nping-interval = 1h\n",
            extra=_RESPONDERS.replace("{domain}", self.server.domain),
        )
        bot.start_and_join()
        # Her nick is there for whoever wants it.
        alice.appear(f"{names['{closed}']}/alice", "unavailable")
        alice.appear(f"{names['{room}']}/alice2")
        alice.expect_presence(f"{names['{room}']}/alice2", "available")
        memory = bot.memory()
        beside, ended = [0.0], []
        for number, (tag, attack) in enumerate(tagged()):
            mallory.send(attack.stanza, tag, number)
            wait = self.check_ping(alice, names["{room}"])
            # Not every server passes on what ends the bot's stream.
            ends = CATALOGUE[attack.row].outcomes == "C" and self.kind.name in attack.servers
            (ended if ends else beside).append(wait)
        since = bot.now()
        mallory.send(_KICK)
        bot.await_log("absent: we were kicked (a", since)
        bot.await_log(f"{names['{room}']}: caught up, listening", since)
        # Behind all that went before it, by either way.
        mallory.ask("<body>echo settled</body>")
        self.catch_up(alice, names["{room}"])
        # Outside a conversation nothing is done, whoever says it.
        alice.tell(names["{jid}"], "do 998", "normal")
        alice.expect(
            names["{jid}"],
            "do is not for messages outside a conversation; say it again as a chat message.",
            "normal",
        )
        alice.say(names["{room}"], "xbot: do 999")
        alice.expect(f"{names['{room}']}/xbot", "done 999")
        self.assertLess(self.check_ping(alice, names["{room}"]), PROMPT)
        growth = bot.memory() - memory
        self.assertLess(growth, GROWTH)
        self.check_wire(Wire(tap), names["{room}"], read(bot.folder / DEEDS).splitlines())
        self.check_log(bot)
        say_figures(
            f"{self.kind.name}: beside {len(tagged())} attacks a ping was answered within"
            f" {max(beside) * 1000:.0f} ms, after {len(ended)} that ended the stream within"
            f" {max(ended, default=0.0) * 1000:.0f} ms (1 to 2 s of it are waited on purpose, and"
            f" it is asked once a second); the bot grew by {growth / 1024:.1f} MiB"
        )

    def check_ping(self, alice: Person, room: str) -> float:
        """The bot answers alice, as soon as it is there; gives the seconds."""
        began = time.monotonic()
        before = alice.count(f"{room}/xbot", "pong")

        def ask() -> bool:
            alice.say(room, "xbot: ping")
            with contextlib.suppress(AssertionError):
                wait_until(
                    lambda: alice.count(f"{room}/xbot", "pong") > before, lambda: "pong", PROMPT
                )
            return alice.count(f"{room}/xbot", "pong") > before

        wait_until(ask, lambda: f"pong\n{self._daemons[0].text()}", DEADLINE)
        return time.monotonic() - began

    def check_wire(self, wire: Wire, room: str, deeds: list[str]) -> None:
        """What came is what the attacks claim; what was done and said is what was meant."""
        arrived, disarmed = set(), set()
        for number, (tag, attack) in enumerate(tagged()):
            raw = b"\n".join(wire.about(tag)).decode()
            if raw and re.search(attack.shows, raw):
                arrived.add(tag)
            elif raw and "canary {n}" in attack.stanza:
                disarmed.add(f"canary {number}")
        claimed = {tag for tag, attack in tagged() if self.kind.name in attack.servers}
        self.assertEqual(arrived, claimed)
        # What a server disarmed is as good as what anybody says.
        self.assertEqual(Counter(deeds), Counter(["999", *disarmed]))
        said, refusals = wire.said()
        ends = [tag for tag in arrived if CATALOGUE[tag.partition("-")[0]].outcomes == "C"]
        logins = 1 + len(ends)
        echoes = [body for body in said.elements() if body.startswith("echo ")]
        # Of O05's, and of the two that tell that all is over.
        self.assertEqual(len(echoes), 3)
        # T05's, which might have been kept by the server.
        missed = [body for body in said.elements() if "I was away and missed that" in body]
        self.assertEqual(len(missed), 1)
        # A ping that came right behind what ended the stream was not read.
        pings = wire.heard(room, "xbot: ping")
        self.assertLessEqual(pings - said["pong"], logins - 1)
        meant = Counter(
            {
                "pong": min(pings, said["pong"]),
                "done 999": 1,
                **{body.replace("canary", "obeyed"): 1 for body in disarmed},
                **Counter(echoes + missed),
            }
        )
        self.assertEqual((said - meant, meant - said), (Counter(), Counter()))
        self.assertGreaterEqual(len(refusals), 4)
        self.assertEqual(wire.unmeant(room), [])
        # Out of each room it came back, and out of one once more.
        self.assertEqual(
            wire.presences(),
            Counter({"": logins, **{room: logins + 1, wire.other(room): logins}}),
            self._daemons[0].text()[-20000:],
        )

    def check_log(self, bot: Daemon) -> None:
        """Each record is a line that acts on nothing; none is a fault, none tells a secret."""
        text = bot.text()
        self.assertNotIn("Traceback", text)
        self.assertNotIn("resumed the session", text)
        for line in text.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\S+ (debug|info|warn) +\S+: ")
            self.assertEqual(escape(line), line)
            self.assertLessEqual(len(line.encode()), 2048)
        # It was told, as it is.
        self.assertIn(BRACES, text)
        self.assertIn("\\n2026-01-01T00:00:00+0000 critical xbot: forged", text)
        for form in forms(ACCOUNTS["xbot"]):
            self.assertNotIn(form, text)

    def test_a_flood(self) -> None:
        """Of 1,000 commands at once a few are answered, and alice is not kept waiting."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room], is_limited=True)
        bot.start_and_join()
        memory = bot.memory()
        bob = Attacker(self.server, "bob")
        self.addCleanup(bob.close)
        bob.join(room, "bob")
        began = time.monotonic()
        bob.write(f"<message to='{room}' type='groupchat'><body>xbot: ping</body></message>" * 1000)
        alice.expect(f"{room}/xbot", "That was too much at once; try again in 20 s.")
        alice.tell(f"{room}/xbot", "echo settled")
        alice.expect(f"{room}/xbot", "echo settled", "chat")
        # Ten, and one more in two seconds.
        seconds = int(time.monotonic() - began)
        self.assertLessEqual(alice.count(f"{room}/xbot", "pong"), 11 + seconds)
        self.assertLess(bot.memory() - memory, GROWTH)

    def test_two_bots(self) -> None:
        """Two that answer each other say at most eleven lines each, and are silent then."""
        room, alice = self.room(), self.person()
        alice.create(room)
        names = ("xbot", "robo")
        for name, other in (names, names[::-1]):
            bot = self.bot(
                extra=f"[room {room}]\nnick = {name}\n"
                f"[responder rally]\nhear = ^{name} what$\nreply = {other} what\n",
                resource=name,
                is_limited=True,
            )
            bot.start()
            bot.await_log(f"{room}: caught up, listening")
        alice.say(room, "xbot what")
        alice.expect(f"{room}/xbot", "robo what")
        heard = -1
        while heard != (heard := len(alice.messages)):
            time.sleep(SILENCE)
        lines = Counter(each.sender.partition("/")[2] for each in alice.messages)
        self.assertEqual(set(lines) - {"", "alice"}, set(names))
        for name in names:
            self.assertLessEqual(lines[name], 11, alice.messages)
            alice.tell(f"{room}/{name}", "ping")
            alice.expect(f"{room}/{name}", "pong", "chat")

    def test_another_program_has_our_name(self) -> None:
        """Thrown out by another of its name, the bot takes another name, once; then it exits."""
        bot = self.bot()
        bot.start_and_join()
        names = []
        for _ in range(2):
            bot.await_log("logged in as", times=len(names) + 1)
            names.append(re.findall(r"logged in as \S+/(\S+)", bot.text())[-1])
            other = Attacker(self.server, "xbot", names[-1])
            self.addCleanup(other.close)
        self.assertEqual(bot.process.wait(), 78, bot.text())
        self.assertEqual(len(set(names)), 2)
        self.assertIn("another program", bot.text())

    def test_a_deleted_account(self) -> None:
        """Without its account the bot goes on to try, rarely, and says what is wrong."""
        server = self.other_server()
        bot = self.bot(server=server, xmpp="reconnect-max = 1s")
        bot.start_and_join()
        server.delete_account("xbot")
        bot.await_log("the server refuses a login that has worked before")
        self.assertIn("the server refuses the login: not-authorized", bot.text())
        self.assertIsNone(bot.process.status)


class Mallory:
    """The attacker: bob's account, owner of a room, reconnects whenever it is disconnected."""

    def __init__(self, server: Server, names: Mapping[str, str]) -> None:
        self._server = server
        self._names = names
        self._bob: Attacker | None = None

    def create_room(self) -> None:
        """Open the room, in which everybody's real JID is to be seen."""
        bob = self._bob = Attacker(self._server, "bob")
        bob.join(self._names["{room}"], "bob")
        bob.write(self._filled(_OWNER))
        bob.read("<iq[^>]*id='own'[^>]*>")

    def send(self, stanza: str, tag: str = "", number: int = 0) -> None:
        """Returns once the server has read it, or has had enough."""
        bob = self._come_back()
        since = len(bob.heard)
        with contextlib.suppress(AssertionError, OSError):
            bob.write(self._filled(stanza, tag, number).encode("utf-8", "surrogateescape"))
            bob.write(f"<iq type='get' id='read{number}'><ping xmlns='urn:xmpp:ping'/></iq>")
            bob.read(f"<iq[^>]*id='read{number}'")
            heard = bob.heard[since:]
            # A change of nick (303) is no leave.
            if "unavailable" not in heard or re.search("code=['\"]303", heard):
                return
        # Put out of the stream, or of a room.
        self.close()

    def ask(self, content: str) -> None:
        """Returns once the bot has answered what is said to it alone."""
        bob = self._come_back()
        bob.write(self._filled(told(content)))
        bob.read(f"<message[^>]*from='{self._names['{jid}']}/[^>]*>{content}")

    def close(self) -> None:
        """Be gone."""
        if self._bob is not None:
            self._bob.close()
            self._bob = None

    def _come_back(self) -> Attacker:
        if self._bob is None:
            self._bob = Attacker(self._server, "bob")
            for room in "{room}", "{closed}":
                self._bob.join(self._names[room], "bob")
        return self._bob

    def _filled(self, stanza: str, tag: str = "", number: int = 0) -> str:
        for name, value in {**self._names, "{tag}": tag, "{n}": str(number)}.items():
            stanza = stanza.replace(name, value)
        return stanza


class Wire:
    """The bot's XMPP traffic, and checks that it contains nothing unintended."""

    def __init__(self, tap: Tap) -> None:
        self._came = tap.came()
        self._sent = tap.sent()

    def about(self, tag: str) -> list[bytes]:
        """What came with ``tag`` in it."""
        return [stanza.raw for stanza in self._came if tag.encode() in stanza.raw]

    def heard(self, room: str, body: str) -> int:
        """How often that came from somebody in that room."""
        return sum(
            stanza.attributes.get("from", "").startswith(f"{room}/") and _body(stanza) == body
            for stanza in self._came
        )

    def said(self) -> tuple[Counter[str], list[str]]:
        """How often the bot said what; and its refusals, of which each person gets one a minute."""
        bodies = [_body(stanza) for stanza in self._sent if stanza.name == "message"]
        refusals = [body for body in bodies if re.match("(?:do|canary) is not for ", body)]
        return Counter(body for body in bodies if body not in refusals), refusals

    def presences(self) -> Counter[str]:
        """How often it showed itself in which room; everywhere is "" ."""
        return Counter(
            stanza.attributes.get("to", "").partition("/")[0]
            for stanza in self._sent
            if stanza.name == "presence"
        )

    def other(self, room: str) -> str:
        """The room that is not this one."""
        (found,) = {name for name in self.presences() if name not in ("", room)}
        return found

    def unmeant(self, room: str) -> list[Stanza]:
        """What was sent besides messages and presences, and is no part of a stream's business.

        ``room`` and its service may be asked what they announce (XEP-0421, XEP-0045). Each
        request is answered once, by no more than the error; each error is such an answer.
        """
        open_requests = Counter(
            (stanza.attributes["id"], stanza.attributes["from"])
            for stanza in self._came
            if stanza.name == "iq"
            and stanza.attributes.get("type") in ("get", "set")
            and "/" in stanza.attributes.get("from", "")
        )
        wrong = []
        for stanza in self._sent:
            attributes = stanza.attributes
            key = (attributes.get("id", ""), attributes.get("to", ""))
            if stanza.name in ("auth", "enable", "resume", "r", "a", "message", "presence"):
                continue
            if open_requests[key] and _MINIMAL_ERROR.fullmatch(stanza.raw):
                open_requests[key] -= 1
            elif attributes.get("to") in (room, room.partition("@")[2]):
                if not _DISCO.fullmatch(stanza.raw):
                    wrong.append(stanza)
            elif "to" in attributes or not _ASKED.match(stanza.raw):
                wrong.append(stanza)
        return [*wrong, *(Stanza(f"unanswered: {key}", {}, b"") for key in +open_requests)]


def _body(stanza: Stanza) -> str:
    found = _BODY.search(stanza.raw)
    return found[1].decode() if found else ""
