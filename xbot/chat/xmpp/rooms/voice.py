"""Voice: whether we may speak in a room (XEP-0045, sections 5.1 and 7.9)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, child_of, full_name
from xbot.model.jid import Jid

_QUERY, _FEATURE = full_name(ns.DISCO_INFO, "query"), full_name(ns.DISCO_INFO, "feature")

#: XEP-0045 15.3: the feature of a room in which visitors may not speak.
_MODERATED = "muc_moderated"

#: The role without voice in a moderated room, and those with it.
_VISITOR, _SPEAKERS = "visitor", ("participant", "moderator")


class Voice:
    """Our voice in one room.

    ``problem`` says why we may not speak; it is empty if we may, as far as we know.
    ``ask_room()`` requests the room's features (disco#info), ``changed()`` is called at
    each change. The room's own refusal of a message counts most: the rules of services
    differ for a visitor in a room that is not moderated.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(
        self, room: Jid, ask_room: Callable[[], Deferred[Node]], changed: Callable[[], None]
    ) -> None:
        self.problem = ""
        self._room = room
        self._ask_room = ask_room
        self._changed = changed
        self._role = "none"
        # The number of the last change: answers to questions before it are out of date.
        self._turn = 0

    def got_role(self, role: str) -> None:
        """Our own presence in the room has this role."""
        before, self._role = self._role, role
        if role in _SPEAKERS:
            if before not in _SPEAKERS or self.problem:
                self._gain(f"as {role}")
        elif role == _VISITOR and before != _VISITOR:
            self.ask()

    def ask(self) -> None:
        """Ask the room whether it is moderated, if we are a visitor in it."""
        if self._role != _VISITOR:
            return
        self._turn += 1
        self._ask_room().addBoth(self._got_features, self._turn)

    def got_forbidden(self, reason: str) -> None:
        """The room did not relay a message, because we may not speak."""
        self._lose(reason)

    def got_heard(self) -> None:
        """The room relayed a message of ours."""
        if self.problem:
            self._gain("it relays what we say")

    def reset(self) -> None:
        """We are not in the room any more."""
        self._turn += 1
        self._role, self.problem = "none", ""

    def _got_features(self, answer: Node | Failure, turn: int) -> None:
        # Without an answer, the first message shows whether we may speak.
        if turn != self._turn or isinstance(answer, Failure):
            return
        if _MODERATED in _features(answer):
            self._lose("we are a visitor, and the room is moderated")
        else:
            self._gain("the room is not moderated")

    def _lose(self, reason: str) -> None:
        if self.problem:
            return
        self._turn += 1
        self.problem = f"may not speak there: {reason}"
        self._log.warn(
            "{room}: we {problem}; what is said there waits for voice",
            room=self._room,
            problem=self.problem,
        )
        self._changed()

    def _gain(self, how: str) -> None:
        self._turn += 1
        if not self.problem:
            return
        self.problem = ""
        self._log.info("{room}: we may speak there again: {how}", room=self._room, how=how)
        self._changed()


def _features(answer: Node) -> set[str]:
    query = child_of(answer, _QUERY)
    children = () if query is None else query[CHILDREN:]
    return {
        child[ATTRIBUTES].get("var", "")
        for child in children
        if not isinstance(child, str) and child[NAME] == _FEATURE
    }
