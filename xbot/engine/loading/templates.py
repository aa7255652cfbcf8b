"""Template responders of the ini: ``reply`` says a text, ``run`` starts a program."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.config.settings import ResponderSettings
from xbot.engine.loading.mistakes import Mistakes
from xbot.matching.pattern import Pattern
from xbot.model.message import Message
from xbot.process.threads import Busy, NotStarted, RunsInThread
from xbot.runtime.answers import Answers, collect
from xbot.runtime.call_types import Fill, Start, TwoStepCall
from xbot.runtime.failures import Failed
from xbot.text.template import FACTS, Template

if TYPE_CHECKING:
    from xbot.runtime.subprocesses import ProgramResult

_log = Logger()


def fill_of_reply(settings: ResponderSettings, patterns: Sequence[Pattern]) -> Fill:
    """Answer with the filled template ``reply``."""
    template = _template("reply", settings.reply or "", patterns)
    if not template.fields & FACTS:
        # Fast path: only named groups of the pattern.
        return lambda message, groups: template.fill(groups)
    return lambda message, groups: template.fill(_values(message, groups))


def call_of_program(
    settings: ResponderSettings, patterns: Sequence[Pattern], in_thread: RunsInThread
) -> TwoStepCall:
    """Answer with the output of the program ``run``."""
    from xbot.runtime.subprocesses import Capture, answer_of, check_arguments, run_program

    templates = [_template("run", argument, patterns) for argument in settings.run or ()]
    # One object per responder: the thread pool counts runs per responder by its identity.
    in_its_thread = partial(run_program)

    def answer(result: ProgramResult) -> Answers:
        if result.status == 0 and result.errors:
            # A program that says nothing else may have meant this for the person.
            level = LogLevel.debug if result.output.strip() else LogLevel.info
            _log.emit(level, "{responder}: {errors}", responder=settings.name, errors=result.errors)
        try:
            said = answer_of(settings.name, result)
        except Failed:
            if not result.cut:
                raise
            return Answers(failure=Failure(), cut=result.cut)
        return evolve(collect(said), cut=result.cut)

    def argv_of(message: Message, groups: Mapping[str, str]) -> list[str]:
        values = _values(message, groups)
        return [each.fill(values) for each in templates if not each.is_missing(values)]

    def run(argv: list[str]) -> Deferred[Answers]:
        cancelled, output = threading.Event(), Capture()

        def cancel() -> ProgramResult:
            cancelled.set()
            return output.result()

        ended = in_thread(in_its_thread, argv, cancelled, output, cancel=cancel)
        return ended.addCallbacks(answer, _not_started)

    def prepare(message: Message, groups: Mapping[str, str]) -> Start:
        argv = argv_of(message, groups)
        check_arguments(argv)
        return lambda message: run(argv)

    return TwoStepCall(lambda message, groups: run(argv_of(message, groups)), prepare)


def _not_started(failure: Failure) -> Failure:
    if isinstance(failure.value, Busy):
        return Failure(NotStarted(failure.value.limit))
    return failure


def _template(option: str, text: str, patterns: Sequence[Pattern]) -> Template:
    groups: frozenset[str] = frozenset().union(*(pattern.groups for pattern in patterns))
    try:
        template = Template.parse(text)
    except ValueError as error:
        raise Mistakes((option, str(error))) from error
    if shadowed := sorted(groups & FACTS & template.fields):
        # Otherwise the author of a message could choose the value of, say, {sender}.
        raise Mistakes((option, f"{{{shadowed[0]}}} is a fact; rename the group of that name"))
    if unknown := sorted(template.fields - groups - FACTS):
        known = ", ".join(sorted(groups | FACTS))
        raise Mistakes((option, f"nothing is called {{{unknown[0]}}}; there are {known}"))
    return template


def _values(message: Message, groups: Mapping[str, str]) -> dict[str, str]:
    return {
        **groups,
        "nick": message.speaker,
        "sender": message.sender,
        "room": message.room or "",
        "body": message.body,
    }
