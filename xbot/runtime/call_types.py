"""As what a responder's code is called: for a message, for a post, or for nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed

from xbot.model.message import Message
from xbot.runtime.answers import Answers, collect

Call = Callable[[Message, Mapping[str, str]], Deferred[Answers]]
"""Takes a message and the named groups that its pattern found."""

Fill = Callable[[Message, Mapping[str, str]], str]
"""Takes the same, and gives the answer itself; it neither fails nor takes time."""

Work = Callable[[], Deferred[object]]
"""Something of a responder's, on the reactor or in a thread: fires when it is done."""

TakesPost = Callable[[dict[str, Any], Mapping[str, str]], Deferred[Answers]]
"""Takes what was posted to a webhook, and the headers: fires with what is to be said."""


def call_of(fill: Fill) -> Call:
    """The same as a call."""
    return lambda message, groups: succeed(collect(fill(message, groups)))
