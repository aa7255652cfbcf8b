"""Tests of :mod:`xbot.engine.loading.warnings`: no false positives."""

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from xbot.config import load
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.warnings import (
    on_all_interfaces,
    out_of_reach,
    unasked,
    unreachable,
    without_a_shell,
)
from xbot.matching.pattern import Pattern
from xbot.model.access import Access
from xbot.runtime.responder import Responder, Route

ROOM = "ops@rooms.example"


def responder(name: str, *texts: str | None, **access: Any) -> Responder:
    patterns = [Pattern.match(text) if text is not None else None for text in texts]
    routes = tuple(Route(pattern, lambda message, groups: Deferred()) for pattern in patterns)
    return Responder(name, routes, access=Access(**access))


class UnreachableTests(TestCase):
    def remarks(self, *responders: Responder, rooms: Any = None) -> list[tuple[str, str]]:
        settings = [
            ResponderSettings(each.name, path=Path("x.ini"), line=7)
            for each in responders
            if each.name != "bundled"
        ]
        found = unreachable(responders, settings, rooms or {})
        return [(each.section, each.option) for each in found]

    def test_same_command(self) -> None:
        """Of two responders to the same command the second is named, and nobody bundled."""
        one = responder("one", "go")
        self.assertEqual(self.remarks(one, responder("two", "go")), [("responder two", "match")])
        self.assertEqual(self.remarks(one, responder("bundled", "go")), [])

    def test_same_responder(self) -> None:
        """A responder's own earlier route takes what a later one would."""
        self.assertEqual(self.remarks(responder("one", ".*", "go")), [("responder one", "match")])

    def test_fallbacks(self) -> None:
        """The second fallback is named."""
        found = self.remarks(responder("one", None), responder("two", None))
        self.assertEqual(found, [("responder two", "fallback")])

    def test_other_places(self) -> None:
        """Whoever answers where the first one does not is reached there."""
        everywhere, here = responder("two", "go"), responder("two", "go", rooms=frozenset({ROOM}))
        for first, second, rooms in (
            (responder("one", "go", rooms=frozenset({ROOM})), everywhere, {}),
            (responder("one", "go", direct=False), everywhere, {}),
            (responder("one", "go"), everywhere, {ROOM: frozenset({"two"})}),
        ):
            self.assertEqual(self.remarks(first, second, rooms=rooms), [])
        for first, rooms in (
            (responder("one", "go", rooms=frozenset({ROOM})), {}),
            (responder("one", "go"), {ROOM: frozenset({"one", "two"}), "other@x": None}),
        ):
            self.assertEqual(len(self.remarks(first, here, rooms=rooms)), 1)


class OutOfReachTests(TestCase):
    def remarks(self, more: str) -> list[str]:
        path = Path(self.mktemp())
        path.write_text(
            f"[xmpp]\nserver = embedded\n[room {ROOM}]\n[responder one]\nmatch = go\nreply = x\n"
            f"rooms = {ROOM} elsewhere@rooms.example\n{more}"
        )
        return [str(each).removeprefix(f"{path}:") for each in out_of_reach(load(path, {}))]

    def test_unknown_room(self) -> None:
        """A room that a responder is for, and no section names, is told with its line."""
        (told,) = self.remarks("")
        self.assertIn("7: [responder one] rooms: the bot is never in elsewhere@rooms.ex", told)

    def test_others_lead(self) -> None:
        """Where people may send the bot into other rooms, any room may be meant."""
        for more in (
            "[responder rooms]\nallow = a@b\n",
            "[room elsewhere@rooms.example]\n",
        ):
            self.assertEqual(self.remarks(more), [])
        off = self.remarks("[responder rooms]\nallow = a@b\nenabled = no\n")
        self.assertEqual(len(off), 1)


class OnAllInterfacesTests(TestCase):
    def test_listen(self) -> None:
        """An HTTP server on all interfaces is told with its line, and with what to write."""
        path = Path(self.mktemp()).absolute()
        for where, told in (
            ("0.0.0.0:8088", 1),
            ("[::]:8088", 1),
            ("127.0.0.1:8088", 0),
            ("192.0.2.1:8088", 0),
            ("/run/xbot/http", 0),
        ):
            path.write_text(f"[xmpp]\nserver = embedded\n[http]\nlisten = {where}\n")
            found = [str(each) for each in on_all_interfaces(load(path, {}))]
            self.assertEqual(len(found), told, where)
            for each in found:
                self.assertTrue(each.startswith(f"{path}:4: [http] listen: {where} serves"), each)
                self.assertIn("write 127.0.0.1:8088", each)


class UnaskedTests(TestCase):
    def test_no_effects(self) -> None:
        """Consent that is never asked for is told; one command with effects is enough for it."""
        settings = ResponderSettings("one", path=Path("x.ini"), lines={"approve": 5})
        one = responder("one", "go", "stop")
        harmless = tuple(evolve(route, effect=False) for route in one.routes)
        for routes, told in ((harmless, ["approve"]), ((one.routes[0], *harmless), [])):
            found = unasked([evolve(one, routes=routes, approve=2)], [settings])
            self.assertEqual([each.option for each in found], told)
            self.assertEqual([each.line for each in found], [5] * len(told))
        self.assertEqual(unasked([evolve(one, routes=harmless)], [settings]), [])
        self.assertEqual(unasked([evolve(one, routes=harmless, confirm=True)], []), [])


class WithoutAShellTests(TestCase):
    def test_operators(self) -> None:
        """What a shell would understand is told where it stands by itself, and only there."""
        for run, told in (
            (("uptime", "|", "tail"), ["|"]),
            (("a", ">", "b", "2>&1"), [">", "2>&1"]),
            (("grep", "a|b", "&x"), []),
        ):
            settings = ResponderSettings("r", run=run, path=Path("x.ini"), lines={"run": 5})
            found = without_a_shell([settings])
            self.assertEqual([each.line for each in found], [5] * len(told))
            for problem, word in zip(found, told, strict=True):
                self.assertIn(f"no shell runs it: {word} is an argument", problem.reason)
