"""Tests of :class:`xbot.testing.Bot`."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial import unittest

from tests.testing import shop
from xbot import Failed, Message, brain, every, hear, respond, say
from xbot.config.settings import ResponderSettings
from xbot.model.errors import InvalidConfig, XbotError
from xbot.model.jid import Jid
from xbot.model.people import People
from xbot.runtime.scope import MayNotWrite
from xbot.testing import Bot, NotAnswered
from xbot.testing import bot as kit
from xbot.testing import given as names
from xbot.testing.clock import TestClock

ALICE = "alice@example.org"
ROOM = "ops@conference.example.org"


@respond(r"deploy (?P<app>\w+)", usage="deploy APP", example=("deploy web", "web is on "))
def deploy(message: Message, app: str) -> str:
    return f"{app} is on production"


@respond("boom")
async def boom(message: Message) -> str:
    raise LookupError("no such thing")


@hear(r"\bcoffee\b", effect=False, example=("I need coffee", "Here you are, "))
async def coffee(message: Message) -> str:
    return f"Here you are, {message.speaker}."


@respond(r"tell (?P<whom>\S+)", example=("tell alice@example.org", "Told."))
async def tell(message: Message, whom: str) -> str:
    say(whom, "hello")
    return "Told."


class Counter:
    """A fixture responder that counts, and tells the room every minute."""

    @respond("count", effect=True)
    async def count(self, message: Message) -> str:
        return str(brain.increment("count"))

    @every("1m")
    async def tell(self) -> None:
        say(ROOM, f"{brain.get('count', 0)} so far")


class SayTests(unittest.TestCase):
    def test_a_plain_function(self) -> None:
        """A plain function has answered when say returns, and the journal knows of it."""
        bot = Bot([deploy])
        self.assertEqual(bot.say("deploy web"), ["web is on production"])
        (entry,) = bot.journal.entries.values()
        self.assertEqual((entry.responder, entry.outcome), ("deploy", "answered"))

    def test_in_a_room(self) -> None:
        """In a room the bot is addressed by its name, and answers to the room."""
        bot = Bot([coffee])
        bot.say("coffee!", ALICE, ROOM, nick="Al")
        (reply,) = bot.replies
        self.assertEqual((reply, reply.to, reply.room), ("Here you are, Al.", ROOM, ROOM))
        self.assertEqual(bot.say("ping", ALICE, ROOM), [])
        self.assertEqual(bot.say("xbot: ping", ALICE, ROOM), ["pong"])

    def test_privately_through_a_room(self) -> None:
        """What is said privately through a room is answered to the occupant alone."""
        bot = Bot()
        (reply,) = bot.say("ping", ALICE, ROOM, nick="Al", private=True)
        self.assertEqual((reply.to, reply.room), (f"{ROOM}/Al", ROOM))

    def test_bundled_responders(self) -> None:
        """What needs no section is there, too."""
        self.assertIn("deploy APP", Bot([deploy]).say("help")[0])

    def test_who_it_is(self) -> None:
        """Rights go by the real address; a room that hides it gives none."""
        bot = Bot([deploy], allow=[ALICE, "@admins.example"])
        self.assertEqual(bot.say("deploy web", ALICE), ["web is on production"])
        self.assertEqual(bot.say("deploy web", "x@admins.example"), ["web is on production"])
        self.assertEqual(bot.say("deploy web"), ["deploy is not for you, someone."])
        (answer,) = bot.say("xbot: deploy web", None, ROOM, nick="alice")
        self.assertIn("I cannot see here who you are", answer)
        self.assertEqual(
            bot.log, ["denied deploy to someone@example.org", f"denied deploy to {ROOM}/alice"]
        )

    def test_affiliation(self) -> None:
        """What somebody is in a room counts where the options say so."""
        bot = Bot([deploy], allow="room-owners", confirm=False)
        how = {"sender": ALICE, "room": ROOM}
        self.assertEqual(
            bot.say("xbot: deploy web", affiliation="owner", **how), ["web is on production"]
        )
        self.assertIn("not for you", bot.say("xbot: deploy web", affiliation="member", **how)[0])

    def test_wrong_speech(self) -> None:
        """What nobody could say is refused."""
        bot = Bot()
        for how in (
            {"sender": None},
            {"nick": "x"},
            {"room": ROOM, "sender": None},
            {"room": f"{ROOM}/nick"},
            {"sender": "@"},
        ):
            with self.assertRaises(ValueError):
                bot.say("ping", **how)

    def test_a_coroutine_that_waits(self) -> None:
        """What a coroutine waits for is answered when it comes."""
        waiting: Deferred[str] = Deferred()

        @respond("wait")
        async def wait(message: Message) -> str:
            return await waiting

        bot = Bot([wait])
        self.assertEqual(bot.say("wait"), [])
        idle = bot.idle()
        self.assertNoResult(idle)
        waiting.callback("at last")
        self.successResultOf(idle)
        self.assertEqual(bot.replies, ["at last"])

    def test_what_is_due_at_once(self) -> None:
        """What is to be done at this very moment is done when say returns."""

        @respond("soon")
        async def soon(message: Message) -> str:
            waiting: Deferred[str] = Deferred()
            bot.clock.callLater(0, waiting.callback, "now")
            return await waiting

        bot = Bot([soon])
        self.assertEqual(bot.say("soon"), ["now"])

    def test_the_log(self) -> None:
        """Warnings are the bot's own, of what happens in it."""
        bot = Bot([deploy], allow=ALICE)
        Logger("xbot").warn("of another one")
        bot.say("deploy web", ALICE)
        self.assertEqual(bot.log, [])

    def test_the_time(self) -> None:
        """What is journalled has the clock's time."""
        bot = Bot([deploy])
        bot.clock.advance(5)
        bot.say("deploy web")
        self.assertEqual([each.accepted for each in bot.journal.entries.values()], [5.0])

    def test_time_limit(self) -> None:
        """A responder's time limit is the clock's."""

        @respond("hang")
        async def hang(message: Message) -> str:
            return await Deferred()

        bot = Bot([hang], timeout="5s")
        bot.say("hang")
        bot.clock.advance(4.9)
        self.assertEqual(bot.replies, [])
        bot.clock.advance(0.2)
        self.assertEqual(bot.replies, ["hang did not finish within 5 s."])
        bot = Bot([hang], timeout="10m")
        bot.say("hang")
        bot.clock.advance(601)
        self.assertEqual(bot.replies, ["hang did not finish within 10m."])

    def test_failures(self) -> None:
        """A responder's mistake is answered as always, and the test can look at it."""
        bot = Bot([boom])
        self.assertEqual(bot.say("boom"), ["boom failed; the log says why."])
        (failure,) = bot.failures
        self.assertEqual(str(failure.value), "no such thing")
        # In trial a logged failure fails the test, unless it was expected.
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_failed(self) -> None:
        """A responder that says it cannot is no failure of the code."""

        @respond("cannot")
        async def cannot(message: Message) -> None:
            raise Failed("Not today.")

        bot = Bot([cannot])
        self.assertEqual((bot.say("cannot"), bot.failures), (["Not today."], []))

    def test_a_link_that_breaks(self) -> None:
        """What is answered while the link is broken is said once it is mended."""
        bot = Bot()
        bot.adapter.break_link()
        self.assertEqual(bot.say("ping"), [])
        bot.adapter.mend_link()
        self.assertEqual(bot.replies, ["pong"])

    def test_a_room_that_was_left(self) -> None:
        """Where the bot has left, nobody can say anything to it, until it comes back."""
        bot = Bot()
        bot.say("xbot: ping", ALICE, ROOM)
        bot.adapter.leave(ROOM)
        for ask in (bot.say, bot.explain):
            with self.assertRaisesRegex(ValueError, "has left"):
                ask("xbot: ping", ALICE, room=ROOM)
        bot.join(ROOM, "bo")
        self.assertEqual(bot.say("bo: ping", ALICE, ROOM), ["pong"])

    def test_a_disk_that_fails(self) -> None:
        """What has effects is refused while the journal cannot be written."""
        bot = Bot([deploy])
        bot.journal.problem = "the disk is full"
        self.assertEqual(
            bot.say("deploy web"), ["deploy cannot run now: its journal is not writable."]
        )


