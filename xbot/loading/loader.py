"""From the responders' settings to responders, with every mistake in them reported at once."""

from __future__ import annotations

import importlib
import inspect
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import MappingProxyType

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from xbot.answers import Answers, collect
from xbot.errors import InvalidConfig, Problem, XbotError
from xbot.filters import Rooms, may_answer
from xbot.loading.callables import BadSignature, run_of
from xbot.loading.fresh import fresh_modules
from xbot.matching.pattern import Pattern, readable
from xbot.message import Message
from xbot.program import ProgramResult, answer_of, run_program
from xbot.responder import Responder, Run, routes_of
from xbot.responders.help import Help
from xbot.responders.ping import ping
from xbot.responders.whoami import whoami
from xbot.settings import ResponderSettings
from xbot.template import FACTS, Template
from xbot.threads import RunsInThread

_log = Logger()


class _Wrong(XbotError):
    """What is wrong with one option of one responder."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


def load_responders(
    settings: Sequence[ResponderSettings],
    *,
    in_thread: RunsInThread,
    bundled: bool = True,
    rooms: Rooms = MappingProxyType({}),
    fresh: bool = False,
) -> tuple[Responder, ...]:
    """The responders of ``settings`` in their order, then the bundled ones not replaced by name.

    Imports what ``use`` names; with ``fresh``, anew (:func:`~xbot.loading.fresh.fresh_modules`).
    Raises :class:`~xbot.errors.InvalidConfig` with every mistake. ``rooms`` is
    what ``help`` goes by: the dispatcher's own.
    """
    modules = {each.use.partition(":")[0] for each in settings if each.use}
    with fresh_modules(modules) if fresh else nullcontext():
        loaded = _load_all(settings, in_thread)
    if bundled:
        taken = {responder.name for responder in loaded}

        def listed(message: Message) -> Sequence[Responder]:
            return [each for each in loaded if may_answer(rooms, message, each.name)]

        own: dict[str, Callable[..., object]]
        own = {"ping": ping, "help": Help(listed), "whoami": whoami}
        for name, target in own.items():
            if name not in taken:
                # They only answer.
                loaded.append(
                    _of_callable(ResponderSettings(name, effect=False), target, in_thread)
                )
    return tuple(loaded)


def _load_all(settings: Sequence[ResponderSettings], in_thread: RunsInThread) -> list[Responder]:
    loaded: list[Responder] = []
    problems: list[Problem] = []
    for each in settings:
        try:
            loaded.append(_load(each, in_thread))
        except _Wrong as wrong:
            section = f"responder {each.name}"
            problems.append(Problem(each.path, each.line, section, wrong.option, wrong.reason))
    if problems:
        raise InvalidConfig(problems)
    return loaded


def _load(settings: ResponderSettings, in_thread: RunsInThread) -> Responder:
    if settings.use is not None:
        return _of_callable(settings, _find(settings), in_thread)
    patterns = _patterns(settings)
    run = (
        _of_program(settings, patterns, in_thread)
        if settings.run is not None
        else _of_reply(settings, patterns)
    )
    return _responder(settings, patterns, run, effect=settings.run is not None)


def _responder(
    settings: ResponderSettings,
    patterns: tuple[Pattern, ...],
    run: Run,
    usage: str | None = None,
    help: str | None = None,
    effect: bool = True,
) -> Responder:
    """One of these settings, which go before ``usage``, ``help`` and ``effect`` of the code."""
    if not patterns:
        option = "match" if settings.use is None else "use"
        raise _Wrong(option, "nothing says what it answers to; give it match or hear")
    shown = readable(patterns[0].regex.pattern) if patterns[0].kind == "match" else None
    return Responder(
        settings.name,
        patterns,
        run,
        usage=settings.usage or usage or shown or settings.name,
        help=settings.help or help or "",
        timeout=settings.timeout,
        effect=effect if settings.effect is None else settings.effect,
    )


def _patterns(settings: ResponderSettings) -> tuple[Pattern, ...]:
    match = [Pattern.match(settings.match)] if settings.match is not None else []
    hear = [Pattern.hear(settings.hear)] if settings.hear is not None else []
    return (*match, *hear)


# reply and run: templates


def _of_reply(settings: ResponderSettings, patterns: Sequence[Pattern]) -> Run:
    template = _template("reply", settings.reply or "", patterns)

    def run(message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        return succeed(collect(template.fill(_values(message, groups))))

    return run


def _of_program(
    settings: ResponderSettings, patterns: Sequence[Pattern], in_thread: RunsInThread
) -> Run:
    templates = [_template("run", argument, patterns) for argument in settings.run or ()]
    # One object per responder: by it the threads' owner tells responders apart.
    in_its_thread = partial(run_program)

    def answer(result: ProgramResult) -> Answers:
        if result.status == 0 and result.errors:
            _log.debug("{responder}: {errors}", responder=settings.name, errors=result.errors)
        return collect(answer_of(settings.name, result))

    def run(message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        values = _values(message, groups)
        cancelled = threading.Event()
        argv = [template.fill(values) for template in templates]
        return in_thread(in_its_thread, argv, cancelled, cancel=cancelled.set).addCallback(answer)

    return run


def _template(option: str, text: str, patterns: Sequence[Pattern]) -> Template:
    groups: frozenset[str] = frozenset().union(*(pattern.groups for pattern in patterns))
    try:
        template = Template.parse(text)
    except ValueError as error:
        raise _Wrong(option, str(error)) from error
    if shadowed := sorted(groups & FACTS & template.fields):
        # Or whoever writes a message could choose, say, what {sender} is.
        raise _Wrong(option, f"{{{shadowed[0]}}} is a fact; rename the group of that name")
    if unknown := sorted(template.fields - groups - FACTS):
        known = ", ".join(sorted(groups | FACTS))
        raise _Wrong(option, f"nothing is called {{{unknown[0]}}}; there are {known}")
    return template


def _values(message: Message, groups: Mapping[str, str]) -> dict[str, str]:
    return {
        **groups,
        "nick": message.speaker,
        "sender": message.sender,
        "room": message.room or "",
        "body": message.body,
    }


# use: Python


def _of_callable(
    settings: ResponderSettings, target: Callable[..., object], in_thread: RunsInThread
) -> Responder:
    routes = routes_of(target)
    patterns = _patterns(settings) or tuple(route.pattern for route in routes)
    try:
        run = run_of(target, patterns, in_thread)
    except BadSignature as error:
        raise _Wrong("use", str(error)) from error
    usage = next((route.usage for route in routes if route.usage), None)
    help = next((route.help for route in routes if route.help), None)
    documented = target if inspect.isroutine(target) else type(target)
    first_line = (inspect.getdoc(documented) or "").partition("\n")[0]
    # One route that has effects is enough; without routes nobody promised anything.
    effect = any(route.effect for route in routes) or not routes
    return _responder(settings, patterns, run, usage, help or first_line, effect)


def _find(settings: ResponderSettings) -> Callable[..., object]:
    """Import the object that ``use`` names; make the one instance of a class."""
    module_name, _, path = (settings.use or "").partition(":")
    with _blaming(f"cannot import {module_name}"):
        found: object = importlib.import_module(module_name)
    try:
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise _Wrong("use", f"{module_name} has no {path}") from None
    if isinstance(found, type):
        found = _instance(found, settings)
    elif settings.settings:
        names = ", ".join(sorted(settings.settings))
        raise _Wrong("use", f"{path} is no class and takes no settings; it was given {names}")
    if not callable(found):
        raise _Wrong("use", f"{path} cannot be called")
    return found


def _instance(cls: type, settings: ResponderSettings) -> object:
    own = MappingProxyType(dict(settings.settings))
    with _blaming(f"cannot make a {cls.__name__}"):
        if not own and not inspect.signature(cls).parameters:
            return cls()
        return cls(own)


@contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Report whatever is raised inside, SystemExit included, and where it was raised."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen")
            and frame.filename != __file__
            and frame.filename != importlib.__file__
        ]
        where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        raise _Wrong("use", f"{what}: {type(error).__name__}: {error}{where}") from error
