"""``use``: Python code, found, made, and bound to the scope that undoes it."""

from __future__ import annotations

import importlib
import inspect
from types import MappingProxyType

from attrs import evolve

from xbot.loading.callables import BadSignature, call_of, work_of
from xbot.loading.routes import patterns_of, responder_of
from xbot.loading.wrong import Wrong, blaming
from xbot.responder import Call, Declared, Responder, declared_by, repeated_by
from xbot.scope import Scope, Surroundings, Work
from xbot.settings import ResponderSettings


def responder_of_code(settings: ResponderSettings, surroundings: Surroundings) -> Responder:
    """What ``use`` names, imported, and made where it is a class. Raises :class:`Wrong`."""
    scope = Scope(settings.name, surroundings, settings.timeout)
    try:
        with scope.entered():
            return _assembled(settings, _find(settings), surroundings, scope)
    except BaseException:
        scope.close()
        raise


def responder_of_object(
    settings: ResponderSettings, target: object, surroundings: Surroundings
) -> Responder:
    """One that is there already: a function, or an object with decorated methods."""
    scope = Scope(settings.name, surroundings, settings.timeout)
    return _assembled(settings, target, surroundings, scope)


def _assembled(
    settings: ResponderSettings, target: object, surroundings: Surroundings, scope: Scope
) -> Responder:
    try:
        has_life = _bind_life(target, surroundings, scope)
        declared = _declared(settings, target, surroundings, has_life)
    except BadSignature as error:
        raise Wrong(("use", str(error))) from error
    return responder_of(settings, declared, scope, may_be_silent=has_life)


def _declared(
    settings: ResponderSettings, target: object, surroundings: Surroundings, has_life: bool
) -> list[tuple[Call, Declared]]:
    """What it answers to, and how."""
    patterns = patterns_of(settings)
    # Without a decorator nobody promised that it has no effects.
    given = tuple(Declared(pattern) for pattern in patterns)
    found = list(declared_by(target))
    if patterns and [function for function, _ in found if function is not target]:
        option = "match" if settings.match else "hear"
        raise Wrong((option, "its methods say what they answer to"))
    if patterns:
        effect = any(each.effect for _, declared in found for each in declared) or not found
        own = found[0][1][0] if found else given[0]
        given = tuple(evolve(each, usage=own.usage, help=own.help, effect=effect) for each in given)
        if not callable(target):
            raise Wrong(("use", f"{settings.use} cannot be called"))
        found = [(target, given)]
    elif not found and not callable(target) and not has_life:
        raise Wrong(("use", f"{settings.use} cannot be called, nor has it methods that answer"))
    declared = []
    for function, several in found:
        call = call_of(function, [each.pattern for each in several], surroundings.in_thread)
        doc = _summary(function if inspect.isroutine(function) else type(function))
        for each in several:
            declared.append((call, each if each.help is not None else evolve(each, help=doc)))
    return declared


def _bind_life(target: object, surroundings: Surroundings, scope: Scope) -> bool:
    """What it does without being asked; whether there is any."""
    in_thread = surroundings.in_thread
    has_timers = False
    for function, several in repeated_by(target):
        name = getattr(function, "__name__", "timer")
        for every in several:
            has_timers = True
            scope.add_timer(name, every.period, every.at_start, work_of(function, in_thread))
    if inspect.isroutine(target):
        return has_timers
    routes = [function for function, _ in declared_by(target)]
    works: dict[str, Work] = {}
    for name in ("start", "stop"):
        method = getattr(target, name, None)
        if inspect.ismethod(method) and method not in routes:
            works[name] = work_of(method, in_thread)
    scope.start_work, scope.stop_work = works.get("start"), works.get("stop")
    return has_timers or bool(works)


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _find(settings: ResponderSettings) -> object:
    """Import the object that ``use`` names; make the one instance of a class."""
    module_name, _, path = (settings.use or "").partition(":")
    with blaming("use", f"cannot import {module_name}"):
        found: object = importlib.import_module(module_name)
    try:
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise Wrong(("use", f"{module_name} has no {path}")) from None
    if isinstance(found, type):
        found = _instance(found, settings)
    elif settings.settings:
        names = ", ".join(sorted(settings.settings))
        raise Wrong(("use", f"{path} is no class and takes no settings; it was given {names}"))
    return found


def _instance(cls: type, settings: ResponderSettings) -> object:
    own = MappingProxyType(dict(settings.settings))
    with blaming("use", f"cannot make a {cls.__name__}"):
        if not own and not inspect.signature(cls).parameters:
            return cls()
        return cls(own)
