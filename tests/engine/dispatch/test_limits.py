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
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People
from xbot.model.token_bucket import MAX_BUCKETS, Rate
from xbot.testing.journal import MemoryJournal

TOO_MUCH = "That was too much at once; try again in a moment."
TOO_MUCH_HERE = "I am asked too much here; try again in a moment."


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
        self.assertEqual(self.said(), ["went", "went", TOO_MUCH])
        dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/bob", nick="bob"))
        self.assertEqual(self.said(), ["went"])
        self.clock.advance(2)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["went"])
        self.assertEqual(dispatcher.fates, {"dispatched": 4, "answered": 4, "throttled": 3})
        (event,) = self.logged(LogLevel.warn)
        self.assertEqual((event["key"], event["rate"]), (IN_ROOM.sender, "2 in 2 s"))

    def test_a_real_address(self) -> None:
        """Neither another nick nor another resource makes another sender."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(1, 60.0)))
        for sender in f"{ROOM}/a", f"{ROOM}/b":
            dispatcher.got_message(evolve(IN_ROOM, sender=sender, identity="a@example.org"))
        dispatcher.got_message(evolve(DIRECT, sender="a@example.org/y", identity="a@example.org"))
        self.assertEqual(self.said(), ["went", TOO_MUCH])

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
        self.assertEqual(self.said(), ["went"] * 3 + [TOO_MUCH_HERE])
        dispatcher.got_message(DIRECT)
        self.assertEqual(self.said(), ["went"])

    def test_ever_new_nicks_of_one_occupant(self) -> None:
        """Another nick of one occupant is the same sender: no new rate, and others are answered."""
        dispatcher = self.dispatcher(go, limits=self.limits(Rate(2, 60.0), Rate(6, 60.0)))
        for number in range(20):
            nick = f"{ROOM}/{number}"
            dispatcher.got_message(evolve(IN_ROOM, sender=nick, occupant="id mallory"))
        self.assertEqual(self.said(), ["went"] * 2 + [TOO_MUCH])
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
        self.assertEqual(self.said(), ["went"] * 3 + [TOO_MUCH_HERE])
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
        notice = "go is asked too often; try again in a moment."
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
        """Bots that address each other say four things each, and that it is too much."""

        @fallback
        def what(message: Message) -> str:
            return "xbot: I know no such thing"

        for pause in (0.0, 1.0):
            said = self.talk(what, body="xbot: hm", pause=pause)
            for lines in said.values():
                # One answer was alice's.
                self.assertLessEqual(len(lines), 6 if not pause else 8)
            self.assertIn(TOO_MUCH, [lines[-1] for lines in said.values()])

    def test_hearing(self) -> None:
        """Bots that hear each other answer four times, and do not even say that."""

        @hear(".")
        def yes(message: Message) -> str:
            return "yes, indeed"

        for lines in self.talk(yes).values():
            self.assertEqual(lines, ["yes, indeed"] * 5)

    def test_echoes(self) -> None:
        """Bots that repeat what they hear make it neither longer nor louder without end."""

        @hear("(?s).*")
        def echo(message: Message) -> list[str]:
            return [message.body * 2, message.body]

        for lines in self.talk(echo).values():
            self.assertLessEqual(len(lines), 2 * 5)
