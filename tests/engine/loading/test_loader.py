"""Tests of :mod:`xbot.engine.loading.loader`."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase

from tests.environment import FakeEnvironment
from xbot.config.options import BUNDLED, OPEN
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.loader import load_responders
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.message import Message
from xbot.process.threads import InThread
from xbot.runtime.failures import Failed
from xbot.runtime.responder import Responder
from xbot.runtime.subprocesses import CannotRun

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "hello xbot")


def load(*settings: ResponderSettings, **options: Any) -> tuple[Responder, ...]:
    options.setdefault("bundled", False)
    return load_responders(settings, FakeEnvironment().environment(), **options)


def found(responder: Responder, text: str) -> dict[str, str] | None:
    """The named groups of the first route that matches ``text``."""
    patterns = (route.pattern for route in responder.routes)
    groups = (pattern.find(text) for pattern in patterns if pattern is not None)
    return next((each for each in groups if each is not None), None)


class LoaderCase(TestCase):
    def said(
        self,
        responder: Responder,
        message: Message = MESSAGE,
        groups: Mapping[str, str] | None = None,
    ) -> list[Any]:
        answers = self.successResultOf(responder.routes[0].call(message, groups or {}))
        self.assertIsNone(answers.failure)
        return list(answers.said)

    def problem(self, settings: ResponderSettings) -> Problem:
        with self.assertRaises(InvalidConfig) as caught:
            load(settings)
        (problem,) = caught.exception.problems
        return problem


class ReplyTests(LoaderCase):
    def test_fields(self) -> None:
        """Facts and groups are filled in, plainly."""
        reply = "{nick} {sender} {room} {body} {x}{y}"
        (responder,) = load(ResponderSettings("r", match="(?P<x>x)(?P<y>y)?", reply=reply))
        message = evolve(MESSAGE, room="ops@rooms.example", nick="{body}")
        self.assertEqual(
            self.said(responder, message, {"x": "{nick}"}),
            ["{body} alice@example.org/a ops@rooms.example hello xbot {nick}"],
        )

    def test_nick(self) -> None:
        """Whoever has no nick is called by the local part, or by the whole address."""
        (responder,) = load(ResponderSettings("r", hear="hello", reply="{nick}"))
        for sender, nick in (
            ("alice@example.org/a", "alice"),
            ("example.org", "example.org"),
            ("me@@", "me@@"),
        ):
            self.assertEqual(self.said(responder, evolve(MESSAGE, sender=sender)), [nick])

    def test_bad_template(self) -> None:
        """A wrong brace, an unknown field and a group that hides a fact are problems."""
        for match, reply in (("x", "{"), ("x", "{tea}"), ("(?P<sender>x)", "{sender}")):
            problem = self.problem(ResponderSettings("r", match=match, reply=reply))
            self.assertEqual((problem.section, problem.option), ("responder r", "reply"))

    def test_nothing_to_answer_to(self) -> None:
        """A responder without a pattern is a problem."""
        self.assertIn("match or hear", self.problem(ResponderSettings("r", reply="x")).reason)


class RunTests(LoaderCase):
    def test_arguments(self) -> None:
        """Each argument is filled in and stays one argument."""
        run = ("/bin/echo", "-n", "<{x}>", "{x}")
        (responder,) = load(ResponderSettings("r", match="(?P<x>.*)", run=run))
        self.assertEqual(
            self.said(responder, groups={"x": "$(id) 'a b'"}), ["<$(id) 'a b'> $(id) 'a b'"]
        )

    def test_failure(self) -> None:
        """A program that fails or is missing is a failure of the run."""
        for run, error in (("/bin/false", Failed), ("/nonexistent", CannotRun)):
            (responder,) = load(ResponderSettings("r", match="x", run=(run,)))
            self.failureResultOf(responder.routes[0].call(MESSAGE, {}), error)
        (responder,) = load(ResponderSettings("r", match="(?P<x>.*)", run=("/bin/echo", "{x}")))
        self.failureResultOf(responder.routes[0].call(MESSAGE, {"x": "a\0b"}), CannotRun)

    def test_prints_too_much(self) -> None:
        """A program that prints too much does its work; the cut is told, also if it fails."""
        done = Path(self.mktemp()).absolute()
        for status in (0, 3):
            script = f"head -c 100000 /dev/zero | tr '\\0' x; touch {done}; exit {status}"
            run = ("/bin/sh", "-c", script)
            (responder,) = load(ResponderSettings("r", match="x", run=run))
            answers = self.successResultOf(responder.routes[0].call(MESSAGE, {}))
            self.assertTrue(done.exists())
            done.unlink()
            self.assertEqual(answers.cut, "only the first 16,384 of 100,000 bytes")
            text = answers.said[0] if status == 0 else answers.failure.value.answer
            first = "r failed (exit status 3).\n" if status else ""
            self.assertTrue(text.startswith(f"{first}[{answers.cut}]\nxxx"))

    def test_optional_group(self) -> None:
        """An argument of nothing but groups that did not match is left out, not empty."""
        run = ("/usr/bin/printf", "[%s]", "--to={to}", "{to}", "{to}{app}", "{app}")
        pattern = r"(?P<app>\w*)( to (?P<to>\w+))?"
        (responder,) = load(ResponderSettings("r", match=pattern, run=run))
        self.assertEqual(self.said(responder, groups={"app": "web"}), ["[web][web]"])
        self.assertEqual(self.said(responder, groups={"app": ""}), ["[][]"])
        self.assertEqual(
            self.said(responder, groups={"app": "web", "to": "live"}),
            ["[--to=live][live][liveweb][web]"],
        )

    def test_errors_alone(self) -> None:
        """Standard error goes to the log: at info level where the program said nothing else."""
        for script, level in (
            ("echo oops >&2", LogLevel.info),
            ("echo x; echo oops >&2", LogLevel.debug),
        ):
            (responder,) = load(ResponderSettings("r", match="x", run=("/bin/sh", "-c", script)))
            with capturedLogs() as events:
                self.said(responder)
            told = [each["log_level"] for each in events if each.get("errors") == "oops\n"]
            self.assertEqual(told, [level])

    async def test_cancelled(self) -> None:
        """Cancelling the run ends the program."""
        in_thread = InThread(reactor)
        settings = ResponderSettings("r", match="x", run=("/bin/sleep", "60"))
        (responder,) = load_responders(
            [settings], FakeEnvironment(in_thread=in_thread).environment(), bundled=False
        )
        run = responder.routes[0].call(MESSAGE, {})
        run.cancel()
        self.assertEqual(self.successResultOf(run).said, ())
        await in_thread.wind_down()


class UseTests(LoaderCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.directory = directory
        self.patch(sys, "path", [str(directory), *sys.path])
        self.patch(sys, "dont_write_bytecode", True)
        self.module = f"ours_{id(self)}"
        self.addCleanup(sys.modules.pop, self.module, None)

    def use(self, name: str, source: str, **options: Any) -> ResponderSettings:
        text = "from xbot import *\n" + textwrap.dedent(source)
        (self.directory / f"{self.module}.py").write_text(text)
        options = {"path": Path("x.ini"), "line": 7, **options}
        return ResponderSettings("ours", use=f"{self.module}:{name}", **options)

    def test_function(self) -> None:
        """A decorated function brings pattern, usage and help."""
        source = """
            @respond("tea (?P<kind>.*)")
            def tea(message, kind):
                '''make tea

                of any kind'''
                return kind
        """
        (responder,) = load(self.use("tea", source, timeout=3.0))
        (route,) = responder.routes
        self.assertEqual(found(responder, "tea green"), {"kind": "green"})
        self.assertEqual((route.usage, route.help), ("tea KIND", "make tea"))
        self.assertEqual((responder.name, responder.timeout), ("ours", 3.0))
        self.assertEqual(self.said(responder, groups={"kind": "green"}), ["green"])

    def test_ini_goes_before_code(self) -> None:
        """What the ini says replaces what the decorators say."""
        source = """
            @respond("a", usage="A", help="HA")
            @hear("b")
            def f(message): pass
        """
        (responder,) = load(self.use("f", source))
        self.assertEqual(
            [(route.usage, route.help) for route in responder.routes], [("A", "HA"), ("ours", "")]
        )
        (responder,) = load(self.use("f", source, match="c", usage="C", help="HC"))
        (route,) = responder.routes
        assert route.pattern is not None
        self.assertEqual((route.usage, route.help), ("C", "HC"))
        self.assertEqual(route.pattern.regex.pattern, "c")

    def test_usage_without_simple_form(self) -> None:
        """What cannot be shown simply is shown by its name."""
        (responder,) = load(self.use("f", "def f(message): pass", match=r"\d+|x"))
        (route,) = responder.routes
        self.assertEqual((route.usage, route.help), ("ours", ""))

    def test_class(self) -> None:
        """A class is made once, with the ini's other options as it declares them."""
        source = """
            class Tea:
                def __init__(self, *, kind: str): self.kind = kind
                @respond("tea")
                async def __call__(self, message): return self.kind
        """
        (responder,) = load(self.use("Tea", source, settings={"kind": "green"}))
        self.assertEqual(self.said(responder), ["green"])

    def test_function_with_settings(self) -> None:
        """A function takes of the ini what it takes by keyword only and no pattern names."""
        source = """
            @respond("(?P<tea>\\w+) tea")
            async def f(message, *, tea: str, cups: int, hot: bool = True):
                return f"{tea} {cups!r} {hot!r}"
        """
        (responder,) = load(self.use("f", source, settings={"cups": "3"}))
        self.assertEqual(self.said(responder, groups={"tea": "green"}), ["green 3 True"])
        problem = self.problem(self.use("f", source))
        self.assertEqual((problem.option, problem.reason), ("cups", "is missing"))

    def test_lines(self) -> None:
        """What is wrong with an option is told with the line where that stands."""
        lines = {"use": 8, "cups": 9}
        source = "def f(message, *, cups: int): pass"
        settings = self.use("f", source, settings={"cups": "x"}, lines=lines, match="x")
        self.assertEqual(self.problem(settings).line, 9)
        sys.modules.pop(self.module, None)
        self.assertEqual(self.problem(self.use("g", source, lines=lines)).line, 8)

    def test_whole_module(self) -> None:
        """A module is one responder of all its own public functions and classes."""
        source = """
            from xbot.responders.ping import ping
            @respond("one")
            def one(message): return "1"
            @respond("hidden")
            def _hidden(message): pass
            class Base:
                @respond("two")
                def two(self, message): return "2"
            class _Other(Base): pass
            @every("10s")
            def look(): pass
            def helper(): pass
        """
        settings = self.use("x", source)
        (responder,) = load(evolve(settings, use=self.module))
        self.assertEqual([route.usage for route in responder.routes], ["one", "two"])
        sys.modules.pop(self.module, None)
        (responder,) = load(
            evolve(
                self.use("x", source + "\n            __all__ = ['one', 'ping']"), use=self.module
            )
        )
        self.assertEqual([route.usage for route in responder.routes], ["one", "ping"])
        sys.modules.pop(self.module, None)
        problem = self.problem(evolve(self.use("x", "def f(): pass"), use=self.module))
        self.assertIn("defines no responder", problem.reason)

    def test_only_by_itself(self) -> None:
        """What only has timers, or a life, answers to nothing and is a responder all the same."""
        for source in ("@every('10s')\ndef X(): pass", "class X:\n def start(self): pass"):
            sys.modules.pop(self.module, None)
            (responder,) = load(self.use("X", source))
            self.assertEqual(responder.routes, ())

    def test_route_called_start(self) -> None:
        """A method that answers is no ``start``, whatever it is called."""
        source = """
            class X:
                @respond("start (?P<job>.+)")
                def start(self, message, job): pass
        """
        (responder,) = load(self.use("X", source))
        self.successResultOf(responder.scope.start())

    def test_class_without_settings(self) -> None:
        """A class that takes no settings needs none."""
        source = """
            @respond("tea")
            class Tea:
                def __call__(self, message): return "tea"
        """
        (responder,) = load(self.use("Tea", source))
        self.assertEqual(self.said(responder), ["tea"])

    def test_methods(self) -> None:
        """Each decorated method of a class is a route of its own; the rest is left alone."""
        source = """
            class Base:
                @respond("three")
                def three(self, message): return "3"
                @respond("gone")
                def gone(self, message): pass
            class Many(Base):
                @respond("one", help="first", effect=False)
                def one(self, message): return "1"
                @hear("two")
                async def two(self, message): return "2"
                @fallback
                def other(self, message): return "?"
                def gone(self, message): pass
        """
        (responder,) = load(self.use("Many", source))
        self.assertEqual(
            [(route.kind, route.help, route.effect) for route in responder.routes],
            [
                ("match", "first", False),
                ("hear", "", True),
                ("fallback", "", False),
                ("match", "", True),
            ],
        )
        answers = [self.successResultOf(route.call(MESSAGE, {})) for route in responder.routes]
        self.assertEqual([each.said for each in answers], [("1",), ("2",), ("?",), ("3",)])

    def test_problems(self) -> None:
        """Whatever is wrong with the code is told, with where it is."""
        here = f"{self.module}.py"
        for name, source, settings, reasons in (
            ("f", "import nonexistent", {}, ["ModuleNotFoundError", "nonexistent", f"{here}:2"]),
            ("f", "raise SystemExit(4)", {}, ["SystemExit: 4", f"{here}:2"]),
            ("f", "1 +", {}, ["SyntaxError", here]),
            ("f", "@respond('(')\ndef f(m): pass", {}, ["unterminated", f"{here}:2)"]),
            ("f", "@respond\ndef f(m): pass", {}, ["a pattern is a text", f"{here}:2)"]),
            ("f", "@every('5')\ndef f(): pass", {}, ["the unit is missing", f"{here}:2)"]),
            (
                "f",
                "@respond('x', example='x')\ndef f(m): pass",
                {},
                ["an example is a tuple", f"{here}:2)"],
            ),
            ("g", "", {}, ["has no g"]),
            ("f", "f = 3", {}, ["f cannot be called"]),
            ("f", "def f(m): pass", {}, ["give it match or hear"]),
            ("f", "@respond('x')\ndef f(): pass", {}, ["takes no message"]),
            (
                "F",
                "class F:\n def __init__(self, s): {}[s]",
                {"s": "tea"},
                ["cannot make a F", "KeyError: 'tea'", f"{here}:3"],
            ),
            ("F", "class F: pass", {}, ["F cannot be called"]),
        ):
            sys.modules.pop(self.module, None)
            problem = self.problem(self.use(name, source, settings=settings))
            self.assertEqual(
                (problem.path, problem.line, problem.section, problem.option),
                (Path("x.ini"), 7, "responder ours", "use"),
            )
            for reason in reasons:
                self.assertIn(reason, problem.reason)

    def test_missing_module(self) -> None:
        """A module that does not exist is a problem, not a traceback, and says what to do."""
        for use, told in (
            ("nonexistent_module:f", "nonexistent_module; name the folder .*: PYTHONPATH=FOLDER"),
            ("nonexistent_module.a:f", "nonexistent_module; name"),
            ("xbot.nonexistent:f", "xbot.nonexistent"),
        ):
            problem = self.problem(ResponderSettings("r", use=use))
            module = use.partition(":")[0]
            self.assertRegex(
                problem.reason, f"^cannot import {module}: Python finds no module {told}"
            )

    def test_all_at_once(self) -> None:
        """Every mistake is reported, in order."""
        with self.assertRaises(InvalidConfig) as caught:
            load(
                ResponderSettings("a", match="x", reply="{"),
                ResponderSettings("b", match="x", reply="fine"),
                ResponderSettings("c", use="nonexistent_module:f"),
            )
        sections = [problem.section for problem in caught.exception.problems]
        self.assertEqual(sections, ["responder a", "responder c"])

    def test_effect(self) -> None:
        """Code has effects unless all its decorators deny it; the ini goes before both."""
        for source, effect in (
            ("def f(m): pass", True),
            ("@respond('x', effect=False)\ndef f(m): pass", False),
            ("@respond('x')\n@hear('y', effect=False)\ndef f(m): pass", True),
        ):
            sys.modules.pop(self.module, None)
            for said, expected in ((None, effect), (True, True), (False, False)):
                (responder,) = load(self.use("f", source, match="x", effect=said))
                self.assertEqual(responder.has_effects, expected, source)


