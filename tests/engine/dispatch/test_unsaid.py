"""Tests of ``receipt`` and ``journal_gate``: what is answered is journalled when it arrived."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from tests.engine.dispatch.deploying import DeployCase
from tests.engine.dispatch.test_dispatcher import IN_ROOM, ROOM
from tests.engine.dispatch.test_journal_gate import JournalledCase
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.receipt import MAX_EACH, MAX_PLACES, Receipt, Receipts
from xbot.engine.outbox import Outbox
from xbot.model.errors import NotConnected
from xbot.model.message import Message
from xbot.runtime.failures import Failed


class UnsaidCase(JournalledCase):
    """A dispatcher with an outbox; the test tells what becomes of the answers."""

    def setUp(self) -> None:
        super().setUp()
        self.outbox = Outbox(
            self.sent.append,
            clock=self.clock,
            lost=lambda message: self.dispatcher_.got_lost(message),
        )
        self.addCleanup(self.outbox.stop)
        self.dispatcher_ = Dispatcher(
            [self.go],
            self.outbox.put,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: self.nick,
            rooms=self.rooms,
            journal=self.journal,
            deliver=self.outbox.put,
        )

    def answer(self, text: str = "went") -> None:
        """A command is answered."""
        self.dispatcher_.got_message(self.message())
        self.ends[-1].callback(text)


class UnsaidTests(UnsaidCase):
    def test_answered_when_it_arrived(self) -> None:
        """The journal says answered once the last part of the answer has arrived."""
        self.answer("\n".join(f"{number} {'x' * 90}" for number in range(40)))
        self.assertEqual(len(self.sent), 2)
        self.outbox.got_delivered(self.sent[1])
        self.assertEqual(self.outcomes(), [None])
        self.outbox.got_delivered(self.sent[0])
        self.assertEqual(self.outcomes(), ["answered"])

    def test_killed_before_that(self) -> None:
        """A process that ends between the answer and the server's word leaves a report."""
        self.answer()
        again = self.journal.restarted()
        self.assertEqual([each.outcome for each in again.entries.values()], ["interrupted"])
        (entry,) = self.successResultOf(again.interrupted())
        self.assertEqual(entry.message.body, IN_ROOM.body)

    def test_came_back(self) -> None:
        """An answer that comes back before it arrived is unsaid; the command ran once."""
        self.answer()
        self.outbox.got_rejected(self.sent[0], "not-allowed")
        self.assertEqual((self.outcomes(), len(self.ends)), (["unsaid"], 1))
        self.assertEqual(self.dispatcher_.fates["undelivered"], 1)
        again = self.journal.restarted()
        self.assertEqual(self.successResultOf(again.interrupted()), [])

    def test_came_back_late(self) -> None:
        """An answer that comes back after the acknowledgement is noted as unsaid after all."""
        self.answer()
        self.outbox.got_delivered(self.sent[0])
        self.assertEqual(self.outcomes(), ["answered"])
        self.outbox.got_rejected(self.sent[0], "service-unavailable", was_delivered=True)
        self.assertEqual(self.outcomes(), ["unsaid"])
        self.assertEqual(self.dispatcher_.fates["undelivered"], 1)

    def test_other_outcomes(self) -> None:
        """What else became of the run stays, with a note that the answer was not said."""
        self.dispatcher_.got_message(self.message())
        self.ends[-1].errback(Failed("no disk"))
        self.assertEqual(self.outcomes(), [None])
        self.outbox.got_rejected(self.sent[0], "not-allowed")
        self.assertEqual(self.outcomes(), ["failed, unsaid"])

    def test_nothing_said(self) -> None:
        """A run that says nothing has its outcome at once."""
        self.answer("")
        self.assertEqual(self.outcomes(), ["silent"])

    def test_receipts_are_bounded(self) -> None:
        """The receipts of the last answers are kept, for each place and for some places."""
        receipts = Receipts()
        for place in range(2 * MAX_PLACES):
            for number in range(2 * MAX_EACH):
                answer = Message("", f"{place}", "x", {"id": f"{number}"})
                receipts.add(answer, Receipt())
        self.assertEqual([len(each) for each in receipts._recent.values()], [MAX_EACH] * MAX_PLACES)


class MuteTests(DeployCase):
    def mute(self, **options: Any) -> Dispatcher:
        """A bot that may or may not speak in the room."""
        self.is_mute = False
        return Dispatcher(
            [self.deploy(**options)],
            self.sent.append,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: self.nick,
            rooms=self.rooms,
            journal=self.journal,
            is_mute=lambda room: room == ROOM and self.is_mute,
        )

    def say(self, dispatcher: Dispatcher, text: str) -> None:
        """Say something in the room."""
        dispatcher.got_message(evolve(IN_ROOM, body=text, key=text))

    def test_no_question_without_voice(self) -> None:
        """Where the bot may not speak it asks nothing, and runs nothing that needs a yes."""
        dispatcher = self.mute(confirm=True)
        self.is_mute = True
        self.say(dispatcher, "xbot: deploy web")
        self.say(dispatcher, "xbot: yes")
        self.assertEqual(self.ran, [])
        self.assertEqual(self.said(), ['"deploy web" is not done: I may not speak here to ask.'])
        self.assertEqual([each.outcome for each in self.journal.entries.values()], ["unasked"])

    def test_a_yes_to_a_question_that_came_back(self) -> None:
        """A yes does not count where the question came back for want of voice."""
        dispatcher = self.mute(confirm=True)
        self.say(dispatcher, "xbot: deploy web")
        self.is_mute = True
        self.say(dispatcher, "yes")
        self.assertEqual(self.ran, [])
        self.is_mute = False
        self.say(dispatcher, "xbot: deploy mail")
        self.say(dispatcher, "Yes")
        self.assertEqual(self.ran, ["mail"])


class PlaceTests(JournalledCase):
    def test_too_old(self) -> None:
        """An answer that waits for its place too long is unsaid in the end."""

        def send(message: Message) -> None:
            raise NotConnected(message.recipient, "may not speak there")

        outbox = Outbox(send, clock=self.clock)
        dispatcher = Dispatcher(
            [self.go],
            outbox.put,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: self.nick,
            rooms=self.rooms,
            journal=self.journal,
            deliver=outbox.put,
        )
        dispatcher.got_message(self.message())
        self.ends[-1].callback("went")
        self.clock.pump([60.0] * 59)
        self.assertEqual(self.outcomes(), [None])
        self.clock.pump([60.0] * 2)
        self.assertEqual(self.outcomes(), ["unsaid"])
