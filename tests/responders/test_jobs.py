"""Tests of the ``jobs`` responder, with a fake clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from attrs import evolve
from twisted.trial.unittest import TestCase

from tests.responders.talk import ALICE, BOB, NOW, ROOM, Talk, bundled, only
from xbot import Message, respond
from xbot.config.settings import ResponderSettings
from xbot.model.access import Access, AccessList
from xbot.responders import _kept_jobs
from xbot.responders._schedule import Schedule

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
JOBS = bundled("jobs", only(ALICE, BOB), timezone="UTC")
DEPLOY = ResponderSettings(
    "deploy", match=r"deploy (?P<app>.+)", reply="{app} for {nick}", access=only(ALICE), effect=True
)


@respond("which", effect=False)
async def asks(message: Message) -> str:
    answer = await message.ask("Which?", timeout=600.0)
    return f"You want {answer.body}."


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class ScheduleTests(TestCase):
    def due(self, when: str, zone: str, since: str, count: int) -> list[str]:
        schedule = Schedule(when, ZoneInfo(zone))
        moment: datetime | None = instant(since)
        found = []
        for _ in range(count):
            assert moment is not None
            moment = schedule.after(moment)
            assert moment is not None
            found.append(moment.isoformat()[:16])
        return found

    def test_hour_that_is_left_out(self) -> None:
        """What is due in the hour that spring takes away is due once, right after it."""
        for zone, since, expected in (
            ("Europe/Berlin", "2027-03-27T12:00", ["2027-03-28T01:00", "2027-03-29T00:30"]),
            ("America/New_York", "2027-03-13T12:00", ["2027-03-14T07:00", "2027-03-15T06:30"]),
        ):
            self.assertEqual(self.due("30 2 * * *", zone, since, 2), expected)

    def test_hour_that_comes_twice(self) -> None:
        """What is due in the hour that autumn gives back is due once, the first time."""
        for zone, when, since, expected in (
            (
                "Europe/Berlin",
                "30 2 * * *",
                "2027-10-30T12:00",
                ["2027-10-31T00:30", "2027-11-01T01:30"],
            ),
            (
                "America/New_York",
                "30 1 * * *",
                "2027-11-06T12:00",
                ["2027-11-07T05:30", "2027-11-08T06:30"],
            ),
        ):
            self.assertEqual(self.due(when, zone, since, 2), expected)
            # Asked in the second of the two hours, too.
            again = datetime.fromisoformat(expected[0]).replace(tzinfo=UTC).timestamp() + HOUR - 600
            late = datetime.fromtimestamp(again, UTC).isoformat()[:16]
            self.assertEqual(self.due(when, zone, late, 1), expected[1:])

    def test_every_hour(self) -> None:
        """What is due every hour is due every hour, whatever these are called."""
        for since in ("2027-10-30T23:30", "2027-03-27T23:30"):
            hours = [int(due[11:13]) for due in self.due("0 * * * *", "Europe/Berlin", since, 4)]
            self.assertEqual(hours, [0, 1, 2, 3])

    def test_wrong(self) -> None:
        """What is no schedule, is never, or is too often is told."""
        now = instant("2026-11-21T09:00")
        for when, reason in (
            ("0 9 * *", "five fields"),
            ("0 0 9 * * *", "five fields"),
            ("60 * * * *", "bad minute"),
            ("0 0 30 2 *", "bad day-of-month"),
            ("* * * * *", "too often"),
            ("*/4 9 1 1 *", "too often"),
            ("0,59 * * * *", "too often"),
            ("0 0 * * " + "1," * 60, "five fields"),
        ):
            with self.assertRaises(ValueError) as caught:
                Schedule(when, UTC).check(now)
            self.assertIn(reason, str(caught.exception), when)
        for when in ("*/5 * * * *", "0 0 29 2 *", "0 9 * * 1-5", "0 * * * *"):
            self.assertGreater(Schedule(when, ZoneInfo("Europe/Berlin")).check(now), now)


class JobsTests(Talk):
    def setUp(self) -> None:
        super().setUp()
        self.begin(DEPLOY, JOBS)

    def pass_time(self, seconds: float) -> list[str]:
        """What is said meanwhile; both clocks go on."""
        said = []
        for _ in range(int(seconds // 5)):
            self.now += 5
            self.clock.advance(5)
            said += self.said()
        return said

    def test_said_in_time(self) -> None:
        """It says its text in its room, once, each time it is due."""
        self.assertEqual(
            self.say('add job "5 9,10 * * *" standup time!'),
            ["job 1: next on Sat 2026-11-21 09:05 UTC"],
        )
        self.assertEqual(self.pass_time(5 * MINUTE - 5), [])
        self.assertEqual(self.pass_time(5), ["standup time!"])
        self.assertEqual(self.pass_time(59 * MINUTE), [])
        self.assertEqual(self.pass_time(2 * MINUTE), ["standup time!"])
        self.assertEqual(self.pass_time(2 * HOUR), [])

    def test_where(self) -> None:
        """A room's is said to the room, a private one to the person."""
        self.say('add job "1 9 * * *" one')
        self.say('add job "2 9 * * *" two', BOB, None)
        for _ in range(2):
            self.now += MINUTE
            self.clock.advance(5)
        where = [(each.recipient, each.payload["type"], each.body) for each in self.sent]
        self.assertEqual(where, [(ROOM, "groupchat", "one"), (BOB, "chat", "two")])

    def test_done_as_its_author(self) -> None:
        """What is said to the bot is done in its author's name, with the rights at that time."""
        self.adapter.people[ROOM, ALICE] = "al", "none"
        self.say('add job "5 9 * * *" xbot: deploy web')
        self.say('add job "10 9 * * *" !deploy all')
        self.say('add job "15 9 * * *" xbot: deploy web', BOB)
        self.say('add job "20 9 * * *" xbot: deploy it', room=None)
        self.assertEqual(self.pass_time(7 * MINUTE), ["web for al"])
        del self.adapter.people[ROOM, ALICE]
        self.assertEqual(self.pass_time(5 * MINUTE), ["all for alice"])
        self.assertEqual(self.pass_time(5 * MINUTE), ["deploy is not for you, bob."])
        self.assertEqual(self.pass_time(5 * MINUTE), ["it for alice"])

    def test_rights_that_were_lost(self) -> None:
        """Who may not use jobs any more has none that is done, be it a word."""
        self.say('add job "5 9 * * *" hello', BOB)
        self.end()
        self.begin(DEPLOY, bundled("jobs", timezone="UTC"))
        self.assertEqual(self.pass_time(HOUR), [])
        self.assertEqual(self.logged("jobs are not for bob@example.org any more"), 1)

    def test_room_words(self) -> None:
        """What the room says of its author counts while the author is there, and then only."""
        admins = Access(allow=AccessList(affiliations=frozenset({"admin"})))
        self.end()
        self.begin(evolve(DEPLOY, access=admins), JOBS)
        self.say('add job "*/10 * * * *" xbot: deploy web', affiliation="admin")
        self.assertEqual(self.pass_time(11 * MINUTE), ["deploy is not for you, alice."])
        self.adapter.people[ROOM, ALICE] = "al", "admin"
        self.assertEqual(self.pass_time(10 * MINUTE), ["web for al"])
        self.adapter.people[ROOM, ALICE] = "al", "member"
        self.assertEqual(self.pass_time(10 * MINUTE), ["deploy is not for you, al."])

    def test_no_identity(self) -> None:
        """Without a real address there is no author, and no job."""
        self.end()
        self.begin(bundled("jobs", Access()))
        self.assertIn("I cannot see who you are", self.say('add job "0 9 * * *" x', None)[0])
        self.assertIn("Say that for all", self.say('add job "0 9 * * *" x', private=True)[0])

    def test_change(self) -> None:
        """A job is listed, suspended, resumed and deleted in its room, or by its author."""
        self.say('add job "*/10 * * * *" tea', BOB)
        self.say('add job "0 9 * * *" own', ALICE, None)
        self.assertEqual(
            self.say("list jobs"),
            ['job 1: "*/10 * * * *" tea (next on Sat 2026-11-21 09:10 UTC)'],
        )
        self.assertEqual(
            self.say("list jobs", BOB, None),
            [f'job 1: "*/10 * * * *" tea (next on Sat 2026-11-21 09:10 UTC in {ROOM})'],
        )
        self.assertEqual(self.say("suspend job 1"), ["job 1 is suspended."])
        self.assertIn("(suspended)", self.say("list jobs")[0])
        self.assertEqual(self.pass_time(25 * MINUTE), [])
        self.assertEqual(self.say("resume job 1"), ["job 1 is resumed."])
        self.assertEqual(self.pass_time(6 * MINUTE), ["tea"])
        self.assertEqual(self.say("delete job 2", BOB, None), ["There is no job 2 here."])
        self.assertEqual(self.say("delete job 1", BOB, None), ["job 1 is deleted."])
        self.assertEqual(self.say("list jobs"), ["There are none."])
        self.assertEqual(self.pass_time(HOUR), [])
        self.assertIn("job 3:", self.say('add job "0 9 * * *" x')[0])

    def test_restart(self) -> None:
        """A restart keeps them; what was due meanwhile is told to the log and not made up for."""
        self.say('add job "*/10 * * * *" tea')
        self.say('add job "0 12 * * *" lunch')
        self.say("suspend job 2")
        self.end()
        self.now += 3 * HOUR + MINUTE
        self.begin(JOBS)
        self.assertEqual(self.logged("job 1 was not done at 2026-11-21 09:10Z: I was away"), 1)
        self.assertEqual(self.logged("job 2 was not"), 0)
        self.assertEqual(self.pass_time(8 * MINUTE), [])
        self.assertEqual(self.pass_time(2 * MINUTE), ["tea"])

    def test_reload(self) -> None:
        """While new code is already there and the old one still is, nothing is done twice."""
        self.say('add job "5 9 * * *" tea')
        self.pass_time(4 * MINUTE + 50)
        old = self.lives
        self.begin(JOBS)
        self.assertEqual(self.pass_time(MINUTE), ["tea"])
        old.close()

    def test_not_there(self) -> None:
        """While the bot is not connected, or not in the room, nothing is done, then or later."""
        self.say('add job "*/10 * * * *" tea')
        self.adapter.is_online = False
        self.assertEqual(self.pass_time(11 * MINUTE), [])
        self.adapter.is_online = True
        self.assertEqual(self.pass_time(8 * MINUTE), [])
        del self.adapter.rooms[ROOM]
        self.assertEqual(self.pass_time(10 * MINUTE), [])
        self.adapter.rooms[ROOM] = "xbot"
        self.assertEqual(self.pass_time(10 * MINUTE), ["tea"])
        self.assertEqual(self.logged("I was not there"), 2)

    def test_clock_jumps(self) -> None:
        """However the clock is set, nothing is done twice, late, or in a burst."""
        for number in range(5):
            self.say(f'add job "*/10 * * * *" {number}')
        all_of_them = [*"01234"]
        self.assertEqual(self.pass_time(11 * MINUTE), all_of_them)
        for jump in (HOUR, -HOUR, 3650 * DAY, -3650 * DAY, -HOUR, HOUR, 3650 * DAY, -3660 * DAY):
            self.now += jump
            self.clock.advance(5)
            self.assertEqual(self.said(), [], jump)
        # It goes on, by whatever the clock says.
        self.assertEqual(self.pass_time(10 * MINUTE), all_of_them)

    def test_back_after_it_was_done(self) -> None:
        """A clock set back an hour does what was done in that hour no second time."""
        self.say('add job "*/10 * * * *" tea')
        self.assertEqual(self.pass_time(HOUR + MINUTE), ["tea"] * 6)
        self.now -= HOUR
        self.assertEqual(self.pass_time(HOUR - 5 * MINUTE), [])
        self.assertEqual(self.pass_time(10 * MINUTE), [])
        self.assertEqual(self.pass_time(10 * MINUTE), ["tea"])

    def test_back_from_the_future(self) -> None:
        """What was done while the clock was ten years ahead holds up nothing afterwards."""
        self.say('add job "*/10 * * * *" tea')
        self.now += 3650 * DAY
        self.clock.advance(5)
        self.assertEqual(self.pass_time(10 * MINUTE), ["tea"])
        self.now -= 3650 * DAY
        self.clock.advance(5)
        self.assertEqual(self.pass_time(10 * MINUTE), ["tea"])

    def test_at_most_once(self) -> None:
        """What has effects runs once for each time at which it was due: the journal knows."""
        self.say('add job "*/10 * * * *" xbot: deploy web')
        state = dict(self.brain.namespace("jobs"))
        self.assertEqual(self.pass_time(11 * MINUTE), ["web for alice"])
        # As if nothing of it had been saved, and the clock had gone back.
        self.end()
        self.brain.namespace("jobs").update(state)
        self.now = NOW
        self.begin(DEPLOY, JOBS)
        self.assertEqual(self.pass_time(11 * MINUTE), [])
        self.assertEqual(self.pass_time(10 * MINUTE), ["web for alice"])

    def test_answers_no_question(self) -> None:
        """What a job says in its author's place is not taken for what the author says."""
        self.end()
        asks = ResponderSettings("asks", use="tests.responders.test_jobs:asks")
        self.begin(DEPLOY, JOBS, asks)
        self.say('add job "5 9 * * *" xbot: deploy web')
        self.adapter.people[ROOM, ALICE] = "alice", "none"
        self.pass_time(4 * MINUTE)
        self.assertEqual(self.say("which"), ["Which?"])
        self.assertEqual(self.pass_time(2 * MINUTE), ["web for alice"])
        self.assertEqual(self.say("that one"), ["You want that one."])

    def test_failure(self) -> None:
        """A job that fails is one entry in the log, and the others are done."""
        self.say('add job "5 9 * * *" xbot: one')
        self.say('add job "5 9 * * *" two')

        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        self.patch(self.dispatcher, "obey", broken)
        self.assertEqual(self.pass_time(6 * MINUTE), ["two"])
        self.assertEqual(self.logged("job 1 failed"), 1)
        self.flushLoggedErrors(RuntimeError)

    def test_bounds(self) -> None:
        """Jobs are bounded in a room, for a person, in all; and so are their texts."""
        self.assertIn("too long", self.say(f'add job "0 9 * * *" {"x" * 501}')[0])
        self.assertIn("that is too often", self.say('add job "* * * * *" x')[0])
        self.patch(_kept_jobs, "MAX_EACH", 2)
        for _ in range(3):
            said = self.say('add job "0 9 * * *" x')
        self.assertEqual(said, ["There are too many jobs already; delete one first."])
        self.assertEqual(self.say('add job "0 9 * * *" x', BOB), said)
        self.assertEqual(self.say('add job "0 9 * * *" x', ALICE, None), said)
        self.assertIn("job 3:", self.say('add job "0 9 * * *" x', BOB, None)[0])
        self.patch(_kept_jobs, "MAX_JOBS", 3)
        self.assertEqual(self.say('add job "0 9 * * *" x', BOB, None), said)
