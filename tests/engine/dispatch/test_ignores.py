"""Tests of the fast path that drops stanzas before they become messages: no false drops."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.chat.xmpp.harness import PROPERTY
from tests.effort import examples
from tests.engine.dispatch.test_dispatcher import IN_ROOM, ROOM, DispatcherCase
from xbot.api.decorators import hear, respond
from xbot.model.message import Message

WORDS = [
    "xbot", "XBOT", "robo", "R", "@", "!", ":", ",", " ", "\n", "go", "Go", "say", "deploy", "x",
    "straße", "STRASSE", "\u00df", "\u0130", "i\u0307", "hello", "\u200b", "",
]  # fmt: skip


@respond("go")
def go(message: Message) -> str:
    return "gone"


@hear(r"\bdeploy|hell(o+)")
def overhear(message: Message) -> str:
    return "heard"


class IgnoresTests(DispatcherCase):
    def setUp(self) -> None:
        super().setUp()
        self.short = self.dispatcher(go, overhear)
        self.long = self.dispatcher(go, overhear)
        self.short.tells_all = False

    def say(self, body: str, *, delayed: bool = False, echo: bool = False) -> None:
        """The same to both, which must come to the same."""
        message = evolve(IN_ROOM, body=body, delayed=delayed, echo=echo)
        self.long.got_message(message)
        long = self.said()
        if not self.short.ignores(body, ROOM, self.nick or "", delayed=delayed, echo=echo):
            self.short.got_message(message)
        self.assertEqual(self.said(), long, body)
        self.assertEqual(self.short.fates, self.long.fates, body)

    @settings(PROPERTY, max_examples=examples(500))
    @given(st.lists(st.sampled_from(WORDS), max_size=5), st.sampled_from(["robo", "\u00dfa", "x"]))
    def test_anything(self, words: list[str], nick: str) -> None:
        """Whatever is said, nothing that would be answered is passed over."""
        self.nick = nick
        self.say("".join(words))

    def test_each_fate(self) -> None:
        """What is passed over is counted for its first reason."""
        for body in "xbot: go", "hello", "nothing", " \n":
            for delayed in True, False:
                for echo in True, False:
                    self.say(body, delayed=delayed, echo=echo)
        self.assertEqual(
            dict(self.short.fates),
            {"delayed": 8, "echo": 4, "dispatched": 2, "answered": 2, "unmatched": 1, "empty": 1},
        )

    def ignored(self, body: str = "nothing") -> bool:
        return self.short.ignores(body, ROOM, "robo", delayed=False, echo=False)

    def test_when_everything_is_told(self) -> None:
        """Nothing is passed over where the log is to say what is dropped."""
        self.assertTrue(self.ignored())
        self.short.tells_all = True
        self.assertFalse(self.ignored())

    def test_stopped(self) -> None:
        """A dispatcher that stopped counts what comes as that."""
        self.short.stop()
        self.assertFalse(self.ignored())

    def test_in_its_order(self) -> None:
        """Where something waits for its turn, so does what comes behind it."""
        self.short._in_order.wait(ROOM)
        self.short._in_order.deal(ROOM, Deferred)
        self.assertFalse(self.ignored())
        self.assertTrue(self.short.ignores("nothing", "other@x", "robo", delayed=False, echo=False))
