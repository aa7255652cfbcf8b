"""Responders: what answers to which patterns, and to whom."""

from __future__ import annotations

from attrs import field, frozen

from xbot.config.settings import MAX_RUNS
from xbot.matching.pattern import Kind, Pattern, kind_of
from xbot.model.access import EVERYONE, Access
from xbot.model.token_bucket import Rate
from xbot.runtime.answers import MAX_LENGTH
from xbot.runtime.call_types import Call, Fill
from xbot.runtime.scope import Scope

#: One thing that is said, and the beginning of each answer to it.
Example = tuple[str, ...]


@frozen
class Route:
    """One thing that a responder answers to, and ``call``, which gives the answers.

    ``pattern`` is None for what takes every text to the bot that nothing else
    answers to. ``usage`` and ``help`` are what people read about it; ``example``
    is a command and what it is answered. ``effect`` is False for what only
    answers: to run it twice does no harm, so it does not wait for the journal.
    What is ``for_everyone`` is so whomever the responder is for. Where the answer
    is a text and nothing else, ``fill`` gives it without more ado, and ``call`` the same.
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
        """When it is asked: for commands, for anything said, or when nobody else answers."""
        return kind_of(self.pattern)


@frozen
class Responder:
    """A name and its routes, which share a time limit (seconds) and who may use them.

    At most ``runs`` of it are under way at once, each of which says ``output``
    characters at most; ``rate`` is how often it answers, None for as often as asked.
    ``confirm``: whoever asks for something with effects is asked once more.
    ``approve``: so many others who may use it have to agree. ``scope`` is None for
    what has no code of its own.
    """

    name: str
    routes: tuple[Route, ...]
    timeout: float = 30.0
    access: Access = EVERYONE
    confirm: bool = field(default=False, kw_only=True)
    approve: int = field(default=0, kw_only=True)
    scope: Scope | None = field(default=None, eq=False, repr=False, kw_only=True)
    runs: int = field(default=MAX_RUNS, kw_only=True)
    output: int = field(default=MAX_LENGTH, kw_only=True)
    rate: Rate | None = field(default=None, kw_only=True)

    @property
    def has_effects(self) -> bool:
        """Whether any of it waits for the journal."""
        return any(route.effect for route in self.routes)


Chosen = tuple[Responder, Route, dict[str, str]]
"""Who answers, to what, and the named groups that its pattern found."""
