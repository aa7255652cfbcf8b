"""What comes back: a room in which the bot may not speak, and a person who does not take it."""

from __future__ import annotations

import urllib.error
import urllib.request

from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.person import Person
from tests.integration.process import DEADLINE, wait_until
from tests.integration.reliability import outcomes_of
from tests.ports import free_port
from xbot.control.client import ask, ask_for
from xbot.control.protocol import Request, Result
from xbot.model.jid import Jid

_ADMIN = "http://jabber.org/protocol/muc#admin"

WORK = """\
[responder work]
match = work (?P<number>\\d+)
run = sh -c 'echo done $1' sh {number}
[responder slow]
match = slow (?P<number>\\d+)
run = sh -c 'sleep 2; echo done $1' sh {number}
"""


class VoiceContract(Scene):
    """Errors that rooms and people send back."""

    #: Whether a visitor may speak in a room that is not moderated.
    visitors_speak: bool

    def role(self, person: Person, room: str, role: str) -> None:
        """Give the bot another role (XEP-0045, sections 8.3 and 8.4)."""
        person.request(room, f"<query xmlns='{_ADMIN}'><item nick='xbot' role='{role}'/></query>")

    def await_outcomes(self, bot: Daemon, *outcomes: str | None) -> None:
        """Returns once the journal has these outcomes."""
        wait_until(
            lambda: tuple(outcomes_of(bot)) == outcomes,
            lambda: f"{outcomes}: {outcomes_of(bot)}\n{bot.text()[-3000:]}",
            DEADLINE,
        )

    def get(self, port: int, path: str = "readyz") -> tuple[int, str]:
        """The status and the body of a page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_voice_that_comes_later(self) -> None:
        """A visitor in a moderated room knows it, and says everything in order once it may."""
        room, alice, port = self.room(), self.person(), free_port()
        alice.create(room, moderatedroom="1")
        self.server.make_visitors(room)
        bot = self.bot([room], extra=f"{WORK}[http]\nlisten = 127.0.0.1:{port}\n")
        bot.start_and_join()
        bot.await_log("may not speak there: we are a visitor, and the room is moderated")
        self.assertEqual(self.get(port), (503, f"in 1 of 1 rooms, may not speak in {room}\n"))
        told = ask_for("status", bot.folder / "state", None)
        self.assertEqual(told.result, Result.NOT_READY)
        for number in 1, 2:
            alice.say(room, f"xbot: work {number}")
            wait_until(
                lambda number=number: (
                    f"xbot_outbox_messages {number}.0" in self.get(port, "metrics")[1]
                ),
                lambda: f"another answer waits\n{bot.text()[-3000:]}",
                DEADLINE,
            )
        self.await_outcomes(bot, None, None)
        reply = ask(bot.folder / "state", Request(Jid.parse(room), "an alert", 1.0))
        self.assertEqual(reply.result, Result.QUEUED)
        self.assertIn("may not speak there", reply.reason)
        self.assertEqual([each for each in alice.messages if each.sender == f"{room}/xbot"], [])
        self.role(alice, room, "participant")
        alice.expect(f"{room}/xbot", "an alert")
        said = [each.body for each in alice.messages if each.sender == f"{room}/xbot"]
        self.assertEqual(said, ["done 1", "done 2", "an alert"])
        self.await_outcomes(bot, "answered", "answered")
        self.assertEqual(self.get(port), (200, "in 1 of 1 rooms\n"))
        self.assertEqual(bot.text().count("we may not speak there"), 1)

    def test_a_visitor_where_nothing_is_moderated(self) -> None:
        """The room's own word counts: what it sends back is kept, and voice heals it."""
        room, alice = self.room(), self.person()
        alice.create(room, moderatedroom="0")
        bot = self.bot([room], extra=WORK)
        bot.start_and_join()
        self.role(alice, room, "visitor")
        alice.say(room, "xbot: work 1")
        if self.visitors_speak:
            alice.expect(f"{room}/xbot", "done 1")
            self.assertNotIn("may not speak", bot.text())
            return
        bot.await_log("may not speak there: forbidden")
        self.await_outcomes(bot, None)
        self.role(alice, room, "participant")
        alice.expect(f"{room}/xbot", "done 1")
        self.await_outcomes(bot, "answered")

    def test_a_person_who_blocks_us(self) -> None:
        """A private answer that comes back is logged with the reason, and journalled as unsaid."""
        bot = self.bot(extra=WORK)
        bob = Person(self.server, "bob", bot.text)
        bot.start_and_join()
        bot.await_log("logged in")
        bob.tell(f"xbot@{self.server.domain}", "work 1")
        bob.expect(f"xbot@{self.server.domain}", "done 1", "chat")
        self.await_outcomes(bot, "answered")
        bob.tell(f"xbot@{self.server.domain}", "slow 2")
        self.await_outcomes(bot, "answered", None)
        bob.request(
            f"bob@{self.server.domain}",
            f"<block xmlns='urn:xmpp:blocking'><item jid='xbot@{self.server.domain}'/></block>",
        )
        # To a client that is online, Prosody 0.12.3 drops it without an error.
        bob.leave()
        self.await_outcomes(bot, "answered", "unsaid")
        bot.await_log("it came back: service-unavailable")
