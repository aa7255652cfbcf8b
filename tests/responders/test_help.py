"""What the ``help`` responder promises."""

from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from xbot import Message, Responder
from xbot.answers import Answers
from xbot.responder import Route
from xbot.responders.help import Help

MESSAGE = Message("alice@example.org", "xbot@example.org", "help")


def responder(name: str, usage: str, help: str) -> Responder:
    route = Route(None, lambda message, groups: succeed(Answers()), usage, help)
    return Responder(name, (route,))


class HelpTests(TestCase):
    def setUp(self) -> None:
        self.responders = [
            responder("deploy", "deploy APP [to ENV]", "ship APP"),
            responder("quiet", "quiet", ""),
            responder("up", "uptime", "how long this host has been up"),
            responder("long", "x" * 50, "a long one"),
        ]
        self.help = Help(lambda message: self.responders)

    async def test_all(self) -> None:
        """One aligned line each, in the order given; a long usage does not push the others."""
        self.assertEqual(
            await self.help(MESSAGE),
            "deploy APP [to ENV]  ship APP\n"
            "quiet\n"
            "uptime               how long this host has been up\n" + "x" * 50 + "  a long one",
        )

    async def test_word(self) -> None:
        """A word finds those that have it in name, usage or help, whatever its case."""
        for word, name in {"SHIP": "deploy", "up": "uptime", "long": "uptime"}.items():
            self.assertTrue((await self.help(MESSAGE, word)).startswith(name), word)

    async def test_nothing(self) -> None:
        """When there is nothing to list, it says so."""
        self.assertEqual(await self.help(MESSAGE, "tea"), "I know nothing about 'tea'.")
        self.responders = []
        self.assertEqual(await self.help(MESSAGE), "I can do nothing here.")
