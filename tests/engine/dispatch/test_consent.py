"""Tests of ``consent`` and ``approvals``, in a dispatcher."""

import re
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel

from tests.engine.dispatch.deploying import DeployCase
from tests.engine.dispatch.test_dispatcher import DIRECT, IN_ROOM, ROOM, responder
from xbot.api.decorators import respond
from xbot.engine.dispatch.approvals import APPROVE_WITHIN, LENGTH, MAX_EACH, MAX_REQUESTS, new_code
from xbot.engine.dispatch.consent import CONFIRM_WITHIN, UNCLEAR
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.journal_gate import ACCEPT_TIMEOUT, RECHECK_AFTER
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People
from xbot.runtime.failures import NoAnswer

ALICE = evolve(IN_ROOM, identity="alice@example.org", occupant="1", body="xbot: deploy web")
YES = evolve(ALICE, body="yes")


def person(name: str, body: str = "", **more: Any) -> Message:
    """An occupant of the room with that nick."""
    return evolve(
        ALICE,
        sender=f"{ROOM}/{name}",
        nick=name,
        identity=more.pop("identity", f"{name}@example.org"),
        body=body,
        **more,
    )


class ConsentCase(DeployCase):
    def bot(self, **options: Any) -> Dispatcher:
        return self.dispatcher(self.deploy(**options), journal=self.journal)

    def outcomes(self) -> list[tuple[str, str | None]]:
        return [(entry.message.speaker, entry.outcome) for entry in self.journal.entries.values()]


