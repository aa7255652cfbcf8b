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

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from xbot.answers import Answers, collect
from xbot.errors import InvalidConfig, Problem, XbotError
from xbot.filters import Rooms, may_answer
from xbot.loading.callables import BadSignature, call_of
from xbot.loading.fresh import fresh_modules
from xbot.matching.pattern import Pattern
from xbot.matching.readable import readable
from xbot.message import Message
from xbot.program import ProgramResult, answer_of, run_program
from xbot.responder import Call, Declared, Responder, Route, declared_by
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
            return [
                each
                for each in loaded
                if may_answer(rooms, message, each.name)
                and each.access.is_here(message)
                and each.access.allows(message)
            ]

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
    if settings.run is not None:
        call, effect = _of_program(settings, patterns, in_thread), True
    else:
        call, effect = _of_reply(settings, patterns), False
    return _responder(settings, [(call, Declared(pattern, effect=effect)) for pattern in patterns])


def _responder(settings: ResponderSettings, declared: Sequence[tuple[Call, Declared]]) -> Responder:
    """One of these settings, which go before what the code declares."""
    if not declared:
        option = "match" if settings.use is None else "use"
        raise _Wrong(option, "nothing says what it answers to; give it match or hear")
    is_first = True
    routes = []
    for call, each in declared:
        usage, help = each.usage, each.help
        if is_first:
            # Whatever the ini says of it is about the first.
            usage, help, is_first = settings.usage or usage, settings.help or help, False
        if usage is None:
            match = each.pattern is not None and each.pattern.kind == "match"
            shown = readable(each.pattern.regex.pattern) if match and each.pattern else None
            usage = shown or settings.name
        effect = each.effect if settings.effect is None else settings.effect
        routes.append(
            Route(
                each.pattern,
                call,
                usage,
                help or "",
                each.example,
                effect,
            )
        )
    return Responder(
        settings.name,
        tuple(routes),
        settings.timeout,
        settings.access,
        confirm=settings.confirm,
        approve=settings.approve,
    )


def _patterns(settings: ResponderSettings) -> tuple[Pattern, ...]:
    match = [Pattern.match(settings.match)] if settings.match is not None else []
    hear = [Pattern.hear(settings.hear)] if settings.hear is not None else []
    return (*match, *hear)


# reply and run: templates


def _of_reply(settings: ResponderSettings, patterns: Sequence[Pattern]) -> Call:
    template = _template("reply", settings.reply or "", patterns)

    def run(message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        return succeed(collect(template.fill(_values(message, groups))))

    return run


def _of_program(
    settings: ResponderSettings, patterns: Sequence[Pattern], in_thread: RunsInThread
) -> Call:
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


def _of_callable(settings: ResponderSettings, target: object, in_thread: RunsInThread) -> Responder:
    patterns = _patterns(settings)
    # Without a decorator nobody promised that it has no effects.
    given = tuple(Declared(pattern) for pattern in patterns)
    found = list(declared_by(target))
    if patterns and [function for function, _ in found if function is not target]:
        raise _Wrong("match" if settings.match else "hear", "its methods say what they answer to")
    if patterns:
        effect = any(each.effect for _, declared in found for each in declared) or not found
        own = found[0][1][0] if found else given[0]
        given = tuple(evolve(each, usage=own.usage, help=own.help, effect=effect) for each in given)
        if not callable(target):
            raise _Wrong("use", f"{settings.use} cannot be called")
        found = [(target, given)]
    elif not found and not callable(target):
        raise _Wrong("use", f"{settings.use} cannot be called, nor has it methods that answer")
    declared = []
    for function, several in found:
        try:
            call = call_of(function, [each.pattern for each in several], in_thread)
        except BadSignature as error:
            raise _Wrong("use", str(error)) from error
        doc = _summary(function if inspect.isroutine(function) else type(function))
        for each in several:
            declared.append((call, each if each.help is not None else evolve(each, help=doc)))
    return _responder(settings, declared)


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _find(settings: ResponderSettings) -> object:
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
