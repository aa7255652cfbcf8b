"""Loader: make responders from their settings, and report all mistakes at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import evolve

from xbot.api.decorators import Declared
from xbot.config.options import BUNDLED, OPEN
from xbot.config.settings import MAX_RUNS, ResponderSettings
from xbot.engine.loading import finding
from xbot.engine.loading.code import responder_of_code
from xbot.engine.loading.mistakes import Mistakes
from xbot.engine.loading.routes import patterns_of, responder_of
from xbot.engine.loading.templates import call_of_program, fill_of_reply
from xbot.model.errors import InvalidConfig, Problem
from xbot.runtime.call_types import call_of
from xbot.runtime.environment import Environment
from xbot.runtime.responder import Responder


def load_responders(
    settings: Sequence[ResponderSettings],
    environment: Environment,
    *,
    bundled: bool = True,
) -> tuple[Responder, ...]:
    """Load the responders of ``settings`` in their order, then the bundled ones.

    A bundled responder is loaded if the ini has a section for it or it needs none, unless
    another responder has its name.

    Imports the modules that ``use`` names; within
    :func:`~xbot.engine.loading.reimport.fresh_modules` of :func:`modules_of` they are
    imported anew. The caller starts, begins and closes the scopes (see
    :class:`~xbot.engine.loading.lifecycle.Lifecycle`).

    :raises xbot.model.errors.InvalidConfig: with all mistakes.
    """
    loaded: list[Responder] = []
    problems: list[Problem] = []
    for each in _in_turn(settings, bundled):
        try:
            loaded.append(_load(each, environment))
        except Mistakes as wrong:
            problems += [problem(each, *mistake) for mistake in wrong.mistakes]
    if problems:
        close_all(loaded)
        raise InvalidConfig(problems)
    return tuple(loaded)


def _in_turn(settings: Sequence[ResponderSettings], bundled: bool) -> list[ResponderSettings]:
    """The settings of all responders to load, the bundled ones last."""
    named = {each.name: each for each in settings}
    own: list[ResponderSettings] = []
    rest: list[ResponderSettings] = []
    for each in settings:
        is_bundled = each.use is not None and each.use == BUNDLED.get(each.name)
        (rest if is_bundled else own).append(each)
    if bundled:
        rest += [ResponderSettings(name, use=BUNDLED[name]) for name in OPEN if name not in named]
    places = list(BUNDLED)
    rest.sort(key=lambda each: places.index(each.name))
    return [each for each in (*own, *rest) if each.enabled]


def modules_of(settings: Sequence[ResponderSettings]) -> set[str]:
    """The modules that the responders of ``settings`` come from."""
    return set().union(*map(finding.modules_of, settings))


def close_all(responders: Sequence[Responder]) -> None:
    """Close the scopes of these responders, without waiting for it."""
    for responder in responders:
        if responder.scope is not None:
            responder.scope.close()


def problem(settings: ResponderSettings, option: str, reason: str) -> Problem:
    """A Problem with ``option`` of this responder."""
    line = settings.lines.get(option, settings.line)
    if option == "use" and settings.file is not None:
        option = ""
    return Problem(settings.path, line, f"responder {settings.name}", option, reason)


def _load(settings: ResponderSettings, environment: Environment) -> Responder:
    at_once = settings.runs if settings.runs > MAX_RUNS else None
    in_thread = partial(environment.in_thread, at_once=at_once, owner=settings.name)
    environment = evolve(environment, in_thread=in_thread)
    if settings.use is not None or settings.file is not None:
        return responder_of_code(settings, environment)
    patterns = patterns_of(settings)
    if settings.run is not None:
        call = call_of_program(settings, patterns, environment.in_thread)
        return responder_of(settings, [(call, Declared(pattern)) for pattern in patterns])
    fill = fill_of_reply(settings, patterns)
    return responder_of(
        settings,
        [(call_of(fill), Declared(pattern, effect=False)) for pattern in patterns],
        fill=fill,
    )
