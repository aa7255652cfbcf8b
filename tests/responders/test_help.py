"""Tests of the ``help`` responder."""

from attrs import evolve

from tests.responders.talk import Talk, bundled, only
from xbot.config.options import OPEN
from xbot.config.settings import ResponderSettings
from xbot.model.access import Access

#: All that help would list besides itself.
OTHERS = [name for name in OPEN if name not in ("help", "fallback")]
OFF = [evolve(bundled(name), enabled=False) for name in OTHERS]


def command(name: str, usage: str, help: str, access: Access | None = None) -> ResponderSettings:
    settings = ResponderSettings(name, match=name, usage=usage, help=help, reply="x")
    return settings if access is None else evolve(settings, access=access)


class HelpTests(Talk):
    def test_all(self) -> None:
        """One aligned line each, in the order of asking; a long usage does not push the others."""
        self.begin(
            command("deploy", "deploy APP [to ENV]", "ship APP"),
            command("quiet", "quiet", ""),
            command("up", "uptime", "how long this host has been up"),
            command("long", "x" * 50, "a long one"),
            *OFF,
        )
        self.assertEqual(
            self.say("help"),
            [
                "deploy APP [to ENV]  ship APP\n"
                "quiet\n"
                "uptime               how long this host has been up\n"
                + "x" * 50
                + "  a long one\n"
                + "help [WORD]          what I can do"
            ],
        )

    def test_word(self) -> None:
        """A word finds those that have it in name, usage or help, whatever its case."""
        self.begin(
            command("deploy", "deploy APP", "ship APP"), command("up", "uptime", "of a host"), *OFF
        )
        for word, usage in {"SHIP": "deploy", "up": "uptime", "host": "uptime"}.items():
            self.assertTrue(self.say(f"help {word}")[0].startswith(usage), word)
        self.assertEqual(self.say("help tea"), ["I know nothing about 'tea'."])

    def test_for_whom(self) -> None:
        """What the asker may not use, or not here, is not told."""
        self.begin(
            command("secret", "secret", "", only("bob@example.org")),
            command("open", "open", "", Access(direct=False)),
            evolve(bundled("help", Access()), access=Access()),
            *OFF,
        )
        for room, who, shown in (
            ("ops@rooms.example.org", "alice", ["open", "help"]),
            ("ops@rooms.example.org", "bob", ["secret", "open", "help"]),
            (None, "bob", ["secret", "help"]),
        ):
            (text,) = self.say("help", f"{who}@example.org", room)
            self.assertEqual([line.split()[0] for line in text.splitlines()], shown)

    def test_nothing(self) -> None:
        """When there is nothing to list, it says so."""
        self.begin(command("secret", "secret", "", only("bob@example.org")), *OFF)
        self.dispatcher.responders = self.dispatcher.responders[:1]
        self.assertEqual(self.say("help"), ["I can do nothing here."])
