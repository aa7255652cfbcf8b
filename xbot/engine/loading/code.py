"""Python responders (``use``, ``file``): import, instantiate, and bind to a scope."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from xbot.api.decorators import Declared, declared_by, posted_to, repeated_by
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.callables import BadSignature, call_of, own_parameters, work_of
from xbot.engine.loading.finding import find
from xbot.engine.loading.mistakes import Mistakes, blaming
from xbot.engine.loading.own_options import OwnOptions
from xbot.engine.loading.parameters import Parameter, parameters_of
from xbot.engine.loading.posts import post_of
from xbot.engine.loading.routes import patterns_of, responder_of
from xbot.runtime.call_types import Call, Work
from xbot.runtime.environment import Environment
from xbot.runtime.responder import Responder
from xbot.runtime.scope import Scope


def responder_of_code(settings: ResponderSettings, environment: Environment) -> Responder:
    """The responder that ``use`` or ``file`` names: imported, and instantiated if it is a class.

    :raises Mistakes: with everything that is wrong.
    """
    scope = Scope(settings.name, environment, settings.timeout)
    try:
        with scope.entered():
            found = find(settings)
            options = OwnOptions(settings)
            taken = [_parameters(target, settings) for target in found]
            options.check([parameter for each in taken for parameter in each])
            values = [options.values(each) for each in taken]
            targets = [_made(*each) for each in zip(found, values, strict=True)]
            return _assembled(settings, targets, values, environment, scope)
    except BaseException as error:
        scope.close()
        if isinstance(error, BadSignature):
            raise Mistakes(("use", str(error))) from error
        raise


def _parameters(target: object, settings: ResponderSettings) -> list[Parameter]:
    """The parameters of a class or a function that the ini can set."""
    if isinstance(target, type):
        try:
            return parameters_of(target)
        except (TypeError, ValueError) as error:
            raise BadSignature(f"what {target.__name__} takes cannot be known") from error
    if not inspect.isroutine(target):
        return []
    declared = [each.pattern for _, several in declared_by(target) for each in several]
    return own_parameters(target, patterns_of(settings) or declared)


def _made(target: object, values: Mapping[str, Any]) -> object:
    if not isinstance(target, type):
        return target
    with blaming("use", f"cannot make a {target.__name__}"):
        return target(**values)


def _assembled(
    settings: ResponderSettings,
    targets: Sequence[object],
    values: Sequence[Mapping[str, Any]],
    environment: Environment,
    scope: Scope,
) -> Responder:
    lives = [_bind_lifecycle(target, environment, scope) for target in targets]
    if patterns_of(settings) and len(targets) > 1:
        option = "match" if settings.match else "hear"
        raise Mistakes((option, "its functions have patterns of their own (decorators)"))
    declared = []
    for target, own, has_lifecycle in zip(targets, values, lives, strict=True):
        takes = own if inspect.isroutine(target) else {}
        declared += _declared(settings, target, environment, takes, has_lifecycle)
    return responder_of(settings, declared, scope, may_be_silent=any(lives))


def _declared(
    settings: ResponderSettings,
    target: object,
    environment: Environment,
    own: Mapping[str, Any],
    has_lifecycle: bool,
) -> list[tuple[Call, Declared]]:
    """The routes of ``target``: a call and the pattern and help declared for it."""
    patterns = patterns_of(settings)
    # Without a decorator it counts as having side effects.
    given = tuple(Declared(pattern) for pattern in patterns)
    found = list(declared_by(target))
    if patterns and [function for function, _ in found if function is not target]:
        option = "match" if settings.match else "hear"
        raise Mistakes((option, "its methods have patterns of their own (decorators)"))
    if patterns:
        effect = any(each.effect for _, declared in found for each in declared) or not found
        first = found[0][1][0] if found else given[0]
        usage, help = first.usage, first.help
        given = tuple(evolve(each, usage=usage, help=help, effect=effect) for each in given)
        if not callable(target):
            raise Mistakes(("use", f"{_shown(settings)} cannot be called"))
        found = [(target, given)]
    elif not found and not callable(target) and not has_lifecycle:
        what = "cannot be called, and has no decorated methods"
        raise Mistakes(("use", f"{_shown(settings)} {what}"))
    declared: list[tuple[Call, Declared]] = []
    for function, several in found:
        found_by = [each.pattern for each in several]
        call = call_of(function, found_by, environment.in_thread, own, clock=environment.clock)
        doc = _summary(function if inspect.isroutine(function) else type(function))
        for each in several:
            declared.append((call, each if each.help is not None else evolve(each, help=doc)))
    return declared


def _bind_lifecycle(target: object, environment: Environment, scope: Scope) -> bool:
    """Bind timers, webhooks, ``start`` and ``stop`` to ``scope``; return whether there are any."""
    in_thread = environment.in_thread
    has_timers = False
    for function, several in repeated_by(target):
        name = getattr(function, "__name__", "timer")
        for every in several:
            has_timers = True
            scope.add_timer(name, every.period, every.at_start, work_of(function, in_thread))
    for function, names in posted_to(target):
        for name in names:
            if name in scope.posts:
                raise Mistakes(("use", f"two of its functions take what is posted to {name}"))
            scope.add_post(name, post_of(function, in_thread))
    is_asked = has_timers or bool(scope.posts)
    if inspect.isroutine(target):
        return is_asked
    routes = [function for function, _ in declared_by(target)]
    works: dict[str, Work] = {}
    for name in ("start", "stop"):
        method = getattr(target, name, None)
        if inspect.ismethod(method) and method not in routes:
            works[name] = work_of(method, in_thread)
    scope.add_life(works.get("start"), works.get("stop"))
    return is_asked or bool(works)


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _shown(settings: ResponderSettings) -> str:
    return str(settings.use or settings.file)
