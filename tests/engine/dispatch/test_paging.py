"""Tests of ``output`` and ``paging``, in a dispatcher."""

from attrs import evolve

from tests.engine.dispatch.test_dispatcher import (
    DIRECT,
    IN_ROOM,
    PRIVATE,
    DispatcherCase,
    responder,
)
from xbot.api.decorators import fallback, respond
from xbot.engine.dispatch.output import MAX_PAGES, PAGE
from xbot.engine.dispatch.paging import KEPT_FOR, MAX_EACH, MAX_KEPT
from xbot.model.message import Message
from xbot.model.size_limit import Measure
from xbot.runtime.answers import MAX_LENGTH
from xbot.runtime.failures import Failed

MORE = evolve(IN_ROOM, body="xbot: more")


def lines(count: int) -> str:
    """``count`` pages, each full of one letter."""
    return "\n".join(chr(ord("a") + number) * PAGE for number in range(count))


def go(message: Message) -> str:
    return lines(8)


class SayingTests(DispatcherCase):
    def test_pages(self) -> None:
        """Three pages are said at once; what is beyond is offered, and said when asked for."""
        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        shown = [text[0] for text in self.said()]
        self.assertEqual(shown, [*"abc", "["])
        dispatcher.got_message(MORE)
        *shown, offer = self.said()
        self.assertEqual([text[0] for text in shown], [*"def"])
        self.assertEqual(offer, "[more: 2 pages; say more]")
        dispatcher.got_message(evolve(MORE, body="Robo, More!"))
        self.assertEqual([text[0] for text in self.said()], [*"gh"])
        dispatcher.got_message(MORE)
        self.assertEqual(self.said(), [])
        self.assertEqual(dispatcher.fates, {"dispatched": 3, "answered": 3, "unmatched": 1})

    def test_what_one_message_takes(self) -> None:
        """A page is no larger than one message of the chat service may be."""
        measure = Measure(5000, lambda text: 5 * len(text), 5)
        dispatcher = self.dispatcher(go, measure=lambda: measure)
        dispatcher.got_message(IN_ROOM)
        *shown, offer = self.said()
        self.assertEqual([len(text) for text in shown], [1000] * MAX_PAGES)
        self.assertEqual(offer, "[more: 13 pages; say more]")

    def test_several_answers(self) -> None:
        """The bound is the run's: once something is kept back, all that follows it is."""

        def go(message: Message) -> list[str]:
            message.reply(lines(2))
            return [lines(3), "end"]

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        *shown, offer = self.said()
        self.assertEqual([text[0] for text in shown], [*"abab"])
        self.assertEqual(offer, "[more: 2 pages; say more]")
        dispatcher.got_message(MORE)
        self.assertEqual([text[0] for text in self.said()], [*"ce"])

    def test_failure(self) -> None:
        """What ends a run is said whatever was kept back, and in pages too."""

        def go(message: Message) -> None:
            message.reply(lines(5))
            raise Failed("no")

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said()[3:], ["no", "[more: 2 pages; say more]"])

        def long(message: Message) -> None:
            raise Failed(lines(5))

        self.dispatcher(long).got_message(IN_ROOM)
        self.assertEqual([text[0] for text in self.said()], [*"abc", "["])

    def test_all_in_all(self) -> None:
        """A run says so much, however it is parted, and that there was more."""

        def go(message: Message) -> list[str]:
            return ["x" * (MAX_LENGTH // 2)] * 10

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        said = ""
        while shown := self.said():
            said += "".join(text for text in shown if "say more" not in text)
            dispatcher.got_message(MORE)
        self.assertEqual(said.replace("[cut at 65,536 characters]", ""), "x" * MAX_LENGTH)
        self.assertEqual(said.count("[cut at"), 1)

    def test_output(self) -> None:
        """The ini can allow less."""
        dispatcher = self.dispatcher(evolve(responder(go), output=500))
        dispatcher.got_message(IN_ROOM)
        (text,) = self.said()
        self.assertEqual(len(text), 500)
        self.assertTrue(text.startswith("[cut at 500 characters]\n"))


class MoreTests(DispatcherCase):
    def test_whose(self) -> None:
        """It is for whoever asked, in the place where that was: not for the nick's next holder."""
        dispatcher = self.dispatcher(go)
        alice = evolve(IN_ROOM, identity="alice@example.org", occupant="1")
        dispatcher.got_message(alice)
        self.said()
        for other in (
            evolve(MORE, sender=MORE.sender + "2", nick="alice2"),
            evolve(MORE, identity="mallory@example.net", occupant="2"),
            evolve(MORE, occupant="2"),
            evolve(PRIVATE, body="more", identity="alice@example.org", occupant="1"),
            evolve(DIRECT, body="more", identity="alice@example.org"),
            evolve(alice, body="more"),
        ):
            dispatcher.got_message(other)
            self.assertEqual(self.said(), [])
        dispatcher.got_message(evolve(alice, body="!more"))
        self.assertEqual(len(self.said()), MAX_PAGES + 1)

    def test_another_nick(self) -> None:
        """An occupant under another nick is whoever asked; the nick's next holder is not."""
        dispatcher = self.dispatcher(go)
        dispatcher.got_message(evolve(IN_ROOM, occupant="1"))
        self.said()
        dispatcher.got_message(evolve(MORE, occupant="2"))
        self.assertEqual(self.said(), [])
        dispatcher.got_message(evolve(MORE, sender=MORE.sender + "2", nick="alice2", occupant="1"))
        self.assertEqual(len(self.said()), 4)

    def test_the_latest(self) -> None:
        """A new long answer takes the place of the one before."""
        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        dispatcher.got_message(IN_ROOM)
        self.said()
        dispatcher.got_message(MORE)
        self.assertEqual(self.said()[0][0], "d")
        dispatcher.got_message(MORE)
        dispatcher.got_message(MORE)
        self.assertEqual([text[0] for text in self.said()], [*"gh"])

    def test_not_for_ever(self) -> None:
        """After ten minutes it is gone, and the word is anybody's again."""

        @fallback
        def what(message: Message) -> str:
            return "what?"

        dispatcher = self.dispatcher(go, what)
        dispatcher.got_message(IN_ROOM)
        self.said()
        self.clock.advance(KEPT_FOR)
        dispatcher.got_message(MORE)
        self.assertEqual(self.said(), ["what?"])

    def test_a_responder_of_that_name(self) -> None:
        """Where nothing is kept, whoever answers to the word does."""

        @respond("more")
        def more(message: Message) -> str:
            return "mine"

        dispatcher = self.dispatcher(go, more)
        dispatcher.got_message(MORE)
        self.assertEqual(self.said(), ["mine"])
        dispatcher.got_message(IN_ROOM)
        self.said()
        dispatcher.got_message(MORE)
        self.assertNotIn("mine", self.said())

    def test_bounded(self) -> None:
        """One person has so much kept in different places, and all together so much."""
        dispatcher = self.dispatcher(go)
        for number in range(MAX_EACH + 3):
            sender = f"alice@example.org/{number}"
            dispatcher.got_message(evolve(DIRECT, sender=sender, identity="alice@example.org"))
            self.assertLessEqual(len(dispatcher._more), MAX_EACH)
        for number in range(MAX_KEPT + 10):
            dispatcher.got_message(evolve(DIRECT, sender=f"{number}@example.org"))
        self.assertEqual(len(dispatcher._more), MAX_KEPT)

    def test_a_crowd(self) -> None:
        """Those who make up accounts lose their own pages, and not those of others."""
        dispatcher = self.dispatcher(go)
        dispatcher.got_message(evolve(DIRECT, sender="bob@example.net/x"))
        for number in range(MAX_KEPT + 10):
            dispatcher.got_message(evolve(DIRECT, sender=f"{number}@evil.example/x"))
        self.assertEqual(len(dispatcher._more), MAX_KEPT)
        self.said()
        dispatcher.got_message(evolve(DIRECT, sender="bob@example.net/x", body="more"))
        self.assertNotEqual(self.said(), [])
