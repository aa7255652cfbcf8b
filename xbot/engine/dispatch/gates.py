"""Gates: the ordered steps at which a message, or a responder's run for it, can end.

This is the only list of them. The dispatcher runs the gates in this order, ``xbot
explain`` reads their rules and texts, and tests compare it with docs/ARCHITECTURE.md's
table and the names of the metrics. Pure gates have their rule here; the others have it in
the ``modules`` that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from attrs import Factory, field, frozen

from xbot.engine.dispatch.filters import may_have_effects
from xbot.model.access import refusal
from xbot.model.message import Message
from xbot.runtime.responder import Responder, Route

#: Fate of a message that passed all gates before the runs'.
DISPATCHED = "dispatched"

C = TypeVar("C")


class Asked(Protocol):
    """Protocol of a run for the gates: a responder, its route, and the message."""

    @property
    def responder(self) -> Responder: ...

    @property
    def route(self) -> Route: ...

    @property
    def message(self) -> Message: ...


@frozen(eq=False)
class Gate:
    """One step. ``fates`` are the counters' words for a message or run that ends there.

    ``modules`` are the modules with its rule, relative to ``xbot``.
    """

    name: str
    modules: tuple[str, ...]
    fates: tuple[str, ...]
    #: The first of the fates. No property, for speed: the dispatcher reads it for each message.
    fate: str = field(init=False, default=Factory(lambda gate: gate.fates[0], takes_self=True))


@frozen(eq=False)
class MessageGate(Gate):
    """A gate that depends on the ``message`` alone.

    ``rule`` is a Python expression, true if the message is dropped, and ``text`` the
    reason, for people.
    """

    rule: str
    text: str


@frozen(eq=False)
class ChosenGate(Gate):
    """A gate after routing, once for the message and all of its chosen routes."""


@frozen(eq=False)
class RunGate(Gate):
    """A gate for each run; with ``of_effects``, only for runs of routes with effects.

    With ``of_consent``, only for runs that need a confirmation or an approval.
    """

    of_effects: bool = field(default=False, kw_only=True)
    of_consent: bool = field(default=False, kw_only=True)


@frozen(eq=False)
class RightsGate(RunGate):
    """An authorisation gate: whether the sender may use a route in this place.

    If ``stops`` is true, the run is denied: ``objection`` is the reason for the bot's
    operator, and ``answer`` the reply to the sender.
    """

    stops: Callable[[Asked], bool]
    objection: Callable[[Asked], str | None]
    answer: Callable[[Asked], str]


STOPPED = Gate("stop", ("engine.dispatch.dispatcher",), ("stopped",))

#: XEP-0203: history, or an offline message.
DELAYED = MessageGate(
    "delay",
    ("engine.dispatch.gates", "engine.dispatch.missed"),
    ("delayed",),
    "message.delayed",
    "it was said in the past",
)

ECHO = MessageGate(
    "echo",
    ("engine.dispatch.gates",),
    ("echo",),
    "message.echo",
    "the bot said it itself",
)

#: An announcement of the room itself, from its bare address.
ROOM = MessageGate(
    "room",
    ("engine.dispatch.gates",),
    ("room",),
    "message.is_public and message.sender == message.room",
    "the room itself says it",
)

#: End-to-end encrypted; the sender gets one sentence about it.
ENCRYPTED = MessageGate(
    "encrypted",
    ("engine.dispatch.gates", "engine.dispatch.dispatcher"),
    ("encrypted",),
    "message.encrypted",
    "it is encrypted, and the bot cannot read it",
)

EMPTY = MessageGate(
    "empty",
    ("engine.dispatch.gates",),
    ("empty",),
    "not message.body.strip()",
    "nothing is said",
)

TURN = Gate("turn", ("engine.dispatch.ordering",), ("crowded-out",))

ROUTING = Gate(
    "routing",
    (
        "engine.dispatch.questions",
        "engine.dispatch.approvals",
        "engine.dispatch.paging",
        "engine.dispatch.routing",
        "engine.dispatch.pattern_guard",
    ),
    ("unmatched",),
)

REPEATED = ChosenGate("duplicate", ("engine.dispatch.duplicates",), ("duplicate",))

FLOOD = ChosenGate(
    "rate of sender and room",
    ("engine.dispatch.limits", "engine.dispatch.refusals"),
    ("throttled",),
)

# Before the responder's rate limit: denied requests must not use up the tokens of others.
ACCESS = RightsGate(
    "access",
    ("model.access",),
    ("denied",),
    lambda asked: not (asked.route.for_everyone or asked.responder.access.allows(asked.message)),
    lambda asked: asked.responder.access.objection(asked.message),
    lambda asked: refusal(asked.responder.name, asked.message),
)

CONVERSATION = RightsGate(
    "conversation",
    ("engine.dispatch.filters",),
    ("denied",),
    lambda asked: not may_have_effects(asked.message),
    lambda asked: "it has effects, and this was said outside a conversation (type normal)",
    lambda asked: (
        f"{asked.responder.name} is not for messages outside a conversation; say it again as a"
        " chat message."
    ),
    of_effects=True,
)

#: Whether the authors of the text, as of an alias, may use the route, too (confused deputy):
#: see ``Message.authors``.
AUTHORS = RunGate("authors", ("engine.dispatch.dispatcher",), ("denied",), of_effects=True)

RATE = RunGate(
    "rate of responder", ("engine.dispatch.limits", "engine.dispatch.refusals"), ("throttled",)
)

# These two before consent: what can be checked without people is checked before they are asked.
ARGUMENTS = RunGate(
    "arguments",
    ("engine.loading.callables", "engine.loading.templates"),
    ("misused", "failed"),
    of_effects=True,
    of_consent=True,
)

WAITING = RunGate(
    "waiting entry",
    ("engine.dispatch.journal_gate",),
    ("refused", "duplicate"),
    of_effects=True,
    of_consent=True,
)

CONSENT = RunGate(
    "consent",
    ("engine.dispatch.consent", "engine.dispatch.questions", "engine.dispatch.approvals"),
    ("declined", "expired", "unapproved", "unasked", "denied", "busy", "failed"),
    of_effects=True,
    of_consent=True,
)

JOURNAL = RunGate(
    "journal", ("engine.dispatch.journal_gate",), ("refused", "duplicate"), of_effects=True
)

#: Not a check of the dispatcher: it is passed when the run's turn comes.
QUEUE = RunGate(
    "queue",
    ("engine.dispatch.runs", "engine.dispatch.run_queue", "engine.dispatch.waiting_notices"),
    ("busy", "denied"),
)

RUN = Gate(
    "run",
    ("engine.dispatch.runs", "engine.dispatch.output", "engine.dispatch.held_answers"),
    ("answered", "silent", "failed", "timed-out", "busy", "cancelled", "misused"),
)

#: All steps, in order.
GATES: tuple[Gate, ...] = (
    STOPPED,
    DELAYED,
    ECHO,
    ROOM,
    ENCRYPTED,
    EMPTY,
    TURN,
    ROUTING,
    REPEATED,
    FLOOD,
    ACCESS,
    CONVERSATION,
    AUTHORS,
    RATE,
    ARGUMENTS,
    WAITING,
    CONSENT,
    JOURNAL,
    QUEUE,
    RUN,
)

MESSAGE_GATES = tuple(gate for gate in GATES if isinstance(gate, MessageGate))
CHOSEN_GATES = tuple(gate for gate in GATES if isinstance(gate, ChosenGate))
RUN_GATES = tuple(gate for gate in GATES if isinstance(gate, RunGate))
RIGHTS_GATES = tuple(gate for gate in RUN_GATES if isinstance(gate, RightsGate))


def _unrolled(gates: Sequence[MessageGate]) -> Callable[[Message], str | None]:
    """Compile the rules to one function without a loop, for speed: every message passes it."""
    lines = (f"    if {gate.rule}:\n        return {gate.fate!r}\n" for gate in gates)
    names: dict[str, Any] = {}
    exec("def reason_to_drop(message):\n" + "".join(lines) + "    return None\n", names)  # noqa: S102
    made: Callable[[Message], str | None] = names["reason_to_drop"]
    return made


#: The fate of a message that a :class:`MessageGate` drops, else None.
reason_to_drop = _unrolled(MESSAGE_GATES)


@frozen
class Use:
    """:class:`Asked` without a run, for ``xbot explain``."""

    responder: Responder
    route: Route
    message: Message


def objection(asked: Asked) -> str | None:
    """Why the sender may not use the route, for the bot's operator; None if it is allowed."""
    for gate in RIGHTS_GATES:
        if (asked.route.effect or not gate.of_effects) and gate.stops(asked):
            return gate.objection(asked)
    return None


def checks_of(
    checks: Mapping[RunGate, C],
    *,
    has_effects: bool,
    asks_consent: bool = False,
    after: RunGate | None = None,
) -> tuple[C, ...]:
    """The ``checks`` of the run gates, in order; ``has_effects`` is that of the route.

    ``asks_consent``: the run needs a confirmation or an approval. With ``after``, only those of
    the gates after that one.
    """
    first = 0 if after is None else RUN_GATES.index(after) + 1
    return tuple(
        checks[gate]
        for gate in RUN_GATES[first:]
        if gate is not QUEUE
        and (has_effects or not gate.of_effects)
        and (asks_consent or not gate.of_consent)
    )