class ConfirmTests(ConsentCase):
    def test_yes(self) -> None:
        """It is done once whoever asked says that they are sure, however they write it."""
        bot = self.bot(confirm=True)
        for answer in ("yes", "Yes!", "xbot: yes", " YES. ", "y", "ok", "xbot: yes, please"):
            bot.got_message(ALICE)
            self.assertEqual(self.said(), ['"deploy web": sure? Say yes within 60 s.'])
            self.assertEqual(self.ran, [])
            bot.got_message(evolve(ALICE, body=answer))
            self.assertEqual((self.said(), self.ran.pop()), (["web is deployed"], "web"))
        self.assertEqual(self.outcomes(), [("alice", "answered")] * 7)

    def test_no(self) -> None:
        """What begins with a no is a no: it is not done, and the journal knows that."""
        bot = self.bot(confirm=True)
        for answer in ("no", "No, wait: yes", "xbot: cancel", "n"):
            bot.got_message(ALICE)
            self.said()
            bot.got_message(evolve(ALICE, body=answer))
            self.assertEqual(self.said(), ['"deploy web" is not done.'])
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "declined")] * 4))
        self.assertEqual(bot.fates["declined"], 4)

    def test_another_command(self) -> None:
        """Another command is obeyed and leaves the question open; one that asks, too, ends it."""

        @respond("ping", effect=False)
        def ping(message: Message) -> str:
            return "pong"

        bot = self.dispatcher(self.deploy(confirm=True), ping)
        bot.got_message(ALICE)
        self.said()
        bot.got_message(evolve(ALICE, body="xbot: ping"))
        self.assertEqual(self.said(), ["pong"])
        bot.got_message(evolve(ALICE, body="xbot: deploy db"))
        self.assertEqual(
            self.said(),
            [
                '"deploy web" is not done: you gave another command that asks you something.',
                '"deploy db": sure? Say yes within 60 s.',
            ],
        )
        bot.got_message(YES)
        self.assertEqual(self.ran, ["db"])

    def test_neither(self) -> None:
        """Other words to the bot get a hint, words to others do not, and the question stays."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        self.said()
        bot.got_message(evolve(ALICE, body="bob, is it the right branch?"))
        self.assertEqual(self.said(), [])
        bot.got_message(evolve(ALICE, body="xbot: yesterday's branch"))
        self.assertEqual(self.said(), [UNCLEAR])
        bot.got_message(evolve(person("bob", "xbot: what?")))
        self.assertEqual((self.said(), self.ran), ([], []))
        bot.got_message(YES)
        self.assertEqual(self.ran, ["web"])

    def test_nobody_else(self) -> None:
        """Others cannot say it, nor can the next one of that nick."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        for other in (
            person("bob", "yes"),
            evolve(YES, identity="mallory@example.net"),
            evolve(YES, occupant="2"),
            evolve(YES, identity=None),
        ):
            bot.got_message(other)
        self.assertEqual(self.ran, [])
        bot.got_message(YES)
        self.assertEqual(self.ran, ["web"])

    def test_too_late(self) -> None:
        """After a minute it is not done any more."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        self.clock.advance(CONFIRM_WITHIN)
        self.assertEqual(self.said()[1:], ['"deploy web" is not done.'])
        bot.got_message(YES)
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "expired")]))

    def test_too_late_and_read_first(self) -> None:
        """A yes that is read before the timer rings, as after a stop, is too late all the same."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        self.said()
        self.clock.rightNow += CONFIRM_WITHIN
        bot.got_message(YES)
        self.clock.advance(0)
        self.assertEqual((self.said(), self.ran), (['"deploy web" is not done.'], []))

    def test_only_effects(self) -> None:
        """What only answers is not asked about."""

        @respond("ask")
        def ask(message: Message) -> str:
            return "answer"

        both = self.deploy(confirm=True, approve=2)
        (route,) = responder(ask).routes
        both = evolve(both, routes=(*both.routes, evolve(route, effect=False)))
        bot = self.dispatcher(both, journal=self.journal)
        bot.got_message(evolve(ALICE, body="!ask"))
        self.assertEqual(self.said(), ["answer"])

    def test_rights_first(self) -> None:
        """Who may not use it is not even asked; nor does it help to be asked and lose the right."""
        allow = Access(allow=AccessList(affiliations=frozenset({"admin"})))
        bot = self.bot(confirm=True, access=allow)
        bot.got_message(ALICE)
        self.assertEqual(self.said(), ["deploy is not for you, alice."])
        bot.got_message(evolve(ALICE, affiliation="admin"))
        self.said()
        bot.got_message(YES)
        self.assertIn("you may no longer use it", *self.said())
        self.assertEqual((self.ran, bot.fates["denied"]), ([], 2))

    def test_outside_a_conversation(self) -> None:
        """A word of type normal starts nothing with effects: it neither asks nor agrees."""
        bot = self.bot(confirm=True, approve=1)
        outside = {"payload": {"type": "normal"}, "room": None}
        bot.got_message(evolve(ALICE, body="deploy web", **outside))
        self.assertIn("say it again as a chat message", *self.said())
        bot.got_message(ALICE)
        self.said()
        bot.got_message(YES)
        (asked,) = self.said()
        code = re.search("approve ([A-Z]+)", asked)
        assert code is not None
        bot.got_message(person("bob", code[0], **outside))
        told = "That does not count outside a conversation; say it again as a chat message."
        self.assertEqual((self.said(), self.ran), ([told], []))
        self.assertEqual(self.outcomes(), [("alice", "denied"), ("alice", "waiting")])
        bot.got_message(person("bob", f"!{code[0]}"))
        self.assertEqual(self.ran, ["web"])

    def test_a_yes_outside_a_conversation(self) -> None:
        """It does not count either, and that is what is said of it."""
        bot = self.bot(confirm=True)
        alone = {"room": None, "sender": "alice@example.org/x"}
        bot.got_message(evolve(ALICE, body="deploy web", payload={"type": "chat"}, **alone))
        self.said()
        bot.got_message(evolve(YES, payload={"type": "normal"}, **alone))
        (told,) = self.said()
        self.assertIn("is not done: a yes outside a conversation does not count", told)
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "denied")]))

    def test_reload(self) -> None:
        """What was confirmed is not done by another responder of that name."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        bot.change([self.deploy()], name="xbot", prefix="!", rooms={})
        bot.got_message(YES)
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "denied")]))

    def test_stop(self) -> None:
        """What waits for a word when we stop is not done; it is told by the next process."""
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        self.said()
        bot.stop()
        self.assertEqual((self.said(), self.ran), ([], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(bot.idle())
        self.assertEqual(self.outcomes(), [("alice", "lapsed")])

    def after_restart(self) -> list[str]:
        """What the next process says by itself."""
        self.journal = self.journal.restarted()
        bot = self.bot(confirm=True)
        told: list[str] = []
        bot.report_interrupted(
            lambda message, delivered, *_: (told.append(message.body), delivered())
        )
        return told

    def test_restart(self) -> None:
        """Whoever was asked hears that it was not run, once, however the process ended."""
        for is_clean in True, False:
            bot = self.bot(confirm=True)
            bot.got_message(evolve(ALICE, key=str(is_clean)))
            self.said()
            if is_clean:
                bot.stop()
            (told,) = self.after_restart()
            self.assertIn('"deploy web" (alice, ', told)
            self.assertIn("was not run: a restart came before it was confirmed", told)
            self.assertEqual(self.after_restart(), [])
        # What was confirmed is another matter.
        for outcome in "yes", "no":
            bot = self.bot(confirm=True)
            bot.got_message(evolve(ALICE, key=outcome))
            bot.got_message(evolve(YES, body=outcome))
            self.assertEqual(self.after_restart(), [])

    def test_slow_journal(self) -> None:
        """People are asked only once the journal has the command; a stop before that is told."""
        self.journal.is_slow = True
        for number, (word, ran, outcome) in enumerate(
            (("yes", ["web"], "answered"), ("no", [], "declined"))
        ):
            bot = self.bot(confirm=True)
            durable = bot.got_message(evolve(ALICE, key=str(number)))
            assert durable is not None
            self.assertNoResult(durable)
            self.assertEqual(self.said(), [])
            self.journal.catch_up()
            self.successResultOf(durable)
            self.assertIn("sure?", *self.said())
            bot.got_message(evolve(YES, body=word))
            self.assertEqual((self.ran, self.outcomes()[-1][1]), (ran, outcome))
            self.ran.clear()
            self.said()
        bot = self.bot(confirm=True)
        bot.got_message(evolve(ALICE, key="stopped"))
        bot.stop()
        self.journal.catch_up()
        self.assertEqual((self.said(), self.outcomes()[-1][1]), ([], "lapsed"))

    def test_stuck_journal(self) -> None:
        """Nobody is asked about a command that the disk does not take in time."""
        self.journal.is_slow = True
        bot = self.bot(confirm=True)
        bot.got_message(ALICE)
        self.clock.advance(ACCEPT_TIMEOUT)
        self.assertEqual(self.said(), ["deploy cannot run now: its journal is not writable."])
        self.journal.catch_up()
        self.assertEqual((self.said(), bot.is_asking), ([], False))
        self.assertEqual(self.outcomes(), [("alice", "refused")])

    def test_demoted_meanwhile(self) -> None:
        """A person who lost the right while the journal was slow is not asked any more."""
        self.journal.is_slow = True
        allow = Access(allow=AccessList(affiliations=frozenset({"admin"})))
        bot = self.bot(confirm=True, access=allow)
        bot.got_message(evolve(ALICE, affiliation="admin"))
        self.clock.advance(RECHECK_AFTER)
        self.affiliations["alice"] = "none"
        self.journal.catch_up()
        self.assertEqual(self.said(), ["deploy is not for you, alice."])
        self.assertEqual(self.outcomes(), [("alice", "denied")])

    def test_journal_that_fails(self) -> None:
        """People are asked only while the journal works; it must work after their yes, too."""
        self.journal.problem = "full"
        for options in ({"confirm": True}, {"approve": 1}):
            bot = self.bot(**options)
            bot.got_message(evolve(ALICE, key=str(options)))
            self.assertEqual(self.said(), ["deploy cannot run now: its journal is not writable."])
            self.assertFalse(bot.is_asking)
        self.journal.problem = None
        bot = self.bot(confirm=True)
        bot.got_message(evolve(ALICE, key="1"))
        self.journal.problem = "full"
        bot.got_message(YES)
        self.assertIn("journal is not writable", self.said()[-1])
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "refused")]))

    def test_again_after_a_restart(self) -> None:
        """The same message, sent again, is neither asked about nor run."""
        bot = self.bot(confirm=True)
        bot.got_message(evolve(ALICE, key="1"))
        self.said()
        self.after_restart()
        bot = self.bot(confirm=True)
        bot.got_message(evolve(ALICE, key="1"))
        self.assertEqual(self.said(), [])
        bot.got_message(YES)
        self.assertEqual((self.ran, self.outcomes()), ([], [("alice", "lapsed")]))

    def test_words_of_others(self) -> None:
        """What was said is repeated in quotes and on one line, so that it is no command of ours."""
        bot = self.dispatcher(self.deploy(confirm=True))
        bot.got_message(evolve(ALICE, body="!deploy " + "x" * 500))
        (text,) = self.said()
        self.assertTrue(text.startswith('"deploy xxx'))
        self.assertLess(len(text), 200)


class ApproveTests(ConsentCase):
    def code(self) -> str:
        """The code that was told last."""
        (text,) = self.said()
        found = re.search(r"approve ([A-Z]{6}) ", text)
        assert found is not None, text
        return found[1]

    def request(self, **options: Any) -> tuple[Dispatcher, str]:
        bot = self.bot(approve=2, **options)
        bot.got_message(ALICE)
        return bot, self.code()

    def test_enough(self) -> None:
        """It is done once enough others approve; each time everyone is told how many did."""
        bot, code = self.request()
        bot.got_message(person("bob", f"xbot: approve {code}"))
        self.assertEqual((self.said(), self.ran), (["1 of 2 approves."], []))
        bot.got_message(person("carol", f"!Approve {code.lower()}."))
        self.assertEqual(self.said(), ["2 of 2 approve.", "web is deployed"])
        self.assertEqual(self.ran, ["web"])
        self.assertEqual(
            self.outcomes(),
            [("alice", "answered"), ("bob", "approved"), ("carol", "approved")],
        )

    def test_an_approval_that_is_not_on_record(self) -> None:
        """Where the journal's code breaks on an approval, that one does not count."""
        bot, code = self.request()

        def broken(*arguments: Any) -> None:
            raise ZeroDivisionError

        patch = self.patch(self.journal, "note", broken)
        bot.got_message(person("bob", f"!approve {code}"))
        patch.restore()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        bot.got_message(person("carol", f"!approve {code}"))
        self.assertEqual(self.ran, [])
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual(self.ran, ["web"])

    def test_words(self) -> None:
        """The request says what, how many, how, and until when."""
        bot = self.bot(approve=1)
        bot.got_message(ALICE)
        (text,) = self.said()
        self.assertRegex(
            text,
            r'^"deploy web" has to be approved by one other:'
            r" say approve [A-Z]{6} within 10 minutes\.$",
        )

    def test_elsewhere(self) -> None:
        """One can approve directly; whoever asked is told where they asked."""
        bot, code = self.request()
        bot.got_message(evolve(DIRECT, identity="bob@example.org", body=f"approve {code}"))
        self.assertEqual(
            [(m.recipient, m.body) for m in self.sent],
            [(ROOM, "1 of 2 approves."), (DIRECT.sender, "1 of 2 approves.")],
        )

    def test_who_cannot(self) -> None:
        """Not who asked, under no nick; nobody twice; nobody unknown; nobody who may not use it."""
        people = People.parse(["@example.org"])
        bot, code = self.request(access=Access(allow=AccessList(people)))
        body = f"!approve {code}"
        for message, answer in (
            (evolve(ALICE, body=body), "Somebody else has to approve it."),
            (person("alice2", body, identity="alice@example.org"), "Somebody else has to"),
            (person("dave", body, identity=None), "deploy is not for everyone"),
            (person("eve", body, identity="eve@example.net"), "deploy is not for you, eve."),
            (person("bob", body), "1 of 2 approves."),
            (person("bob", body), "You approved it already."),
            (person("bob2", body, identity="bob@example.org"), "You approved it already."),
        ):
            bot.got_message(message)
            (text,) = self.said()
            self.assertTrue(text.startswith(answer), text)
        self.assertEqual(self.ran, [])

    def test_another_nick_of_who_asked(self) -> None:
        """Two nicks of one person are one person: neither approves what the other asked for."""
        bot = self.bot(approve=1)
        for asker, occupant in ("alice", "1"), ("ally", "1"), ("ally", "2"):
            bot.got_message(ALICE)
            (text,) = self.said()
            code = text.split("approve ")[1][:LENGTH]
            other = person(asker, f"approve {code}", identity="alice@example.org")
            bot.got_message(evolve(other, occupant=occupant, body=f"xbot: approve {code}"))
            self.assertEqual(self.said(), ["Somebody else has to approve it."])
        self.assertEqual(self.ran, [])

    def test_admins_of_other_rooms(self) -> None:
        """Who is an admin of another room is none of this one."""
        bot, code = self.request(
            access=Access(
                allow=AccessList(People.parse(["alice@example.org"]), frozenset({"admin", "owner"}))
            )
        )
        body = f"!approve {code}"
        bot.got_message(person("eve", body, affiliation="owner", room="eve@rooms.example"))
        self.assertIn("not for you", *self.said())
        bot.got_message(person("bob", body, affiliation="admin"))
        self.assertEqual(self.said(), ["1 of 2 approves."])

    def test_where(self) -> None:
        """It is approved where it may be used, and nowhere else."""
        bot, code = self.request(access=Access(direct=False))
        bot.got_message(evolve(DIRECT, identity="bob@example.org", body=f"approve {code}"))
        self.assertIn("not for you", *self.said())

    def test_unknown_asker(self) -> None:
        """Who cannot be told apart from the others cannot ask for their approval."""
        bot = self.bot(approve=1)
        bot.got_message(evolve(ALICE, identity=None))
        self.assertIn("ask me directly", *self.said())
        self.assertEqual(self.outcomes(), [("alice", "denied")])

    def test_not_in_time(self) -> None:
        """After ten minutes it is not done any more, and the code is good for nothing."""
        bot, code = self.request()
        self.clock.advance(APPROVE_WITHIN)
        self.assertEqual(self.said(), ['"deploy web" is not done: not approved in time.'])
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual(self.said(), ["That is over."])
        self.assertEqual(self.outcomes(), [("alice", "unapproved")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_in_time_and_read_first(self) -> None:
        """An approval that is read before the timer rings, as after a stop, is too late, too."""
        bot, code = self.request()
        self.clock.rightNow += APPROVE_WITHIN
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual((self.said(), self.ran), (["That is over."], []))
        self.clock.advance(0)
        self.assertEqual(self.said(), ['"deploy web" is not done: not approved in time.'])

    def test_with_confirm(self) -> None:
        """First whoever asks is asked once more, then the others."""
        bot = self.bot(confirm=True, approve=1)
        bot.got_message(ALICE)
        self.assertIn("sure?", *self.said())
        bot.got_message(YES)
        code = self.code()
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual(self.said(), ["1 of 1 approves.", "web is deployed"])

    def test_wrong_codes(self) -> None:
        """Who guesses is answered a few times, then told that it is too much, then not at all."""
        bot, code = self.request()
        for _ in range(10):
            bot.got_message(person("eve", "!approve " + "B" * LENGTH))
        texts = self.said()
        self.assertEqual(texts[:5], ["Nothing waits for that code."] * 5)
        self.assertEqual(len(texts), 6)
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual(self.said(), ["1 of 2 approves."])

    def test_codes(self) -> None:
        """A code is six letters that nobody mistakes for others."""
        codes = {new_code() for _ in range(100)}
        self.assertGreater(len(codes), 90)
        for code in codes:
            self.assertRegex(code, "^[BCDFGHJKMPRTVWXZ]{6}$")

    def test_a_responder_of_that_word(self) -> None:
        """Where nothing waits for approval the word is anybody's."""

        @respond("approve (?P<what>.*)")
        def approve(message: Message, what: str) -> str:
            return f"mine: {what}"

        bot = self.dispatcher(self.deploy(approve=1), approve)
        bot.got_message(person("bob", "!approve invoice"))
        bot.got_message(person("bob", "!approve BCDFGH"))
        self.assertEqual(self.said(), ["mine: invoice", "mine: BCDFGH"])

    def test_bounded(self) -> None:
        """So many requests wait, and so many of one person; more are busy."""
        bot = self.bot(approve=1)
        for _ in range(MAX_EACH + 1):
            bot.got_message(ALICE)
        self.assertEqual(self.said()[-1], "deploy is busy; try again in a moment.")
        for number in range(MAX_REQUESTS):
            bot.got_message(person(f"p{number}", "!deploy web"))
        self.assertEqual(len(bot._approvals._requests), MAX_REQUESTS)
        self.clock.advance(APPROVE_WITHIN)
        self.assertEqual(len(bot._approvals._requests), 0)

    def test_reload(self) -> None:
        """What others approved of one responder is not done by another."""
        bot, code = self.request()
        bot.got_message(person("bob", f"!approve {code}"))
        bot.change([self.deploy(approve=2)], name="xbot", prefix="!", rooms={})
        self.said()
        bot.got_message(person("carol", f"!approve {code}"))
        self.assertIn("not for you", *self.said())
        self.assertEqual(self.ran, [])

    def test_stop(self) -> None:
        """What waits for approval when we stop is not done; it is told by the next process."""
        bot, _ = self.request()
        bot.stop()
        self.assertEqual((self.said(), self.clock.getDelayedCalls()), ([], []))
        self.assertEqual(self.outcomes(), [("alice", "lapsed")])

    def test_log(self) -> None:
        """Each approval is a line in the log."""
        bot, code = self.request()
        bot.got_message(person("bob", f"!approve {code}"))
        (event,) = self.logged(LogLevel.info)
        self.assertEqual((event["who"], event["responder"]), ("bob@example.org", "deploy"))


ADMINS = Access(allow=AccessList(affiliations=frozenset({"admin", "owner"})))
ADMIN = evolve(ALICE, affiliation="admin")


class RightsOfNowTests(ConsentCase):
    """Rights are those of the moment in which it is done, not of the one in which it was asked."""

    def admin(self, name: str, body: str) -> Message:
        return person(name, body, affiliation="admin")

    def code(self) -> str:
        (found,) = re.findall(r"approve ([A-Z]{6}) within", "".join(self.said()))
        return str(found)

    def test_who_asked(self) -> None:
        """It is not done for a person demoted, gone or banned since, however many approve."""
        for affiliation in "member", "none", "outcast":
            self.affiliations.clear()
            bot = self.bot(approve=1, access=ADMINS)
            bot.got_message(ADMIN)
            code = self.code()
            self.affiliations["alice"] = affiliation
            bot.got_message(self.admin("bob", f"!approve {code}"))
            counted, answer = self.said()
            self.assertEqual((counted, self.ran), ("1 of 1 approves.", []))
            self.assertIn('"deploy web" is not done', answer)
        self.assertEqual(self.outcomes().count(("alice", "denied")), 3)

    def test_banned_though_it_is_for_everyone(self) -> None:
        """A person banned meanwhile has nothing done in that room, by no rule."""
        for access in Access(), Access(allow=AccessList(People.parse(["@example.org"]))):
            self.affiliations.clear()
            bot = self.bot(approve=1, access=access)
            bot.got_message(ALICE)
            code = self.code()
            self.affiliations["alice"] = "outcast"
            bot.got_message(person("bob", f"!approve {code}"))
            self.assertIn("is not done", self.said()[-1])
        self.assertEqual(self.ran, [])

    def test_rights_by_address(self) -> None:
        """A person who may use it by the real address may leave the room meanwhile."""
        bot = self.bot(approve=1, access=Access(allow=AccessList(People.parse(["@example.org"]))))
        bot.got_message(ADMIN)
        code = self.code()
        self.affiliations["alice"] = "none"
        bot.got_message(person("bob", f"!approve {code}"))
        self.assertEqual(self.ran, ["web"])

    def test_who_approved(self) -> None:
        """An approval of a person who was demoted or left since does not count at the end."""
        bot = self.bot(approve=2, access=ADMINS)
        bot.got_message(ADMIN)
        code = self.code()
        bot.got_message(self.admin("bob", f"!approve {code}"))
        self.affiliations["bob"] = "none"
        bot.got_message(self.admin("carol", f"!approve {code}"))
        self.assertEqual(self.said(), ["1 of 2 approves."] * 2)
        self.assertEqual(self.ran, [])
        bot.got_message(self.admin("dave", f"!approve {code}"))
        self.assertEqual(self.ran, ["web"])

    def test_confirm(self) -> None:
        """A yes of a person who was demoted since does nothing."""
        bot = self.bot(confirm=True, access=ADMINS)
        bot.got_message(ADMIN)
        self.said()
        self.affiliations["alice"] = "member"
        bot.got_message(evolve(ADMIN, body="yes", affiliation="member"))
        self.assertIn("is not done", *self.said())
        self.assertEqual(self.ran, [])

    def test_a_wait_for_the_journal(self) -> None:
        """A command that waited long for the journal is denied to a person demoted meanwhile."""
        bot = self.bot(access=ADMINS)
        for seconds, ran in (RECHECK_AFTER / 2, ["web"]), (RECHECK_AFTER, []):
            self.affiliations.clear()
            disk: Deferred[None] = Deferred()
            accept = self.journal.accept
            patch = self.patch(
                self.journal,
                "accept",
                lambda *entry, disk=disk, accept=accept: disk.addCallback(lambda _: accept(*entry)),
            )
            bot.got_message(ADMIN)
            self.affiliations["alice"] = "member"
            self.clock.advance(seconds)
            disk.callback(None)
            patch.restore()
            self.assertEqual(self.ran, ran)
            self.ran.clear()
        self.assertEqual(self.said()[-1], "deploy is not for you, alice.")

    def test_an_answer_to_a_question(self) -> None:
        """A run that asked something ends where the person who answers may not use it any more."""
        went_on = []

        @respond("deploy")
        async def deploy(message: Message) -> str:
            try:
                answer = await message.ask("Which?")
            except NoAnswer:
                answer = message
            went_on.append(answer.body)
            return "done"

        bot = self.dispatcher(evolve(responder(deploy), access=ADMINS))
        bot.got_message(evolve(ADMIN, body="xbot: deploy"))
        bot.got_message(evolve(ADMIN, body="web", affiliation="member"))
        self.assertEqual(self.said(), ["Which?", "deploy is not for you, alice."])
        self.assertEqual(went_on, [])
        bot.got_message(evolve(ADMIN, body="xbot: deploy"))
        bot.got_message(evolve(ADMIN, body="web"))
        self.assertEqual((self.said(), went_on), (["Which?", "done"], ["web"]))

    def test_more(self) -> None:
        """The rest of a long answer is not for a person who may not use it any more."""

        @respond("list")
        def lines(message: Message) -> str:
            return "\n".join(f"line {number} " + "x" * 200 for number in range(400))

        bot = self.dispatcher(evolve(responder(lines), access=ADMINS))
        more = evolve(ADMIN, body="xbot: more")
        bot.got_message(evolve(ADMIN, body="xbot: list"))
        self.assertIn("say more", self.said()[-1])
        bot.got_message(evolve(more, affiliation="member"))
        self.assertEqual(self.said(), [])
        bot.got_message(more)
        self.assertNotEqual(self.said(), [])