class EffectTests(LoaderCase):
    def test_kinds(self) -> None:
        """A reply only answers, a program has effects, unless the ini says otherwise."""
        for options, expected in (({"reply": "x"}, False), ({"run": ("/bin/true",)}, True)):
            for said, effect in ((None, expected), (True, True), (False, False)):
                (responder,) = load(ResponderSettings("r", match="x", effect=said, **options))
                self.assertEqual(responder.has_effects, effect)

    def test_bundled(self) -> None:
        """The bundled ones only answer."""
        self.assertEqual({each.has_effects for each in load(bundled=True)}, {False})


class BundledTests(LoaderCase):
    def test_after_the_operators(self) -> None:
        """The bundled ones come last, and one of the same name replaces one of them."""
        settings = [ResponderSettings(name, match=name, reply="x") for name in ("zoo", "help")]
        names = [responder.name for responder in load(*settings, bundled=True)]
        names, bundled = names[:2], names[2:]
        self.assertEqual(names, ["zoo", "help"])
        self.assertEqual(bundled, [name for name in OPEN if name != "help"])

    def test_ping(self) -> None:
        """ping answers in the asker's tone, through its pattern."""
        ping = next(each for each in load(bundled=True) if each.name == "ping")
        groups = found(ping, "PING")
        self.assertEqual(self.said(ping, groups=groups), ["PONG"])

    def test_sections(self) -> None:
        """A section opens a closed one, or sets one, in its place among them; any can be off."""
        tea = ResponderSettings("tea", match="tea", reply="x")
        settings = [
            ResponderSettings("fallback", use=BUNDLED["fallback"], timeout=5.0),
            ResponderSettings("rooms", use=BUNDLED["rooms"]),
            ResponderSettings("ping", use=BUNDLED["ping"], enabled=False),
            tea,
            evolve(tea, name="coffee", enabled=False),
        ]
        found = load(*settings, bundled=True)
        others = [name for name in BUNDLED if name in (*OPEN, "rooms") and name != "ping"]
        names = ["tea", *others]
        self.assertEqual([each.name for each in found], names)
        self.assertEqual(found[-1].timeout, 5.0)
        self.assertEqual([each.name for each in load(*settings)], ["tea", "rooms", "fallback"])

    def test_own_options(self) -> None:
        """A wrong option of a bundled one is a mistake in the ini, as any."""
        for option, text in (("timezone", "Mars/Base"), ("time-zone", "UTC")):
            settings = ResponderSettings("jobs", use=BUNDLED["jobs"], settings={option: text})
            self.assertEqual(self.problem(settings).option, option)