class AskingTests(unittest.TestCase):
    def test_confirm(self) -> None:
        """Who is asked whether they are sure says so as anything else; explain knows of it."""
        bot = Bot([deploy], confirm=True)
        self.assertIn("sure?", bot.say("deploy web", ALICE)[0])
        self.assertEqual(bot.explain("yes", ALICE).answering[0].responder, "answer")
        self.assertEqual(bot.say("yes", ALICE), ["web is on production"])
        bot.say("deploy web", ALICE)
        bot.clock.advance(61)
        self.assertEqual(bot.replies[-1], '"deploy web" is not done.')

    def test_approve(self) -> None:
        """Others agree by the code that the bot says."""
        bot = Bot([deploy], approve=1, allow="@example.org")
        (asked,) = bot.say("deploy web", ALICE)
        code = asked.partition("approve ")[2].split()[0]
        bot.say(f"approve {code}", "bob@example.org")
        self.assertEqual(bot.replies[-1], "web is on production")
        self.assertEqual(bot.replies[-1].to, ALICE)

    def test_limits(self) -> None:
        """The bot's own rates hold only where the test asks for them, a responder's always."""
        for limits, answers in ((False, 15), (True, 11)):
            bot = Bot(limits=limits)
            for _ in range(15):
                bot.say("ping", ALICE)
            self.assertEqual(len(bot.replies), answers)
        bot = Bot([deploy], rate="1/1m")
        for _ in range(3):
            bot.say("deploy web", ALICE)
        self.assertEqual(len(bot.replies), 2)
        bot.clock.advance(60)
        self.assertEqual(bot.say("deploy web", ALICE), ["web is on production"])


