"""Tests of :mod:`xbot.webhooks.spool`, on a real disk and with a fake clock."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.state.journal.test_journal import InTurn
from xbot.config.settings import WebhookSettings
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.model.message import Message
from xbot.state.sqlite.writer import RETRY as FILE_RETRY
from xbot.web.posting import PostRequest
from xbot.webhooks import file, spool
from xbot.webhooks.door import WebhookEndpoint
from xbot.webhooks.file import TooMuchWaits
from xbot.webhooks.proof import Signed
from xbot.webhooks.report import Item, Report
from xbot.webhooks.spool import (
    GATHER,
    LAST_RETRY,
    MAX_TEXTS,
    MAX_TRIES,
    MAX_UNDER_WAY,
    RETRY,
    Spool,
)

ROOM = "ops@rooms.example"
OTHER = "dev@rooms.example"
ALICE = "alice@example"


class SpoolCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.now = 1000.0
        self.path = Path(self.mktemp()) / "state" / file.FILE_NAME
        self.in_turn = InTurn()
        self.said: list[tuple[Message, Any]] = []
        #: Texts that the adapter chokes on.
        self.unsayable = ""
        #: Rooms in which nothing can be said as things stand.
        self.refusing: set[str] = set()
        self.is_full = False
        #: People to whom the bot may write now.
        self.people = {ALICE}
        self.spool = self.start()

    def start(self, rooms: tuple[str, ...] = (ROOM, OTHER, ALICE)) -> Spool:
        """The spool of one process, opened."""

        def say(message: Message, delivered: Any, failed: Any, dropped: Any) -> bool:
            if not self.is_full:
                self.said.append((message, delivered))
                if self.unsayable and self.unsayable in message.body:
                    failed()
                if message.room in self.refusing:
                    dropped()
            return not self.is_full

        started = Spool(
            self.path,
            "xbot@example",
            say,
            self.clock,
            wall_clock=lambda: self.now,
            in_thread=self.in_turn,
            is_person=lambda place: place in self.people,
        )
        self.successResultOf(started.open(rooms))
        self.addCleanup(lambda: self.successResultOf(started.close()))
        return started

    def kill(self) -> None:
        """The process ends without a word, and another one begins."""
        self.spool.hold()
        self.spool._file.release()
        self.said.clear()
        self.spool = self.start()

    def keep(self, *keys: str, rooms: tuple[str, ...] = (ROOM,), window: float = 60.0) -> bool:
        """One post with an item for each key: whether any was news."""
        report = Report(tuple(Item(key, (key,)) for key in keys))
        kept = self.spool.keep(
            "hook", rooms, report.items, lambda items: report.said("hook", items), window
        )
        return self.successResultOf(kept)

    def bodies(self) -> list[str]:
        return [message.body for message, _ in self.said]

    def arrive(self) -> None:
        """All that was said arrives."""
        said, self.said = self.said, []
        for _, delivered in said:
            delivered()

    def waiting(self) -> int:
        """How much is on the disk."""
        return len(self.successResultOf(self.spool._writer.do(lambda file: file.waiting())))


class RepeatedTests(SpoolCase):
    def posted(self, webhook: WebhookSettings, **headers: str) -> int:
        """The status of the same post, made once more."""
        door = WebhookEndpoint(self.spool, self.clock)
        door._set([webhook])
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["content-type"] = "application/json"
        post = door.post(PostRequest(webhook.path, named, b'{"what": "the site is down"}'))
        return self.successResultOf(post).status

    def test_second_outage(self) -> None:
        """The same text of an own template is said again: it may be the day's second outage."""
        own = WebhookSettings("own", "/webhook/own", (ROOM,), "{what}")
        self.assertEqual([self.posted(own) for _ in range(3)], [202, 202, 202])
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["\n".join(["[own] the site is down"] * 3)])

    def test_redelivered(self) -> None:
        """A redelivery is dropped, by its id; and so are equal texts, where the ini says so."""
        own = WebhookSettings("own", "/webhook/own", (ROOM,), "{what}")
        ids = ["1", "1", "2", "2"]
        self.assertEqual([self.posted(own, webhook_id=id) for id in ids], [202, 200, 202, 200])
        asked = evolve(own, name="asked", dedupe_text=True)
        self.assertEqual([self.posted(asked, webhook_id=id) for id in ids], [202, 200, 200, 200])


