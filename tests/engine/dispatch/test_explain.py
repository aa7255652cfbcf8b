"""Tests of explanations: they agree with what the dispatcher then does."""

from __future__ import annotations

from itertools import product

from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot import Message, fallback, hear, respond
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.testing import Bot

ALICE, BOB = "alice@example.org", "bob@example.org"
ROOM, OTHER = "ops@conference.example.org", "other@conference.example.org"


class Shop:
    @respond(r"buy (?P<what>\w+)", usage="buy WHAT")
    async def buy(self, message: Message, what: str) -> str:
        return "bought"

    @hear("coffee", effect=False)
    async def coffee(self, message: Message) -> str:
        return "coffee!"

    @fallback
    async def lost(self, message: Message) -> str:
        return "?"


@respond("buy .*", usage="buy", effect=False)
async def late(message: Message) -> str:
    return "never"


@respond("secret")
async def secret(message: Message) -> str:
    return "told"


INI = f"[room {ROOM}]\nresponders = shop, late\n"


def reasons(bot: Bot, text: str, **how: object) -> dict[str, str]:
    """The reason of each route that does not answer, by usage."""
    return {each.usage: each.reason for each in bot.explain(text, **how).silent}


class ExplainTests(unittest.TestCase):
    def test_it_is_what_happens(self) -> None:
        """Whoever is said to answer does, wherever; whoever is said to be denied is."""
        texts = ("xbot: buy tea", "buy tea", "coffee", "xbot: coffee", "xbot: what", "hm", "secret")
        places = (None, ROOM, OTHER)
        for text, room, sender in product(texts, places, (ALICE, BOB)):
            bot = Bot([Shop, late], ini=INI, allow=ALICE)
            explanation = bot.explain(text, sender, room=room)
            self.assertEqual((bot.replies, bot.journal.entries), ([], {}))
            bot.say(text, sender, room)
            is_denied = any(each.objection for each in explanation.answering)
            self.assertEqual(is_denied, bool(bot.log), (text, room, sender))
            if is_denied:
                continue
            self.assertEqual(bool(explanation.answering), bool(bot.replies), (text, room, sender))
            journalled = [each.responder for each in explanation.answering if each.journalled]
            self.assertEqual(journalled, [each.responder for each in bot.journal.entries.values()])

    def test_why_not(self) -> None:
        """Each that does not answer is told with its reason."""
        bot = Bot([Shop, late])
        told = reasons(bot, "buy tea")
        self.assertEqual(told["buy"], "it fits, but another command comes before it")
        self.assertEqual(told["ping"], r"its pattern does not fit: (?P<word>ping)")
        self.assertEqual(told["shop"], "its pattern is not found: coffee")
        told = reasons(bot, "xbot: coffee", room=ROOM)
        self.assertEqual(told[""], "it is a fallback, and another responder answers")
        told = reasons(bot, "coffee", room=ROOM)
        self.assertEqual(told["ping"], "it is a command, and nothing was said to the bot")
        self.assertEqual(told[""], "it answers only what is said to the bot")

    def test_several_patterns_of_one(self) -> None:
        """Of one responder the first pattern that fits answers, and the others say so."""

        @respond("b.*", usage="any")
        @respond("bo+", usage="bo")
        async def several(message: Message) -> str:
            return "x"

        told = reasons(Bot([several]), "boo")
        self.assertEqual(told["bo"], "another pattern of it comes first")

    def test_fallbacks(self) -> None:
        """They are asked in turn until one says something; a denied one is passed over."""

        def fallback_of(name: str) -> object:
            async def answer(message: Message) -> str:
                return name

            answer.__name__ = name
            return fallback(answer)

        ini = f"[responder first]\nuse = {__name__}:Shop\nallow = {BOB}\n"
        ini += "[responder remember]\nenabled = no\n"
        bot = Bot([fallback_of("one"), fallback_of("two")], ini=ini)
        told = bot.explain("hm", ALICE)
        self.assertEqual(
            [(each.responder, each.unless) for each in told.answering],
            [
                ("first", ()),
                ("one", ()),
                ("two", ("one",)),
                ("fallback", ("one", "two")),
            ],
        )
        lines = [line for line in told.verdict() if not line.startswith(" ")]
        self.assertEqual(
            lines[1:5],
            [
                f"denied: first: allow does not include {ALICE}",
                "is asked first: one",
                "is asked if nothing is said by one: two",
                "is asked if nothing is said by one, two: fallback",
            ],
        )
        self.assertEqual(bot.say("hm", ALICE), ["one"])
        self.assertEqual(told.as_json()["answering"][3]["unless"], ("one", "two"))

    def test_without_a_journal(self) -> None:
        """Where nothing is journalled it does not say so."""
        responder = Bot([secret]).responders[0]
        dispatcher = Dispatcher(
            [responder],
            print,
            Clock(),
            name="xbot",
            prefix="",
            nick_in=lambda room: None,
            rooms={},
        )
        message = Message(ALICE, "xbot@example.org", "secret", {"type": "chat"})
        self.assertFalse(dispatcher.explain(message).answering[0].journalled)

    def test_where_not(self) -> None:
        """The room's responders, and a responder's rooms and direct, are told apart."""
        bot = Bot([secret], ini=INI.replace("late", "ping").replace("shop", "help"))
        self.assertIn("the room's responders", reasons(bot, "xbot: secret", room=ROOM)["secret"])
        bot = Bot([secret], rooms=ROOM, direct=False)
        self.assertIn("(rooms)", reasons(bot, "xbot: secret", room=OTHER)["secret"])
        self.assertIn("direct = no", reasons(bot, "secret")["secret"])

    def test_what_comes_before(self) -> None:
        """Only what has effects is confirmed, approved and journalled."""
        bot = Bot([Shop], confirm=True, approve=2, timeout="5s", rate="3/1m")
        (buying,) = bot.explain("buy tea").answering
        self.assertEqual((buying.confirm, buying.approve, buying.journalled), (True, 2, True))
        (coffee,) = bot.explain("coffee").answering
        self.assertEqual((coffee.confirm, coffee.approve, coffee.journalled), (False, 0, False))
        self.assertEqual((buying.groups, buying.timeout), ({"what": "tea"}, 5.0))
        self.assertEqual(buying.rate, "3 in 60 s")

    def test_outside_a_conversation(self) -> None:
        """Only answers are given there, and the others say why they are not."""
        dispatcher = Bot([Shop])._assembly.dispatcher
        for text, objection in (
            ("buy tea", "it has effects, and this was said outside a conversation (type normal)"),
            ("coffee", None),
        ):
            message = Message(ALICE, "xbot@example.org", text, {"type": "normal"})
            (answering,) = dispatcher.explain(message).answering
            self.assertEqual(answering.objection, objection)

    def test_dropped(self) -> None:
        """A dropped message is explained by the reason."""
        explanation = Bot().explain(" ")
        self.assertEqual((explanation.fate, explanation.answering), ("empty", ()))
        self.assertEqual(str(explanation), "dropped: nothing is said")
