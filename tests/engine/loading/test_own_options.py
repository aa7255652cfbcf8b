"""Tests of :mod:`xbot.engine.loading.own_options`."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from twisted.trial.unittest import TestCase

from xbot.config.settings import ResponderSettings
from xbot.engine.loading.mistakes import Mistakes
from xbot.engine.loading.own_options import OwnOptions
from xbot.engine.loading.parameters import parameters_of

if TYPE_CHECKING:
    from decimal import Decimal


class Plain:
    def __init__(
        self,
        *,
        tracker_url: str,
        retries: int = 3,
        admins: list[str] = (),  # type: ignore[assignment]
        pause=1.5,  # type: ignore[no-untyped-def]
        clock: Callable[[], float] = lambda: 0.0,
        price: Decimal | None = None,
    ) -> None:
        self.values = (tracker_url, retries, admins, pause)


class Heir(Plain): ...


@attrs.define
class Attrs:
    tracker_url: str
    retries: int = 3


@dataclasses.dataclass
class Data:
    tracker_url: str
    retries: int = 3


class Anything:
    def __init__(self, *, url: str, **others: str) -> None: ...


def options(**texts: str) -> OwnOptions:
    named = {name.replace("__", "-"): text for name, text in texts.items()}
    return OwnOptions(ResponderSettings("x", settings=named, path=Path("/etc/xbot.ini")))


def _gone() -> str:
    raise FileNotFoundError(2, "No such file or directory")


class OwnOptionsTests(TestCase):
    def values(self, cls: type, **texts: str) -> dict[str, Any]:
        own = options(**texts)
        parameters = parameters_of(cls)
        own.check(parameters)
        return own.values(parameters)

    def mistakes(self, cls: type, **texts: str) -> list[tuple[str, str]]:
        with self.assertRaises(Mistakes) as caught:
            self.values(cls, **texts)
        return list(caught.exception.mistakes)

    def test_none(self) -> None:
        """A class without an initialiser has no options, and inspect is not asked for them."""

        class Nothing:
            pass

        self.patch(inspect, "signature", self.fail)
        self.assertEqual(self.values(Nothing), {})
        ((option, _),) = self.mistakes(Nothing, url="x")
        self.assertEqual(option, "url")

    def test_no_working_folder(self) -> None:
        """What stands in no ini needs no folder, which may be gone when we are to reload."""
        self.patch(os, "getcwd", _gone)
        OwnOptions(ResponderSettings("ping", use="xbot.responders.ping")).check([])

    def test_typed(self) -> None:
        """Parameters get their options, of the types that they say, or keep their defaults."""
        for cls in (Plain, Heir, Attrs, Data):
            self.assertEqual(
                self.values(cls, tracker__url="https://x", retries="5"),
                {"tracker_url": "https://x", "retries": 5},
            )
        self.assertEqual(
            self.values(Plain, tracker_url="x", admins="a, b", pause="2"),
            {"tracker_url": "x", "admins": ["a", "b"], "pause": 2.0},
        )

    def test_takes_anything(self) -> None:
        """Code that takes any name gets the texts that no parameter has the name of."""
        self.assertEqual(
            self.values(Anything, url="x", more__of__it="1"), {"url": "x", "more_of_it": "1"}
        )

    def test_mistakes(self) -> None:
        """Whatever is wrong, missing or unknown is told at once, with the nearest valid name."""
        self.assertEqual(
            self.mistakes(Plain, tracker="x", retries="many"),
            [
                ("tracker", "there is no such option; did you mean tracker-url?"),
                ("tracker-url", "is missing"),
                ("retries", "is no whole number"),
            ],
        )
        self.assertEqual(
            self.mistakes(Data, tracker_url="x", timout="5s"),
            [("timout", "there is no such option; did you mean timeout?")],
        )

    def test_what_the_ini_cannot_say(self) -> None:
        """A parameter with a default that no text can become is none of the ini's."""
        for name in ("clock", "price"):
            ((option, reason),) = self.mistakes(Plain, tracker_url="x", **{name: "x"})
            self.assertEqual(option, name)
            self.assertIn("there is no such option", reason)

    def test_names_of_all(self) -> None:
        """A parameter cannot have the name of what means something for every responder."""

        class Late:
            def __init__(self, timeout: int = 3) -> None: ...

        ((option, reason),) = self.mistakes(Late)
        self.assertEqual(option, "use")
        self.assertIn("'timeout' has the name of an option that all have", reason)

    def test_two_spellings(self) -> None:
        """One option written in two ways is a mistake."""
        own = OwnOptions(ResponderSettings("x", settings={"a-b": "1", "a_b": "2"}))
        self.assertRaises(Mistakes, own.check, [])