class SayTests(SpoolCase):
    def test_said(self) -> None:
        """What was kept is said a moment later, and forgotten once it has arrived."""
        self.assertTrue(self.keep("a"))
        self.assertEqual((self.said, self.waiting()), ([], 1))
        self.clock.advance(GATHER)
        message = self.said[0][0]
        self.assertEqual((message.recipient, message.body), (ROOM, "[hook] a"))
        self.assertEqual((message.room, message.payload["type"]), (ROOM, "groupchat"))
        self.assertEqual((self.waiting(), self.spool.under_way), (1, 1))
        self.assertEqual((self.spool.unsaid, self.spool.fates["delivered"]), (1, 0))
        self.arrive()
        self.assertEqual((self.waiting(), self.spool.under_way), (0, 0))
        self.assertEqual((self.spool.unsaid, self.spool.fates["delivered"]), (0, 1))

    def test_person(self) -> None:
        """A person gets the text alone; also after a crash, and not once the ini forbids it."""
        self.keep("a", rooms=(ALICE, ROOM))
        self.clock.advance(GATHER)
        self.kill()
        self.keep("b", rooms=(ALICE,))
        self.people.clear()
        self.clock.advance(GATHER)
        kinds = [(each.recipient, each.room, each.payload["type"]) for each, _ in self.said]
        # Without permission it is a message to a room, where the bot is not.
        self.assertEqual(
            kinds,
            [
                (ALICE, None, "chat"),
                (ROOM, ROOM, "groupchat"),
                (ALICE, ALICE, "groupchat"),
            ],
        )

    def test_together(self) -> None:
        """What comes for one room within a second is one message; each room has its own."""
        self.keep("a")
        self.keep("b", rooms=(ROOM, OTHER))
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] a\n[hook] b", "[hook] b"])

    def test_bounded(self) -> None:
        """A flood is said in messages of a bounded length, one a second, and not all at once."""
        for number in range(MAX_TEXTS * (MAX_UNDER_WAY + 1)):
            self.keep(f"{number}")
        self.keep("x" * spool.MAX_LENGTH)
        self.keep("y" * spool.MAX_LENGTH)
        self.clock.advance(GATHER)
        self.assertEqual(len(self.said), 1)
        self.assertEqual(len(self.bodies()[0].splitlines()), MAX_TEXTS)
        for _ in range(20):
            self.clock.advance(GATHER)
        self.assertEqual(len(self.said), MAX_UNDER_WAY)
        longest = 0
        for _ in range(4):
            longest = max([longest, *map(len, self.bodies())])
            self.arrive()
            self.clock.advance(GATHER)
            self.clock.advance(GATHER)
        self.assertEqual(self.waiting(), 0)
        self.assertGreater(longest, spool.MAX_LENGTH / 2)
        self.assertLessEqual(longest, spool.MAX_LENGTH)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full_outbox(self) -> None:
        """What the outbox has no room for is given to it again."""
        self.is_full = True
        self.keep("a")
        self.clock.advance(GATHER)
        self.is_full = False
        self.clock.advance(RETRY)
        self.assertEqual(self.bodies(), ["[hook] a"])

    def test_a_room_that_refuses_us(self) -> None:
        """What is for it is kept, asked for ever more rarely, and said once it lets us in."""
        self.refusing = {ROOM}
        self.keep("a", rooms=(ROOM, OTHER))
        self.clock.advance(GATHER)
        for _ in range(360):
            self.clock.advance(10.0)
        self.assertLess(len(self.said), 20)
        self.assertEqual((self.spool.fates["failed"], self.spool.unsaid), (0, 2))
        self.said.clear()
        self.refusing = set()
        self.clock.advance(LAST_RETRY)
        self.assertEqual(self.bodies(), ["[hook] a"])
        self.arrive()
        self.assertEqual(self.spool._drops, {})

    def test_what_cannot_be_said(self) -> None:
        """It is tried a few times, then in nobody's way, and left to the next process."""
        self.unsayable = "bad"
        for number in range(2 * MAX_UNDER_WAY):
            self.keep(f"bad {number}")
            self.clock.advance(GATHER)
            for _ in range(MAX_TRIES + 1):
                self.clock.advance(RETRY)
        self.assertEqual(len(self.said), 2 * MAX_UNDER_WAY * MAX_TRIES)
        self.assertEqual((self.spool.under_way, self.clock.getDelayedCalls()), (0, []))
        self.assertEqual((self.spool.unsaid, self.spool.fates["failed"]), (0, 2 * MAX_UNDER_WAY))
        self.said.clear()
        self.keep("good")
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] good"])
        self.arrive()
        self.assertEqual(self.waiting(), 2 * MAX_UNDER_WAY)
        self.unsayable = ""
        self.kill()
        self.assertEqual(len(self.said), 2 * MAX_UNDER_WAY)
        self.arrive()
        self.assertEqual(self.waiting(), 0)

    def test_what_can_never_be_said(self) -> None:
        """What the next process cannot say either is dropped: no start tries it again."""
        self.unsayable = "bad"
        self.keep("bad")
        self.clock.advance(GATHER)
        self.clock.pump([RETRY] * MAX_TRIES)
        self.assertEqual(self.waiting(), 1)
        self.kill()
        self.clock.pump([RETRY] * MAX_TRIES)
        self.assertEqual((len(self.said), self.spool.fates["failed"]), (MAX_TRIES, 1))
        self.assertEqual((self.waiting(), self.clock.getDelayedCalls()), (0, []))

    def test_what_can_be_said_after_all(self) -> None:
        """A failure that passes costs a moment, and nothing is said twice."""
        self.unsayable = "a"
        self.keep("a")
        self.clock.advance(GATHER)
        self.unsayable = ""
        self.said.clear()
        self.clock.advance(RETRY)
        self.assertEqual(self.bodies(), ["[hook] a"])
        self.arrive()
        self.assertEqual((self.waiting(), self.clock.getDelayedCalls()), (0, []))
        # Nor is it tried once we stop.
        self.unsayable = "b"
        self.keep("b")
        self.clock.advance(GATHER)
        self.spool.hold()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DedupeTests(SpoolCase):
    def test_once(self) -> None:
        """The same is not said twice within its window, also by another process."""
        self.assertTrue(self.keep("a"))
        self.assertFalse(self.keep("a"))
        self.kill()
        self.assertFalse(self.keep("a"))
        self.now += 60
        self.assertTrue(self.keep("a"))

    def test_news_only(self) -> None:
        """Of several items those are said that are news."""
        self.keep("a")
        self.keep("a", "b")
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] a\n[hook] b"])

    def test_rooms(self) -> None:
        """What was said in one room is news in another."""
        self.keep("a")
        self.assertTrue(self.keep("a", rooms=(ROOM, OTHER)))
        self.clock.advance(GATHER)
        self.assertEqual(sorted(m.recipient for m, _ in self.said), [OTHER, ROOM])

    def test_no_window(self) -> None:
        """Without a window everything is said."""
        self.assertTrue(self.keep("a", window=0))
        self.assertTrue(self.keep("a", window=0))

    def test_clock_goes_back(self) -> None:
        """A wall clock that goes back a little makes nothing news."""
        self.keep("a")
        self.now -= 50
        self.assertFalse(self.keep("a"))

    def test_bounded(self) -> None:
        """Only so many keys are remembered, and the oldest are forgotten first."""
        self.patch(file, "MAX_KNOWN", 3)
        self.patch(spool, "FORGET_AFTER", 5)
        for number in range(5):
            self.now += 1
            self.keep(f"{number}")
        self.assertFalse(self.keep("4"))
        self.assertTrue(self.keep("0"))


