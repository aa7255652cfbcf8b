"""Tests of the ``alias`` responder."""

from attrs import evolve

from tests.responders.talk import ALICE, BOB, Talk, bundled, only
from xbot.config.settings import ResponderSettings
from xbot.responders import alias

DEPLOY = ResponderSettings(
    "deploy", match=r"deploy (?P<app>.+)", reply="{app} for {nick}", access=only(ALICE), effect=True
)


class AliasTests(Talk):
    def setUp(self) -> None:
        super().setUp()
        self.begin(DEPLOY, bundled("alias"))

    def test_all_of_it(self) -> None:
        """It is added, listed, replaced, used with more words behind it, and removed."""
        self.assertEqual(
            self.say("alias add Ship it = deploy web"), ["'Ship it' means: deploy web"]
        )
        self.assertEqual(self.say("ship it"), ["web for alice"])
        self.assertEqual(self.say("SHIP  it now", room=None), ["web now for alice"])
        self.say("alias add ship = deploy all")
        self.assertEqual(self.say("ship it"), ["web for alice"])
        self.assertEqual(self.say("ship that"), ["all that for alice"])
        self.say("alias add ship = ping")
        self.assertEqual(self.say("alias list"), ["Ship it = deploy web\nship = ping"])
        self.assertEqual(self.say("alias remove SHIP IT"), ["'SHIP IT' means nothing any more."])
        self.assertEqual(self.say("alias remove ship it"), ["There is no alias 'ship it'."])

    def test_rights(self) -> None:
        """Only those of the ini change them; others use them, each with their own rights."""
        self.assertEqual(self.say("alias add x = ping", BOB), ["alias is not for you, bob."])
        self.say("alias add ship = deploy")
        self.say("alias add p = PING")
        self.assertEqual(self.say("p", BOB), ["PONG"])
        self.assertEqual(self.say("p", None), ["PONG"])
        self.assertEqual(self.say("ship web", BOB), ["deploy is not for you, bob."])
        self.assertIn("I cannot see here who you are", self.say("ship web", None)[0])
        self.assertEqual(self.say("ship web"), ["web for alice"])

    def test_hides_nothing(self) -> None:
        """Commands go before aliases of the same name."""
        self.say("alias add deploy web = ping")
        self.say("alias add ping = whoami")
        self.assertEqual(self.say("deploy web"), ["web for alice"])
        self.assertEqual(self.say("ping"), ["pong"])

    def test_chains_end(self) -> None:
        """Aliases may lead to others, but not for ever."""
        self.say("alias add a = b")
        self.say("alias add b = c")
        self.say("alias add c = ping")
        self.assertEqual(self.say("a"), ["pong"])
        for text in ("alias add loop = loop", "alias add l1 = l2 x", "alias add l2 = l1 y"):
            self.say(text)
        for text in ("loop", "l1"):
            self.assertEqual(self.say(text), ["That leads from one thing to the next without end."])

    def test_unknown(self) -> None:
        """What is no alias is left to the next fallback; what one leads to, and is none, too."""
        self.assertIn("I do not know 'tea'", self.say("tea")[0])
        self.say("alias add tea = brew it")
        self.assertEqual(
            self.say("tea"), ["I do not know 'brew it'. Say 'help' to see what I can do."]
        )

    def test_once(self) -> None:
        """The same message, should it come twice, runs what the alias means once."""
        self.say("alias add ship = deploy")
        self.assertEqual(self.say("ship web"), ["web for alice"])
        entries = len(self.journal.entries)
        self.keys -= 1
        self.dispatcher._recent._keys.clear()
        self.assertEqual(self.say("ship web"), [])
        self.assertEqual(len(self.journal.entries), entries)

    def test_bounds(self) -> None:
        """Names, commands and their number are bounded."""
        self.assertIn("Too long", self.say(f"alias add {'x' * 41} = ping")[0])
        self.assertIn("Too long", self.say(f"alias add x = {'y' * 401}")[0])
        self.patch(alias, "MAX_ALIASES", 1)
        self.say("alias add x = ping")
        self.assertEqual(self.say("alias add y = ping"), ["There are 1 aliases; remove one first."])
        self.assertEqual(self.say("alias add X = status"), ["'X' means: status"])

    def test_kept(self) -> None:
        """A restart keeps them."""
        self.say("alias add x = ping")
        self.end()
        self.begin(evolve(bundled("alias"), timeout=5.0))
        self.assertEqual(self.say("x"), ["pong"])
