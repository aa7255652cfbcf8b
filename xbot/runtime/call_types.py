"""Types of the callables that a responder's code is wrapped in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from xbot.model.message import Message
from xbot.runtime.answers import Answers, collect

Call = Callable[[Message, Mapping[str, str]], Deferred[Answers]]
"""Answers a message; takes the message and the named groups of its pattern."""

Start = Callable[[Message], Deferred[Answers]]
"""A :data:`Call` whose arguments are read already (a closure, as of a prepared statement)."""

Prepare = Callable[[Message, Mapping[str, str]], Start]
"""Reads and checks the arguments of a call, and runs nothing.

:raises xbot.model.errors.XbotError: what the call itself would fail with, such as ``Misused``.
"""

Fill = Callable[[Message, Mapping[str, str]], str]
"""Like :data:`Call`, but returns the answer at once: it neither fails nor blocks."""

Work = Callable[[], Deferred[object]]
"""A start, stop or timer function, on the reactor or in a thread; fires when it is done."""

TakesPost = Callable[[dict[str, Any], Mapping[str, str]], Deferred[Answers]]
"""Handles a webhook post; takes the JSON object and the headers, fires with what to say."""


@frozen(eq=False)
class TwoStepCall:
    """A :data:`Call` that can also be made in two steps: read the arguments now, run later.

    Between the two steps people may be asked for consent.
    """

    call: Call
    prepare: Prepare

    def __call__(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        return self.call(message, groups)


def call_of(fill: Fill) -> Call:
    """Wrap ``fill`` as a :data:`Call`."""
    return lambda message, groups: succeed(collect(fill(message, groups)))