class CrashTests(SpoolCase):
    def test_before_it_is_said(self) -> None:
        """What was kept is said by the next process."""
        self.keep("a")
        self.kill()
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] a"])

    def test_before_it_arrives(self) -> None:
        """What was said and has not arrived is said again, as the same message with the same id."""
        self.keep("a")
        self.keep("b")
        self.clock.advance(GATHER)
        self.keep("c")
        before = self.said[0][0]
        self.kill()
        self.assertEqual([message for message, _ in self.said], [before])
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies()[1:], ["[hook] c"])

    def test_after_it_has_arrived(self) -> None:
        """What has arrived is not said again."""
        self.keep("a")
        self.clock.advance(GATHER)
        self.arrive()
        self.kill()
        self.clock.advance(GATHER)
        self.assertEqual(self.said, [])

    def test_no_news_any_more(self) -> None:
        """What is a week old, or for a room that no webhook knows, is dropped with a warning."""
        self.keep("a")
        self.now += spool.MAX_AGE + 1
        self.keep("b", rooms=("gone@rooms.example",))
        self.keep("c")
        self.kill()
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] c"])
        self.assertEqual(self.waiting(), 1)
        self.assertEqual((self.spool.unsaid, self.spool.fates["stale"]), (1, 2))

    def test_held(self) -> None:
        """On the way out nothing more is said, but what arrives is noted."""
        self.keep("a")
        self.clock.advance(GATHER)
        self.keep("b")
        self.spool.hold()
        self.clock.advance(GATHER)
        self.arrive()
        self.assertEqual((self.said, self.waiting()), ([], 1))


