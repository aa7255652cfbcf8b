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
            self.say("help", room=None),
            [
                "deploy APP [to ENV]  ship APP\n"
                "quiet\n"
                "uptime               how long this host has been up\n"
                + "x" * 50
                + "  a long one\n"
                + "help [WORD]          what I can do"
            ],
        )

    def test_in_a_room(self) -> None:
        """A room gets one short line of usages; a word gets the help of a few, but not of many."""
        self.begin(*(command(f"up{n}", f"up{n} HOST", "start a host") for n in range(6)), *OFF)
        usages = ", ".join(f"up{n} HOST" for n in range(6))
        more = "More: 'help WORD', or 'help' to me in private."
        self.assertEqual(self.say("help"), [f"{usages}, help [WORD]. {more}"])
        self.assertEqual(self.say("help up3"), ["up3 HOST  start a host"])
        self.assertEqual(self.say("help start"), [f"{usages}. {more}"])
        self.assertIn("start a host", self.say("help", private=True)[0])

    def test_heard(self) -> None:
        """What is only heard is no command, and stands apart."""
        heard = ResponderSettings("hello", hear="hello xbot", help="be polite", reply="x")
        self.begin(heard, command("up", "uptime", "of a host"), *OFF)
        self.assertEqual(
            self.say("help", room=None),
            [
                "uptime       of a host\nhelp [WORD]  what I can do\n"
                "Said in a room, without my name:\nhello  be polite"
            ],
        )
        self.assertNotIn("hello", self.say("help")[0])
        self.assertEqual(
            self.say("help hello"), ["Said in a room, without my name:\nhello  be polite"]
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
            listed = text.partition(". More")[0].split(", ") if room else text.splitlines()
            self.assertEqual([each.split()[0] for each in listed], shown)

    def test_nothing(self) -> None:
        """When there is nothing to list, it says so."""
        self.begin(command("secret", "secret", "", only("bob@example.org")), *OFF)
        self.dispatcher.responders = self.dispatcher.responders[:1]
        self.assertEqual(self.say("help"), ["I can do nothing here."])
