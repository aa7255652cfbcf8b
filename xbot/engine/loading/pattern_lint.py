"""Lint of patterns: parts that no text has where the pattern is matched."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xbot.config.settings import BotSettings, ResponderSettings
from xbot.engine.loading.loader import problem
from xbot.model.errors import Problem
from xbot.runtime.responder import Responder

#: A pattern in slashes, as other programs write it; not a path, which has more of them.
_IN_SLASHES = re.compile(r"/((?:[^/\\]|\\.)+)/[a-z]*")

#: What may follow the bot's name where it is addressed, as a pattern says it.
_AFTER_NAME = re.compile(r"\s*(?:\\?[:,;]|\[[^]]*[:,;][^]]*\]|\\[sWb]|\s)[?*+]?(?:\s|\\s[*+?]?)*")


def mistaken_patterns(
    responders: Sequence[Responder], settings: Sequence[ResponderSettings], bot: BotSettings
) -> list[Problem]:
    """Patterns within slashes, and commands that begin with the bot's prefix or name."""
    by_name = {each.name: each for each in settings}
    return [
        problem(by_name[responder.name], _option(by_name[responder.name], route.kind), reason)
        for responder in responders
        if responder.name in by_name
        for route in responder.routes
        if route.pattern is not None
        for reason in (_mistake(route.pattern.regex.pattern, route.kind, bot),)
        if reason is not None
    ]


def _mistake(text: str, kind: str, bot: BotSettings) -> str | None:
    """What a pattern has at its beginning that no text has there; None if nothing."""
    if (found := _IN_SLASHES.fullmatch(text)) is not None:
        return f"the slashes are part of the pattern {text!r}: without them it is {found[1]!r}"
    if kind != "match":
        return None
    text = text.removeprefix("^")
    for prefix in _as_pattern(bot.prefix):
        rest = text.removeprefix(prefix)
        # A prefix such as "." has a meaning of its own before * and the like.
        if rest != text and not rest.startswith(("*", "+", "?", "{")):
            return (
                f"the prefix {bot.prefix} is no part of a command when this is matched: without"
                f" it the pattern is {rest!r}"
            )
    if not bot.prefix and re.match(r"\\?!", text):
        return "no prefix is set: prefix = ! in [xbot], and a pattern without it, make it a command"
    text = text.removeprefix("@")
    name = next((each for each in (bot.name, re.escape(bot.name)) if _begins(text, each)), None)
    if name is None or not (after := _AFTER_NAME.match(text, len(name))):
        return None
    return (
        f"the name {bot.name} is no part of a command when this is matched: without it the"
        f" pattern is {text[after.end() :]!r}"
    )


def _as_pattern(prefix: str) -> list[str]:
    """How a pattern may begin that has ``prefix`` at its beginning."""
    if not prefix:
        return []
    # Not as it is when it begins a set, a group and so on.
    as_it_is = [] if prefix[0] in "[](){}|*+?^$\\" else [prefix]
    return [*as_it_is, f"\\{prefix}", re.escape(prefix)]


def _begins(text: str, name: str) -> bool:
    return text[: len(name)].casefold() == name.casefold()


def _option(settings: ResponderSettings, kind: str) -> str:
    """The option of the ini that has a route's pattern."""
    return kind if kind in settings.lines else "use"
