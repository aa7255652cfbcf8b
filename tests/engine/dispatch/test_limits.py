"""Tests of :mod:`xbot.engine.dispatch.limits`, in a dispatcher."""

from collections import deque

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel

from tests.engine.dispatch.test_dispatcher import DIRECT, IN_ROOM, ROOM, DispatcherCase, responder
from xbot.api.decorators import fallback, hear, respond
from xbot.config.settings import MAX_RUNS, ROOM_RATE, SENDER_RATE
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.limits import Limits
from xbot.engine.dispatch.refusals import MAX_COUNTS
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People
from xbot.model.token_bucket import MAX_BUCKETS, Rate
from xbot.testing.journal import MemoryJournal

TOO_MUCH = "That was too much at once; try again in {} s."
TOO_MUCH_HERE = "I am asked too much here; try again in 60 s."


def go(message: Message) -> str:
    return "went"


class LimitsTests(DispatcherCase):
    def limits(self, sender: Rate | None = None, room: Rate | None = None) -> Limits:
        return Limits(sender, room, self.clock.seconds)

    def test_sender(self) -> None:
        """Who asks too much is told once, and answered again after a rest; others always are."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(2, 2.0)))
        for _ in range(5):
            dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["went", "went", TOO_MUCH.format(2)])
        dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/bob", nick="bob"))
        self.assertEqual(self.said(), ["went"])
        self.clock.advance(2)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["2 more from alice were refused; try again now.", "went"])
        self.assertEqual(dispatcher.fates, {"dispatched": 4, "answered": 4, "throttled": 3})
        (event,) = self.logged(LogLevel.warn)
        self.assertEqual((event["key"], event["rate"]), (IN_ROOM.sender, "2 in 2 s"))

    def test_a_real_address(self) -> None:
        """Neither another nick nor another resource makes another sender; each place is told."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(1, 60.0)))
        for sender in f"{ROOM}/a", f"{ROOM}/b":
            dispatcher.got_message(evolve(IN_ROOM, sender=sender, identity="a@example.org"))
        dispatcher.got_message(evolve(DIRECT, sender="a@example.org/y", identity="a@example.org"))
        self.assertEqual(self.said(), ["went", *[TOO_MUCH.format(60)] * 2])

    def test_responder_of_others(self) -> None:
        """Who may not use a responder uses up nothing of its rate."""
        access = Access(allow=AccessList(People.parse(["a@example.org"])))
        mine = evolve(responder(go), rate=Rate(1, 10.0), access=access)
        dispatcher = self.dispatcher(mine, limits=self.limits())
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, identity=f"eve{number}@example.org"))
        self.said()
        dispatcher.got_message(evolve(DIRECT, identity="a@example.org"))
        self.assertEqual(self.said(), ["went"])

    def test_room(self) -> None:
        """A room has its own bound, however many speak there; what is said elsewhere has not."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(2, 60.0), Rate(3, 60.0)))
        for number in range(8):
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/{number}"))
        *went, notice = self.said()
        self.assertEqual(went, ["went"] * 3)
        self.assertIn("I am asked too much here; try again in ", notice)
        dispatcher.got_message(DIRECT)
        self.assertEqual(self.said(), ["went"])

    def test_ever_new_nicks_of_one_occupant(self) -> None:
        """Another nick of one occupant is the same sender: no new rate, and others are answered."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(2, 60.0), Rate(6, 60.0)))
        for number in range(20):
            nick = f"{ROOM}/{number}"
            dispatcher.got_message(evolve(IN_ROOM, sender=nick, occupant="id mallory"))
        self.assertEqual(self.said(), ["went"] * 2 + [TOO_MUCH.format(60)])
        dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/alice", occupant="id alice"))
        self.assertEqual(self.said(), ["went"])
        (event,) = self.logged(LogLevel.warn)
        self.assertEqual(event["key"], f"{ROOM}/2")

    def test_the_same_occupant_id_in_another_room(self) -> None:
        """Occupant ids are those of one room: equal ones of two rooms are two people."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(1, 60.0)))
        for room in ROOM, "tea@rooms.example":
            said = evolve(IN_ROOM, sender=f"{room}/a", room=room, occupant="id a")
            dispatcher.got_message(said)
        self.assertEqual(self.said(), ["went", "went"])

    def test_ever_new_people(self) -> None:
        """Newcomers share a part of the room's rate; a person who was there before is answered."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(4, 60.0), Rate(6, 60.0)))
        for number in range(20):
            new = evolve(IN_ROOM, sender=f"{ROOM}/{number}", occupant=f"{number}", newcomer=True)
            dispatcher.got_message(new)
        *went, notice = self.said()
        self.assertEqual(went, ["went"] * 3)
        self.assertIn("I am asked too much here; try again in ", notice)
        for person in "alice", "bob":
            here = evolve(IN_ROOM, sender=f"{ROOM}/{person}", occupant=f"id {person}")
            dispatcher.got_message(here)
            self.assertEqual(self.said(), ["went"])

    def test_newcomers_and_runs(self) -> None:
        """Newcomers do not use up the places of a responder that runs for a while."""
        waiting: list[Deferred[None]] = []

        async def slow(message: Message) -> str:
            waiting.append(Deferred())
            await waiting[-1]
            return "done"

        dispatcher = self.dispatcher(respond("go")(slow))
        for number in range(MAX_RUNS + 2):
            new = evolve(IN_ROOM, sender=f"{ROOM}/{number}", occupant=f"{number}", newcomer=True)
            dispatcher.got_message(new)
        self.assertEqual(len(waiting), MAX_RUNS - 1)
        dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/alice", occupant="alice"))
        self.assertEqual(len(waiting), MAX_RUNS)
        for each in waiting:
            each.callback(None)

    def test_responder(self) -> None:
        """A responder's own rate is everyone's together, and no other responder's."""

        @respond("other")
        def other(message: Message) -> str:
            return "other"

        mine = evolve(responder(go), rate=Rate(1, 10.0))
        dispatcher = self.dispatcher(mine, other, limits=self.limits())
        for message in IN_ROOM, DIRECT, DIRECT:
            dispatcher.got_message(message)
        dispatcher.got_message(evolve(DIRECT, body="other"))
        notice = "go is asked too often; try again in 10 s."
        self.assertEqual(self.said(), ["went", notice, "other"])
        self.assertEqual(dispatcher.fates["throttled"], 2)

    def test_what_costs_nothing(self) -> None:
        """The past, our own words and what nobody answers to use nothing up."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(1, 60.0), Rate(1, 60.0)))
        for _ in range(5):
            dispatcher.got_message(evolve(IN_ROOM, delayed=True))
            dispatcher.got_message(evolve(IN_ROOM, echo=True))
            dispatcher.got_message(evolve(IN_ROOM, body="go on"))
        dispatcher.got_message(evolve(IN_ROOM, key="1"))
        self.assertEqual(self.said(), ["went"])
        dispatcher.got_message(evolve(IN_ROOM, key="1"))
        self.assertEqual(dispatcher.fates["throttled"], 0)

    def test_before_access_and_journal(self) -> None:
        """Refusals are limited too, and what is too much is not journalled."""
        journal = MemoryJournal()
        mine = evolve(responder(go), access=Access(allow=AccessList()))
        dispatcher = self.dispatcher(mine, limits=self.limits(Rate(1, 60.0)), journal=journal)
        for _ in range(3):
            dispatcher.got_message(IN_ROOM)
        self.assertEqual(len(self.said()), 2)
        self.assertEqual(dispatcher.fates["denied"], 1)
        self.assertEqual(len(journal.entries), 1)

    def test_who_is_only_overheard(self) -> None:
        """Who did not ask anything of us is not told that it was too much."""

        @hear("go")
        def hears(message: Message) -> str:
            return "heard"

        dispatcher = self.dispatcher(
            evolve(responder(hears), rate=Rate(2, 60.0)), limits=self.limits(Rate(3, 60.0))
        )
        for _ in range(6):
            dispatcher.got_message(evolve(IN_ROOM, body="let's go"))
        self.assertEqual(self.said(), ["heard"] * 2)

    def test_memory(self) -> None:
        """A hundred thousand strangers leave no more than so many buckets behind."""
        limits = self.limits(SENDER_RATE, ROOM_RATE)
        for number in range(100_000):
            limits.over(evolve(DIRECT, sender=f"{number}@example.org/x"))
        self.assertEqual(len(limits._senders), MAX_BUCKETS)

    def test_change(self) -> None:
        """Other rates hold from the next message on."""
        limits = self.limits(Rate(1, 60.0))
        dispatcher = self.dispatcher(go, limits=limits)
        dispatcher.got_message(IN_ROOM)
        limits.change(None, None)
        dispatcher.got_message(IN_ROOM)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["went"] * 3)


class RefusalsTests(DispatcherCase):
    """Each refused message is told: the first at once, the others in one line that counts them."""

    def setUp(self) -> None:
        super().setUp()
        self.dispatch = self.dispatcher(go, limits=Limits(Rate(2, 20.0), None, self.clock.seconds))

    def say(self, count: int, message: Message = DIRECT) -> list[str]:
        for _ in range(count):
            self.dispatch.got_message(message)
        return self.said()

    def wait(self, seconds: float) -> list[str]:
        self.clock.pump([1.0] * int(seconds))
        return self.said()

    def test_counted(self) -> None:
        """One line tells how many more were refused, and when to try again."""
        self.assertEqual(self.say(8), ["went", "went", TOO_MUCH.format(20)])
        self.assertEqual(self.wait(2), ["5 more were refused; try again in 18 s."])
        self.assertEqual(self.wait(100), [])

    def test_alone(self) -> None:
        """Where only one was refused, no line counts others."""
        self.assertEqual(self.say(3), ["went", "went", TOO_MUCH.format(20)])
        self.assertEqual(self.wait(100), [])

    def test_in_a_room(self) -> None:
        """In a room the line names the nick, in a way that addresses no other bot."""
        self.say(5, IN_ROOM)
        self.assertEqual(self.wait(2), ["2 more from alice were refused; try again in 18 s."])

    def test_after_the_line(self) -> None:
        """What is refused after the line is told with the next answer or notice."""
        self.say(4)
        self.assertEqual(self.wait(2), ["1 more was refused; try again in 18 s."])
        self.assertEqual(self.say(3), [])
        self.assertEqual(self.wait(18), [])
        self.assertEqual(self.say(1), ["3 more were refused.", "went"])
        self.assertEqual(self.say(5), ["went", TOO_MUCH.format(20)])
        self.assertEqual(self.wait(18), [])
        self.assertEqual(self.say(2), [])
        self.assertEqual(self.wait(100), [])

    def test_each_place(self) -> None:
        """A private message is not counted in the room."""
        at_home = evolve(DIRECT, identity="a@example.org")
        in_room = evolve(IN_ROOM, identity="a@example.org")
        self.say(4, at_home)
        self.assertEqual(self.say(2, in_room), [TOO_MUCH.format(20)])
        lines = ["1 more was refused; try again in 18 s."]
        lines += ["1 more from alice was refused; try again in 18 s."]
        self.assertEqual(self.wait(2), lines)

    def test_of_the_responder(self) -> None:
        """A person who is refused because others asked too much is told, too, and once."""
        mine = evolve(responder(go), rate=Rate(1, 10.0))
        self.dispatch = self.dispatcher(mine, limits=Limits(None, None, self.clock.seconds))
        self.assertEqual(self.say(1), ["went"])
        for name in "bc":
            told = self.say(3, evolve(DIRECT, sender=f"{name}@example.org/x"))
            self.assertEqual(told, ["go is asked too often; try again in 10 s."])
        self.assertEqual(self.wait(2), ["2 more were refused; try again in 8 s."] * 2)

    def test_flood(self) -> None:
        """However many are refused, one person is told twice in a minute at most, and none is
        counted twice."""
        told = []
        for _ in range(60):
            told += self.say(10)
            told += self.wait(1)
        lines = [line for line in told if "more" in line]
        refused = self.dispatch.fates["throttled"]
        self.assertEqual(len([line for line in told if "too much" in line]), 3)
        self.assertLessEqual(len(lines), 4)
        counted = sum(int(part.split(" more")[0].split(". ")[-1]) for part in lines)
        self.assertLessEqual(counted + 3, refused)
        told = self.wait(60) + self.say(1)
        counted += sum(int(line.split(" more")[0]) for line in told if "more" in line)
        self.assertEqual(counted + 3, refused)

    def test_bounded(self) -> None:
        """Strangers of one domain take no more than their share of the counts."""
        for number in range(1000):
            self.say(4, evolve(DIRECT, sender=f"{number}@evil.example/x"))
        self.assertEqual(len(self.dispatch._refusals.counts), MAX_COUNTS // 2)
        self.assertEqual(self.say(4)[-1], TOO_MUCH.format(20))
        self.assertIn("1 more was refused; try again in 18 s.", self.wait(2))
        self.dispatch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_two_bots_in_private(self) -> None:
        """Two bots that take each other's lines for commands fall silent."""

        @fallback
        def what(message: Message) -> str:
            return "what?"

        for period in 1.0, 20.0:
            lines = self.converse(what, Rate(2, period))
            self.assertLess(len(lines), 40)

    def converse(self, function: object, rate: Rate) -> list[str]:
        """The lines of two bots that talk to each other in private, until both are silent."""
        said: list[tuple[str, str]] = [("one", "hm")]
        bots: dict[str, Dispatcher] = {}
        for name, other in ("one", "two"), ("two", "one"):

            def send(message: Message, name: str = name) -> None:
                said.append((name, message.body))

            limits = Limits(rate, None, self.clock.seconds)
            bots[other] = self.dispatcher(function, send=send, limits=limits)
        heard = quiet = 0
        for _ in range(100_000):
            self.clock.advance(0.1)
            quiet += 1
            for name, body in said[heard:]:
                heard, quiet = heard + 1, 0
                sender = f"{name}@example.org/x"
                bots[name].got_message(evolve(DIRECT, sender=sender, body=body))
            if quiet > 700:
                return [body for _, body in said]
        self.fail("they do not fall silent")


