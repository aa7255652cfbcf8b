"""Responder and Route: a named set of patterns with their handlers, access rules and limits."""

from __future__ import annotations

from attrs import field, frozen

from xbot.config.settings import MAX_RUNS, TIMEOUT
from xbot.matching.pattern import Kind, Pattern, kind_of
from xbot.model.access import EVERYONE, Access
from xbot.model.token_bucket import Rate
from xbot.runtime.answers import MAX_LENGTH
from xbot.runtime.call_types import Call, Fill
from xbot.runtime.scope import Scope

#: An example: a command, and the beginning of each answer to it.
Example = tuple[str, ...]


@frozen
class Route:
    """One pattern that a responder answers to, and ``call``, which makes the answers.

    ``pattern`` is None for a fallback, which gets every text to the bot that no
    other route matches. ``usage`` and ``help`` are for people; ``example`` is a
    command and its answers. ``effect`` is False for a route that only answers:
    running it twice does no harm, so it does not wait for the journal.
    ``for_everyone`` ignores the responder's ``access``. ``fill``, where it is set,
    is the fast path for an answer that is only a text; it returns the same as ``call``.
    """

    pattern: Pattern | None
    call: Call
    usage: str = ""
    help: str = ""
    example: Example = ()
    effect: bool = True
    for_everyone: bool = False
    fill: Fill | None = field(default=None, kw_only=True)

    @property
    def kind(self) -> Kind:
        """Whether the route is for commands, for anything said, or a fallback."""
        return kind_of(self.pattern)


@frozen
class Responder:
    """A named set of routes with one ``timeout`` (seconds), access rules and limits.

    ``runs`` is the maximum number of concurrent runs, ``output`` the maximum number
    of characters per run, ``rate`` the rate limit, None for none. With ``confirm``
    the sender has to confirm commands with effects. ``approve`` is the number of
    other permitted people who have to approve. ``scope`` is None for a responder
    without code of its own. One that ``is_internal`` is a part of the dispatcher, such as the
    one that takes the answer to a question.
    """

    name: str
    routes: tuple[Route, ...]
    timeout: float = TIMEOUT
    access: Access = EVERYONE
    confirm: bool = field(default=False, kw_only=True)
    approve: int = field(default=0, kw_only=True)
    scope: Scope | None = field(default=None, eq=False, repr=False, kw_only=True)
    runs: int = field(default=MAX_RUNS, kw_only=True)
    output: int = field(default=MAX_LENGTH, kw_only=True)
    rate: Rate | None = field(default=None, kw_only=True)
    is_internal: bool = field(default=False, kw_only=True)

    @property
    def has_effects(self) -> bool:
        """Whether any route has effects, and so waits for the journal."""
        return any(route.effect for route in self.routes)


Chosen = tuple[Responder, Route, dict[str, str]]
"""The responder that answers, its route, and the named groups of the match."""
