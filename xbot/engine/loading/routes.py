"""Build a responder's routes; the ini's settings override what its code declares."""

from __future__ import annotations

from collections.abc import Sequence

from xbot.api.decorators import Declared
from xbot.config.settings import ResponderSettings
from xbot.engine.loading.mistakes import Mistakes
from xbot.matching.pattern import Pattern
from xbot.matching.usage_of import readable
from xbot.runtime.call_types import Call, Fill
from xbot.runtime.responder import Responder, Route
from xbot.runtime.scope import Scope


def patterns_of(settings: ResponderSettings) -> tuple[Pattern, ...]:
    """The patterns that the ini sets (``match``, ``hear``)."""
    match = [Pattern.match(settings.match)] if settings.match is not None else []
    hear = [Pattern.hear(settings.hear)] if settings.hear is not None else []
    return (*match, *hear)


def responder_of(
    settings: ResponderSettings,
    declared: Sequence[tuple[Call, Declared]],
    scope: Scope | None = None,
    *,
    may_be_silent: bool = False,
    fill: Fill | None = None,
) -> Responder:
    """The responder of ``settings`` with the routes ``declared``.

    ``fill``, for templates, gives the answer synchronously, without a run.
    """
    if not declared and not may_be_silent:
        option = "match" if settings.use is None and settings.file is None else "use"
        raise Mistakes((option, "nothing says what it answers to; give it match or hear"))
    is_first = True
    routes = []
    for call, each in declared:
        usage, help = each.usage, each.help
        if is_first:
            # The ini's usage and help are for the first route.
            usage, help, is_first = settings.usage or usage, settings.help or help, False
        if usage is None:
            match = each.pattern if each.kind == "match" else None
            shown = readable(match.regex.pattern) if match else None
            usage = shown or settings.name
        effect = each.effect if settings.effect is None else settings.effect
        if scope is not None:
            call = scope.bound(call, each.kind)
        routes.append(
            Route(
                each.pattern,
                call,
                usage,
                help or "",
                each.example,
                effect,
                each.for_everyone,
                fill=fill,
            )
        )
    return Responder(
        settings.name,
        tuple(routes),
        settings.timeout,
        settings.access,
        confirm=settings.confirm,
        approve=settings.approve,
        runs=settings.runs,
        output=settings.output,
        rate=settings.rate,
        scope=scope,
    )