class TroubleTests(SpoolCase):
    def fail_to_keep(self) -> Any:
        kept = self.spool.keep("hook", (ROOM,), [Item("z", ("z",))], lambda items: "z", 60.0)
        return self.failureResultOf(kept).value

    def test_too_much(self) -> None:
        """When too much waits no more is taken, and what was refused is news later."""
        self.patch(file, "MAX_WAITING", 3)
        self.keep("a")
        self.keep("b")
        self.assertIsInstance(self.fail_to_keep(), TooMuchWaits)
        self.clock.advance(GATHER)
        self.arrive()
        self.assertTrue(self.keep("z"))

    def test_a_room_that_is_full(self) -> None:
        """What it holds leaves room for others, who are told what it cannot be told."""
        self.patch(file, "MAX_WAITING", 8)
        for number in range(4):
            self.assertTrue(self.keep(f"{number}"))
        self.assertIsInstance(self.fail_to_keep(), TooMuchWaits)
        self.assertTrue(self.keep("both", rooms=(ROOM, OTHER)))
        self.clock.advance(GATHER)
        self.assertIn("[hook] both", self.bodies())
        self.assertEqual(self.waiting(), 5)

    def test_disk(self) -> None:
        """While the file fails nothing is taken, and what was kept before is said once it works."""
        self.keep("a")
        os.rename(self.path, f"{self.path}.away")
        self.assertIsInstance(self.fail_to_keep(), FileUnavailable)
        self.clock.advance(GATHER)
        self.assertEqual(self.bodies(), ["[hook] a"])
        self.arrive()
        self.clock.advance(FILE_RETRY)
        self.assertIsNone(self.spool.state.problem)
        self.assertTrue(self.keep("z"))

    def test_broken(self) -> None:
        """A broken file is moved aside, and another one begun."""
        self.successResultOf(self.spool.close())
        self.path.write_bytes(b"no database" * 1000)
        self.spool = self.start()
        self.assertTrue(self.spool.state.lost)
        self.assertTrue(self.keep("a"))
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_private(self) -> None:
        """Nobody else can read the file, and no other bot can use it."""
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        other = Spool(self.path, "", lambda *a: True, self.clock, in_thread=InTurn())
        self.assertIsInstance(self.failureResultOf(other.open(())).value, UnusableFile)


class BindTests(SpoolCase):
    def binds(self, body: str, event: str) -> bool:
        return self.successResultOf(self.spool.binds(Signed(body, event)))

    def test_bound(self) -> None:
        """A body has the event as which it came first, also after a restart."""
        self.assertEqual(
            [self.binds("a", "push"), self.binds("a", "create"), self.binds("a", "push")],
            [True, False, True],
        )
        self.assertTrue(self.binds("b", "create"))
        self.kill()
        self.assertEqual([self.binds("a", "create"), self.binds("a", "push")], [False, True])

    def test_bound_of_memory(self) -> None:
        """Bodies are forgotten with the other keys: only the latest are remembered."""
        self.patch(file, "MAX_KNOWN", 2)
        self.patch(spool, "FORGET_AFTER", 1)
        for body in "abcd":
            self.now += 1
            self.binds(body, "push")
        self.now += 1
        self.assertEqual([self.binds(body, "create") for body in "da"], [False, True])