class TwoBotsTests(DispatcherCase):
    """Bot loops: two bots in one room, each with the default rate limits."""

    def talk(
        self, *functions: object, body: str = "go", pause: float = 0.0
    ) -> dict[str, list[str]]:
        """What each says after somebody said something, until both are silent.

        Each takes ``pause`` seconds to answer.
        """
        unheard: deque[tuple[str, str]] = deque()
        said: dict[str, list[str]] = {"one": [], "two": []}
        bots: dict[str, Dispatcher] = {}
        for name in said:

            def send(message: Message, name: str = name) -> None:
                said[name].append(message.body)
                unheard.append((name, message.body))

            bots[name] = self.dispatcher(
                *functions, send=send, limits=Limits(SENDER_RATE, ROOM_RATE, self.clock.seconds)
            )
        unheard.append(("alice", body))
        for _ in range(1000):
            if not unheard:
                return said
            speaker, text = unheard.popleft()
            self.clock.advance(pause)
            for name, bot in bots.items():
                bot.got_message(
                    evolve(
                        IN_ROOM,
                        sender=f"{ROOM}/{speaker}",
                        nick=speaker,
                        body=text,
                        echo=speaker == name,
                    )
                )
        self.fail("they do not fall silent")

    def test_fallbacks(self) -> None:
        """Bots that address each other say ten things each, and that it is too much."""

        @fallback
        def what(message: Message) -> str:
            return "xbot: I know no such thing"

        # A second in both bots together; a slower talk is within the rate.
        for pause in (0.0, 0.5):
            said = self.talk(what, body="xbot: hm", pause=pause)
            for lines in said.values():
                # One answer was alice's.
                self.assertLessEqual(len(lines), 12 if not pause else 22)
            self.assertIn("That was too much", str([lines[-1] for lines in said.values()]))

    def test_hearing(self) -> None:
        """Bots that hear each other answer ten times, and do not even say that."""

        @hear(".")
        def yes(message: Message) -> str:
            return "yes, indeed"

        for lines in self.talk(yes).values():
            self.assertEqual(lines, ["yes, indeed"] * 11)

    def test_echoes(self) -> None:
        """Bots that repeat what they hear make it neither longer nor louder without end."""

        @hear("(?s).*")
        def echo(message: Message) -> list[str]:
            return [message.body * 2, message.body]

        for lines in self.talk(echo).values():
            self.assertLessEqual(len(lines), 2 * 11)
