"""Support of occupant ids: whether a room announces them by service discovery (XEP-0421).

Only then do they count: a room without them passes on what clients add to their stanzas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.stream.iq import IqRefused
from xbot.chat.xmpp.stream.stream_timer import StreamTimer
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, child_of, full_name
from xbot.model.jid import Jid

#: Seconds until a room that did not answer is asked again.
RETRY_DELAY = 60.0

_QUERY = full_name(ns.DISCO_INFO, "query")
_FEATURE = full_name(ns.DISCO_INFO, "feature")

Request = Callable[[str, str, domish.Element], Deferred[Node]]
"""Sends a request of this kind to this JID; fires or fails as ``Iq.request`` does."""

Announces = Callable[[], Deferred[bool | None]]
"""Asks whether one room announces occupant ids; None: no answer. Never fails."""


class Announcements:
    """Asks services and rooms whether they announce occupant ids.

    A service that does announces them for all of its rooms (XEP-0421, section 4), so that
    one request is enough for them; its answer is kept until :meth:`forget`.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._services: dict[str, Deferred[bool | None]] = {}

    def has(self, room: Jid) -> Deferred[bool | None]:
        """Whether ``room``, or its service, announces occupant ids; None: no answer."""
        return Deferred.fromCoroutine(self._has(room))

    def forget(self) -> None:
        """Ask the services again from now on."""
        self._services.clear()

    async def _has(self, room: Jid) -> bool | None:
        known = await self._service_has(room.domain)
        # Without an answer of its service a room has none either.
        return await self._ask(str(room)) if known is False else known

    def _service_has(self, service: str) -> Deferred[bool | None]:
        asked = self._services.get(service)
        if asked is None:
            asked = self._services[service] = self._ask(service)
            asked.addCallback(self._got_answer, service)
        # A Deferred for each caller.
        answer: Deferred[bool | None] = Deferred()
        asked.addCallback(_pass_on, answer)
        return answer

    def _got_answer(self, announces: bool | None, service: str) -> bool | None:
        if announces is None:
            self._services.pop(service, None)
        return announces

    def _ask(self, address: str) -> Deferred[bool | None]:
        query = domish.Element((ns.DISCO_INFO, "query"))
        asked: Deferred[Any] = self._request("get", address, query)
        return asked.addCallbacks(_has_feature, _got_no_result)


class Check:
    """Asks one room during one stay, and again where it does not answer.

    ``decided(announces)`` gets the result; it is None while the room is asked.
    """

    def __init__(
        self, announces: Announces, decided: Callable[[bool | None], None], timer: StreamTimer
    ) -> None:
        self._announces = announces
        self._decided = decided
        self._timer = timer
        self._asked: Deferred[Any] | None = None
        self._is_begun = False

    def begin(self) -> None:
        """Ask, unless this was done in this stay already."""
        if not self._is_begun:
            self._is_begun = True
            self._decided(None)
            self._ask()

    def stop(self) -> None:
        """End of the stay, or the room does not add occupant ids any more."""
        self._is_begun = False
        self._asked = None
        self._timer.stop()

    def resumed(self) -> None:
        """The session was resumed on another stream."""
        self._timer.resumed()

    def _ask(self) -> None:
        self._asked = asked = self._announces()
        asked.addCallback(self._got_answer, asked)

    def _got_answer(self, announces: bool | None, asked: Deferred[Any]) -> None:
        if asked is not self._asked:
            return
        self._asked = None
        if announces is None:
            self._timer.set(RETRY_DELAY, self._ask)
        self._decided(bool(announces))


def _has_feature(result: Node) -> bool:
    query = child_of(result, _QUERY)
    return query is not None and any(
        child[NAME] == _FEATURE and child[ATTRIBUTES].get("var") == ns.OCCUPANT_ID
        for child in query[CHILDREN:]
    )


def _got_no_result(failure: Failure) -> bool | None:
    return False if failure.check(IqRefused) else None


def _pass_on(result: bool | None, to: Deferred[bool | None]) -> bool | None:
    to.callback(result)
    return result
