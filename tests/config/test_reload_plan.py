"""Tests of :mod:`xbot.config.reload_plan`."""

from pathlib import Path

from attrs import evolve, fields
from twisted.trial import unittest

from xbot.config.reload_plan import _LIVE, _OPTIONS, Plan, plan
from xbot.config.settings import (
    BotSettings,
    Config,
    ResponderSettings,
    RoomSettings,
    Secret,
    XmppSettings,
)
from xbot.model.jid import Jid
from xbot.model.people import People


def room(name, nick="xbot", **more):
    return RoomSettings(Jid.parse(f"{name}@muc.example.org"), nick, **more)


OLD = Config(
    Path("a.ini"),
    BotSettings(),
    XmppSettings(Jid.parse("xbot@example.org/bot"), Secret("hunter2")),
    (room("a"), room("b", password=Secret("hunter2"))),
    (
        ResponderSettings("r", match="r", reply="r", line=1),
        ResponderSettings("u", use="ours:u", line=2),
    ),
)
SAME = Plan(reload=("u",))
TAIL = "responders +0 -0 ~0, fresh code 1, account unchanged"


class PlanTests(unittest.TestCase):
    def change(self, **changes):
        return plan(OLD, evolve(OLD, **changes))

    def test_nothing(self):
        """Where nothing differs only code is read again; where it stands is no matter."""
        self.assertEqual(plan(OLD, OLD), SAME)
        moved = tuple(evolve(each, line=77, path=Path("b.ini")) for each in OLD.responders)
        self.assertEqual(self.change(path=Path("b.ini"), responders=moved), SAME)

    def test_rooms(self):
        """Rooms come, go, and change where they are."""
        a, b = OLD.rooms
        c = room("c")
        table = {
            (a, b, c): Plan(join=(c,)),
            (c, a): Plan(join=(c,), leave=(b.jid,)),
            (b, a): Plan(),
            (): Plan(leave=(a.jid, b.jid)),
            (evolve(a, nick="x"), b): Plan(change=(evolve(a, nick="x"),), nicks=1),
            (a, evolve(b, password=None)): Plan(change=(evolve(b, password=None),)),
            (a, evolve(b, responders=frozenset("r"))): Plan(
                change=(evolve(b, responders=frozenset("r")),)
            ),
        }
        for rooms, expected in table.items():
            self.assertEqual(self.change(rooms=rooms), evolve(expected, reload=("u",)), rooms)

    def test_responders(self):
        """Responders come, go, change; the code of those that stay is read again."""
        r, u = OLD.responders
        table = [
            ((r,), Plan(remove=("u",))),
            ((r, u, evolve(r, name="s")), Plan(add=("s",), reload=("u",))),
            ((evolve(r, reply="x"), u), Plan(modify=("r",), reload=("u",))),
            ((r, evolve(u, settings={"token": "x"})), Plan(modify=("u",))),
            ((r, evolve(u, name="v")), Plan(add=("v",), remove=("u",))),
        ]
        for responders, expected in table:
            self.assertEqual(self.change(responders=responders), expected, responders)

    def test_every_option_of_the_account(self):
        """Each setting of [xmpp] is either the account's or one that changes on the stream."""
        other = object()
        for each in fields(XmppSettings):
            xmpp = evolve(OLD.xmpp, **{each.name: other})
            found = self.change(xmpp=xmpp)
            name = _OPTIONS.get(each.name, each.name.replace("_", "-"))
            expected = {"options" if each.name in _LIVE else "account": (name,)}
            self.assertEqual(found, evolve(SAME, **expected))
        for name in ("jid", "password", "host", "port", "pins", "sasl", "server"):
            self.assertNotIn(name, _LIVE)

    def test_files(self):
        """Files that hold something else are the account's too."""
        self.assertEqual(plan(OLD, OLD, ["ca-file"]), evolve(SAME, account=("ca-file",)))

    def test_bot(self):
        """The name and the prefix change; the state folder does not."""
        bot = evolve(OLD.bot, name="b", prefix="!", state=Path("x"))
        expected = evolve(SAME, options=("name", "prefix"), restart=("state",))
        self.assertEqual(self.change(bot=bot), expected)

    def test_words(self):
        """One line tells the numbers, the details no secret."""
        new = evolve(
            OLD,
            bot=evolve(OLD.bot, prefix="!"),
            xmpp=evolve(OLD.xmpp, accept_invites=People(frozenset(), frozenset("x"))),
            rooms=(room("a", "robo"), evolve(OLD.rooms[1], password=Secret("hunter3")), room("c")),
            responders=(*OLD.responders, ResponderSettings("s")),
        )
        found = plan(OLD, new)
        self.assertEqual(
            str(found),
            "join +1, leave -0, nick 1, room settings 1, responders +1 -0 ~0, fresh code 1,"
            " options accept-invites prefix, account unchanged",
        )
        self.assertEqual(str(SAME), f"join +0, leave -0, nick 0, {TAIL}")
        back = plan(new, evolve(OLD, xmpp=evolve(OLD.xmpp, password=Secret("x"), host="h")))
        self.assertIn("account changed (host password)", str(back))
        self.assertEqual(
            list(found.details()),
            [
                "join c@muc.example.org as xbot",
                "change a@muc.example.org, there as robo",
                "change b@muc.example.org, there as xbot",
                "add responder s",
                "read the code of u again",
            ],
        )
        self.assertNotIn("hunter", "\n".join([*found.details(), *back.details(), str(back)]))
