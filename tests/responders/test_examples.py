"""Tests of the bundled responders as a whole, and of their examples."""

from tests.responders.talk import ALICE, Talk, bundled
from xbot.config.options import BUNDLED, CLOSED, OPEN


class ExamplesTests(Talk):
    def test_each_example(self) -> None:
        """What the help says by example is what happens, in a room and in private."""
        seen = 0
        for room in ("ops@rooms.example.org", None):
            self.setUp()
            self.begin(*(bundled(name) for name in CLOSED))
            examples = [
                (responder.name, route.example)
                for responder in self.dispatcher.responders
                for route in responder.routes
                if route.example
            ]
            for name, (text, *answers) in examples:
                self.setUp()
                self.begin(*(bundled(name) for name in CLOSED))
                said = self.say(text, ALICE, room)
                self.assertEqual(len(said), len(answers), (name, text, said))
                for answer, beginning in zip(said, answers, strict=True):
                    self.assertTrue(answer.startswith(beginning), (name, text, answer))
                seen += 1
        self.assertGreater(seen, 2 * 12)

    def test_each_is_told(self) -> None:
        """help tells of each command and what it does; of the closed ones to those they are for."""
        self.begin(*(bundled(name) for name in CLOSED))
        for who, names in ((ALICE, [*BUNDLED]), ("bob@example.org", [*OPEN])):
            (text,) = self.say("help", who)
            for responder in self.dispatcher.responders:
                for route in responder.routes:
                    if route.kind == "match":
                        self.assertTrue(route.help, route.usage)
                        self.assertEqual(route.usage in text, responder.name in names, route.usage)

    def test_closed(self) -> None:
        """Without a section the closed ones are not there at all."""
        self.begin()
        self.assertEqual([each.name for each in self.dispatcher.responders], [*OPEN])
