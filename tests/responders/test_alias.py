"""Tests of the ``alias`` responder."""

from attrs import evolve

from tests.responders.talk import ALICE, BOB, ROOM, Talk, bundled, only
from xbot.config.settings import ResponderSettings
from xbot.model.access import Access, AccessList
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

    def test_author_may_not(self) -> None:
        """Who may not deploy does not have it done by others: not by an alias, nor by a chain."""
        self.end()
        self.begin(DEPLOY, bundled("alias", only(ALICE, BOB)))
        self.say("alias add st = deploy prod", BOB)
        self.say("alias add ship = deploy")
        self.say("alias add innocent = ship prod", BOB)
        refused = (
            '"deploy prod" is not run: the person who chose these words may not use deploy here.'
            " Say it in full if you mean it."
        )
        for text in ("st", "innocent"):
            for room in (ROOM, None):
                self.clock.advance(3600)
                self.assertEqual(self.say(text, room=room), [refused])
        self.assertEqual(self.say("ship prod"), ["prod for alice"])

    def test_named_before_it_runs(self) -> None:
        """What others chose is named whole before it runs; the same with one's own words is not."""
        self.end()
        deploy = evolve(DEPLOY, access=only(ALICE, BOB))
        self.begin(deploy, bundled("alias"))
        self.say(f"alias add st = deploy {'x' * 300}")
        self.assertEqual(
            self.say("st now", BOB),
            [f'This runs "deploy {"x" * 300} now".', f"{'x' * 300} now for bob"],
        )
        self.assertEqual(self.say("st"), [f"{'x' * 300} for alice"])
        self.end()
        self.begin(evolve(deploy, confirm=True), bundled("alias"))
        (question,) = self.say("st", BOB)
        self.assertIn("sure?", question)

    def test_room_as_it_is(self) -> None:
        """The author's rights are those of the moment in which the alias is used."""
        self.end()
        admins = Access(allow=AccessList(affiliations=frozenset({"admin"})))
        self.begin(evolve(DEPLOY, access=admins), bundled("alias"))
        self.say("alias add st = deploy web")
        self.adapter.people[ROOM, ALICE] = ("alice", "admin")
        done = ['This runs "deploy web".', "web for bob"]
        self.assertEqual(self.say("st", BOB, affiliation="admin"), done)
        for people in ({(ROOM, ALICE): ("alice", "member")}, {}):
            self.adapter.people = people
            self.clock.advance(3600)
            (answer,) = self.say("st", BOB, affiliation="admin")
            self.assertIn("may not use deploy here", answer)

    def test_without_author(self) -> None:
        """One of before authors, or of a hidden one, runs what has no effects; renewed, all."""
        kept = self.brain.namespace("alias")
        kept["ship"], kept["p"] = ["ship", "deploy web"], ["p", "ping"]
        self.assertEqual(self.say("p", BOB), ["pong"])
        (answer,) = self.say("ship")
        self.assertIn('"deploy web" is not run: it is not known who chose these words', answer)
        self.assertIn("added again", answer)
        self.assertIn("p = ping (by an unknown author", self.say("alias list")[0])
        self.say("alias add ship = deploy web")
        self.assertEqual(self.say("ship"), ["web for alice"])
        self.assertIn("ship = deploy web", self.say("alias list")[0].splitlines())

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