class RepliesTests(unittest.TestCase):
    def test_since_the_last_look(self) -> None:
        """Looking twice shows the same; after something new happened, only that."""
        bot = Bot()
        bot.say("ping")
        bot.say("PING")
        self.assertEqual(bot.replies, ["pong", "PONG"])
        self.assertEqual(bot.replies, ["pong", "PONG"])
        bot.say("nothing for you", room=ROOM)
        self.assertEqual(bot.replies, [])
        bot.say("ping")
        self.assertEqual(bot.replies, ["pong"])
        bot.clock.advance(1)
        self.assertEqual(bot.replies, [])


class PeopleTests(unittest.TestCase):
    """To whom a responder may write unasked."""

    def test_whom(self) -> None:
        """People whom may-write-to or its own allow names; for others it fails, and says why."""
        bot = Bot([tell], ini="[xbot]\nmay-write-to = alice@example.org @ops.example.org")
        for person in ALICE, "bob@ops.example.org":
            bot.say(f"tell {person}")
            self.assertIn((person, "hello"), [(each.to, str(each)) for each in bot.replies])
        self.assertEqual(bot.say("tell eve@example.net"), ["tell failed; the log says why."])
        self.assertNotIn("eve@example.net", [each.to for each in bot.replies])
        self.assertEqual(len(self.flushLoggedErrors(MayNotWrite)), 1)
        own = Bot([tell], allow=[ALICE, "@example.com"])
        own.say("tell bob@example.com", sender=ALICE)
        self.assertIn(("bob@example.com", "hello"), [(each.to, str(each)) for each in own.replies])

    def test_refused_reload(self) -> None:
        """An ini that is read and then refused permits nothing."""
        bot = Bot()
        assembly, eve = bot._assembly, Jid.parse("eve@example.net")
        people = People.parse([str(eve)])
        wider = evolve(assembly.config, bot=evolve(assembly.config.bot, may_write_to=people))
        prepared = self.successful(assembly.prepare(wider))
        # Its responders start before it holds.
        self.assertTrue(assembly._may_write_to("tell", eve))
        self.successful(assembly.discard(prepared))
        self.assertFalse(assembly._may_write_to("tell", eve))
        broken = ResponderSettings("broken", use="no.such:thing")
        refused = evolve(wider, responders=(*wider.responders, broken))
        self.assertRaises(InvalidConfig, self.successful, assembly.prepare(refused))
        self.assertFalse(assembly._may_write_to("tell", eve))

    def successful(self, coroutine: Coroutine[Deferred[Any], Any, Any]) -> Any:
        """The result, or the error, of what ends at once."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result


class ClockTests(unittest.TestCase):
    def test_connected_since(self) -> None:
        """How long it is connected counts from its own beginning, not from its clock's."""
        clock = TestClock()
        clock.advance(1_700_000_000)
        self.patch(kit, "TestClock", lambda: clock)
        bot = Bot()
        clock.advance(60)
        self.assertIn("connected for 1 min.", bot.say("status")[0])

    def test_every(self) -> None:
        """What is done every minute is done at each of them, though an hour passes at once."""
        bot = Bot([Counter])
        bot.say("count")
        bot.say("count")
        bot.join(ROOM)
        bot.clock.advance(150)
        self.assertEqual(bot.replies, ["1", "2", "2 so far", "2 so far"])
        self.assertEqual(bot.clock.seconds(), 150)
        self.assertEqual(bot.brain.namespace("counter")["count"], 2)

    def test_what_is_due_sees_its_own_time(self) -> None:
        """Each call sees the time at which it was due, and what it calls later is not late."""
        clock = Bot().clock
        times: list[float] = []

        def tick() -> None:
            times.append(clock.seconds())
            clock.callLater(0.25, tick)

        clock.callLater(0.25, tick)
        clock.advance(1.0)
        clock.advance(0.1)
        self.assertEqual((times, clock.seconds()), ([0.25, 0.5, 0.75, 1.0], 1.1))

    def test_close(self) -> None:
        """A closed bot's timers have ended."""
        bot = Bot([Counter])
        bot.close()
        self.assertEqual(bot.clock.getDelayedCalls(), [])
        with self.assertRaises(XbotError):
            bot.brain.namespace("counter")["count"] = 1

    def test_close_while_at_work(self) -> None:
        """What is at work when the bot is closed says nothing more."""
        waiting: Deferred[str] = Deferred()

        @respond("wait")
        async def wait(message: Message) -> str:
            return await waiting

        bot = Bot([wait])
        bot.say("wait")
        bot.close()
        self.assertEqual(bot.replies, [])
        self.assertEqual([each.outcome for each in bot.journal.entries.values()], ["interrupted"])


