"""Tests of the ``remember`` responder."""

from tests.responders.talk import ALICE, BOB, Talk
from xbot.responders import remember

OTHER = "lounge@rooms.example.org"


class RememberTests(Talk):
    def setUp(self) -> None:
        super().setUp()
        self.adapter.rooms[OTHER] = "xbot"
        self.begin()

    def test_all_of_it(self) -> None:
        """What was noted is told however it is asked for, until it is forgotten."""
        self.assertEqual(
            self.say("remember Tea is at five is fine"), ["I will: Tea is at five is fine"]
        )
        for text in ("recall tea", "what is tea?", "What is TEA", "what's tea ?", "recall tea?"):
            self.assertEqual(self.say(text, BOB), ["Tea is at five is fine"], text)
        self.say("remember cake is a lie")
        self.assertEqual(self.say("memories"), ["Tea, cake"])
        self.say("remember tea is over")
        self.assertEqual(self.say("recall tea"), ["tea is over"])
        self.assertEqual(self.say("forget Tea"), ["I forgot Tea."])
        self.assertEqual(self.say("recall tea"), ["I remember nothing of 'tea'."])
        self.say("forget cake")
        self.assertEqual(len(self.brain.namespace("remember")), 0)

    def test_unknown_question(self) -> None:
        """A question that it cannot answer is left to others."""
        self.assertIn("I do not know 'what is love?'", self.say("what is love?")[0])

    def test_places(self) -> None:
        """What is noted in a room is the room's, in private the person's."""
        self.say("remember x is 1")
        self.say("remember x is 2", room=OTHER)
        self.say("remember x is 3", room=None)
        self.say("remember x is 4", BOB, None)
        for said, who, room, private in (
            ("1", BOB, "ops@rooms.example.org", False),
            ("2", ALICE, OTHER, False),
            ("3", ALICE, None, False),
            ("3", ALICE, OTHER, True),
            ("4", BOB, None, False),
        ):
            self.assertEqual(self.say("recall x", who, room, private=private), [f"x is {said}"])

    def test_nobody_in_private(self) -> None:
        """A nick has no memory of its own: the next one to bear it would read it."""
        for text in ("remember x is 1", "recall x", "forget x", "memories"):
            self.assertIn("I cannot see who you are", self.say(text, None, private=True)[0])

    def test_bounds(self) -> None:
        """Names, texts, notes and places are bounded; what is there can still be replaced."""
        self.assertIn("Too long", self.say(f"remember {'x' * 61} is 1")[0])
        self.assertIn("Too long", self.say(f"remember x is {'1' * 401}")[0])
        self.patch(remember, "MAX_NOTES", 2)
        self.patch(remember, "MAX_PLACES", 4)
        for name in "abc":
            last = self.say(f"remember {name} is 1")
        self.assertEqual(last, ["I remember 2 things here already; have me forget one."])
        self.assertEqual(self.say("remember b is 2"), ["I will: b is 2"])
        self.say("remember x is 1", room=OTHER)
        # Those of one domain leave places to others.
        third = "third" + OTHER[OTHER.index("@") :]
        self.assertEqual(self.say("remember x is 1", room=third), ["I cannot remember any more."])
        self.assertEqual(self.say("remember x is 1", room=None), ["I will: x is 1"])
