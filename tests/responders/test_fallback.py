"""Tests of the ``fallback`` responder, and of the order of several."""

from attrs import evolve

from tests.responders.talk import BOB, BOT, ROOM, Talk, bundled, only
from xbot.config.settings import ResponderSettings
from xbot.model.access import Access
from xbot.model.message import Message

DEPLOY = ResponderSettings(
    "deploy", match=r"deploy \w+( to \w+)?", usage="deploy APP [to ENV]", reply="done"
)


class FallbackTests(Talk):
    def test_nearest(self) -> None:
        """It names the nearest of the commands that the asker may use here."""
        self.begin(DEPLOY)
        self.assertEqual(
            self.say("depoy web"), ["I do not know 'depoy web'. Did you mean: deploy APP [to ENV]?"]
        )
        self.assertEqual(
            self.say("deploy"), ["I do not know 'deploy'. Did you mean: deploy APP [to ENV]?"]
        )
        self.assertEqual(
            self.say("statsu", room=None), ["I do not know 'statsu'. Did you mean: status?"]
        )

    def test_not_what_is_for_others(self) -> None:
        """What the asker may not use is not told."""
        self.begin(evolve(DEPLOY, access=only(BOB)))
        self.assertEqual(
            self.say("depoy web"), ["I do not know 'depoy web'. Say 'help' to see what I can do."]
        )
        self.assertIn("Did you mean: deploy", self.say("depoy web", BOB)[0])

    def test_not_what_is_heard(self) -> None:
        """What is only heard in a room is no command, so it is not suggested."""
        self.begin(ResponderSettings("hello", hear="(hello|hi) xbot", reply="Hello!"))
        self.assertEqual(
            self.say("hello"), ["I do not know 'hello'. Say 'help' to see what I can do."]
        )

    def test_silence(self) -> None:
        """It answers no other bot's fallback, no server, and nobody who talks about the bot."""
        self.begin(DEPLOY)
        for text in (
            "I do not know 'xbot'. Say 'help' to see what I can do.",
            "I do not know 'depoy'. Did you mean: deploy APP?",
            "Sorry, I don't understand that.",
            "unknown command: depoy",
            "",
        ):
            self.assertEqual(self.say(text, BOB, None) + self.say(text), [], text)
        for body in ("xbot is great", "!!!", "@xbot rocks"):
            said = Message(
                f"{ROOM}/bob", BOT, body, {"type": "groupchat"}, room=ROOM, nick="bob", key=body
            )
            self.dispatcher.got_message(said)
            self.assertEqual(self.said(), [], body)
        self.dispatcher.got_message(Message("example.org", BOT, "depoy", {"type": "chat"}))
        self.assertEqual(self.said(), [])

    def test_two_bots(self) -> None:
        """Two of us who are led to talk to each other stop after one answer."""
        self.begin()
        (first,) = self.say("good morning", BOB, None)
        self.assertEqual(self.say(first, "other-xbot@example.org", None), [])

    def test_long(self) -> None:
        """Of a long text it says the beginning again, and no more."""
        self.begin(*(evolve(DEPLOY, name=f"x{n}", usage=f"x{n}", match=f"x{n}") for n in range(99)))
        (answer,) = self.say("y" * 4000)
        self.assertLess(len(answer), 150)

    def test_off(self) -> None:
        """The ini can switch it off, as any other."""
        self.begin(evolve(bundled("fallback", Access()), enabled=False))
        self.assertEqual(self.say("depoy web"), [])

    def test_for_some(self) -> None:
        """A section that says nothing but for whom it is leaves the rest as it is."""
        self.begin(DEPLOY, bundled("fallback", only(BOB)))
        self.assertEqual(self.say("depoy"), [])
        self.assertIn("Did you mean: deploy", self.say("depoy", BOB)[0])