class OptionsTests(unittest.TestCase):
    def test_of_the_object(self) -> None:
        """Options that xbot does not know are the class's own settings."""

        class Greeting:
            def __init__(self, *, first_word: str) -> None:
                self.word = first_word

            @respond("greet")
            async def greet(self, message: Message) -> str:
                return self.word

        bot = Bot([Greeting], first_word="Hi;\nthere", usage="greet me")
        self.assertEqual(bot.say("greet"), ["Hi;\nthere"])
        self.assertIn("greet me", bot.say("help")[0])

    def test_wrong_ones(self) -> None:
        """A wrong option is told as the daemon would."""
        with self.assertRaises(InvalidConfig) as caught:
            Bot([deploy], timeout="soon")
        self.assertIn("[responder deploy] timeout", str(caught.exception))

    def test_objects(self) -> None:
        """An object that was made already is taken as it is; several get their own sections."""
        counter = Counter()
        bot = Bot([counter, deploy, coffee])
        self.assertFalse(hasattr(names, "given_0"))
        self.assertEqual(bot.say("count"), ["1"])
        self.assertEqual(bot.say("deploy web"), ["web is on production"])

    def test_a_module(self) -> None:
        """A module is taken with all that it has."""
        self.assertEqual(Bot([shop], allow=ALICE).say("price 3", ALICE), ["6"])

    def test_further_text(self) -> None:
        """What else the ini says goes along: names, groups, rooms."""
        ini = f"[xbot]\nname = bo\nprefix = !\n[group us]\nmembers = {ALICE}\n"
        ini += f"[room {ROOM}]\nnick = robo\n"
        bot = Bot([deploy], ini=ini, allow="us")
        for text in ("bo: deploy x", "robo: deploy x", "!deploy x"):
            self.assertEqual(bot.say(text, ALICE, ROOM), ["x is on production"])


class FromIniTests(unittest.TestCase):
    def test_a_text(self) -> None:
        """A text of several lines is the ini itself; the account may be left out."""
        bot = Bot.from_ini("[responder hi]\nmatch = hi\nreply = Hello {nick}!")
        self.assertEqual(bot.say("hi"), ["Hello someone!"])

    def test_a_file(self) -> None:
        """A file is read without the account's secrets."""
        path = Path(self.mktemp())
        path.write_text(
            "[xmpp]\njid = b@x\npassword-file = none\n[responder hi]\nmatch=hi\nreply=ho\n"
        )
        for source in (path, str(path)):
            bot = Bot.from_ini(source)
            self.assertEqual(bot.say("hi"), ["ho"])

    def test_a_file_with_mistakes(self) -> None:
        """All other mistakes are told."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\njid = b@x\n[responder hi]\nmatch=(\nreply=ho\n")
        with self.assertRaises(InvalidConfig) as caught:
            Bot.from_ini(path)
        self.assertIn(f"{path}:4: [responder hi] match", str(caught.exception))
        with self.assertRaises(InvalidConfig):
            Bot.from_ini("no-such.ini")


class CheckTests(unittest.TestCase):
    def test_right_answers(self) -> None:
        """Each answer is compared at its beginning; ... is any; none means silence."""
        bot = Bot([deploy])
        bot.check("deploy web", "web is")
        bot.check("deploy web", ...)
        bot.check("hello", room=ROOM)

    def test_wrong_answers(self) -> None:
        """What differs is told: what was expected, what was answered."""
        bot = Bot([deploy])
        for answers in ((), ("web is off",), ("is on",), ("web", "and more"), (..., ...)):
            with self.assertRaises(NotAnswered) as caught:
                bot.check("deploy web", *answers)
            self.assertIn("answered: 'web is on production'", str(caught.exception))
        with self.assertRaises(NotAnswered) as caught:
            bot.check("hello", "x", room=ROOM)
        self.assertIn("expected: 'x'\nanswered: nothing", str(caught.exception))
        # And why.
        self.assertIn("not deploy (deploy APP): it is a command, and", str(caught.exception))


class ExamplesTests(unittest.TestCase):
    def test_all_are_tried(self) -> None:
        """The examples of all responders are tried, and what was tried is told."""
        tried = Bot([deploy, coffee]).check_examples()
        self.assertEqual(tried[:2], ["deploy web", "I need coffee"])

    def test_in_a_room(self) -> None:
        """In a room commands are said to the bot, and what is overheard to nobody."""
        tried = Bot([deploy, coffee], direct=False).check_examples(sender=ALICE, room=ROOM)
        self.assertEqual(tried[:2], ["xbot: deploy web", "I need coffee"])

    def test_wrong_ones(self) -> None:
        """Every wrong example is told with its responder."""

        @respond("a", example=("a", "b"))
        async def one(message: Message) -> str:
            return "x"

        @respond("c", example=("d", "e"))
        async def two(message: Message) -> str:
            return "e"

        with self.assertRaises(NotAnswered) as caught:
            Bot([one, two]).check_examples()
        self.assertIn("one: said: a", str(caught.exception))
        self.assertIn("two: said: d", str(caught.exception))

    def test_none(self) -> None:
        """A bot without any example is no success."""
        bot = Bot()
        self.patch(Bot, "responders", ())
        with self.assertRaises(NotAnswered):
            bot.check_examples()

    def test_bundled(self) -> None:
        """Every bundled responder's examples are true, and each of them has one."""
        bot = Bot()
        bot.check_examples()
        for responder in bot.responders:
            self.assertTrue(any(route.example for route in responder.routes), responder.name)
