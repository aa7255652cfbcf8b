"""XML stream parser that builds nodes (plain lists), with a fast path for plain stanzas.

:mod:`~xbot.chat.xmpp.wire.elements` has the limits and parses the root. The tests hold
this parser against a simple one that builds ``domish`` trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.elements import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    WHITE_SPACE,
    ElementStream,
    StreamViolation,
    is_own_answer,
)
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, MAX_REMEMBERED, NAME, SEPARATOR, Node, element_of

#: Maximum number of names that are remembered as plain.
_MAX_KNOWN = 1000

#: Depth of the children of a stanza's payload: root, stanza and payload are open.
_IN_PAYLOAD = 3


class FastPath(NamedTuple):
    """Functions that read plain stanzas from their bytes, so that the parser never sees them.

    ``ends_of_pieces(data)`` gives the offsets at which to cut the data. ``read(data)``
    gives the plain stanza at its start and the offset of its end, or None.
    """

    ends_of_pieces: Callable[[bytes], Iterator[int]]
    read: Callable[[bytes], tuple[Any, int] | None]


class FastElementStream(ElementStream):
    """Parser of one stream. Stanzas come out as nodes, or as elements if no one takes the node.

    ``NodeEvent(node)`` is called for each stanza; when it returns False, ``ElementEvent``
    gets an element made of the node. ``PlainEvent(stanza)``, if it is set, is called for a
    stanza that the fast path has read; when it returns False, the stanza is parsed. It is
    only called where the parser would call ``NodeEvent``. ``ItemEvent(stanza, item)`` is
    called for each child of the payload in a large answer of our own server; when it
    returns True, the child is not kept.

    There are two sets of callbacks. The *lean* one is for short and plain stanzas, as
    nearly all are. The *careful* one counts everything; it takes over for the rest of a
    stanza that may be large, and of data in which prefixes occur.
    """

    def __init__(self, fast_path: FastPath | None = None) -> None:
        super().__init__()
        self._fast_path = fast_path
        self.NodeEvent = lambda node: False
        self.ItemEvent = lambda stanza, item: False
        self.PlainEvent: Callable[[Any], bool] | None = None
        # The open elements: a list for the root, emptied after each stanza, then the
        # nodes of the stanza that is being built.
        self._open: list[Node] = []
        self._is_lean = False
        self._stanzas = 0
        # Upper bound of the start tags in the unfinished stanza.
        self._starts = 0
        # In a stanza that is dropped, how many elements are open below the last node.
        self._below = 0
        self._known: set[str] = set()
        # Byte strings that reveal prefixes, and the end of the last data, where one may start.
        self._marks: tuple[bytes, ...] = ()
        self._tail = b""
        # Whether a stanza of this data may be large, or have prefixes.
        self._is_doubtful = False

    def parse(self, data: bytes) -> None:
        taken = self.PlainEvent
        if taken is None or self._fast_path is None:
            self._parse(data)
            return
        ends_of_pieces, read = self._fast_path
        start, may_be_plain = 0, self._may_be_plain()
        for end in ends_of_pieces(data):
            piece = data[start:end]
            while piece and may_be_plain and (found := read(piece)) and taken(found[0]):
                piece = piece[found[1] :]
            start = end
            if piece:
                self._parse(piece)
                may_be_plain = self._may_be_plain()
                if not may_be_plain:
                    break
        if start < len(data):
            # It starts within a stanza: the parser gets it in one piece.
            self._parse(data[start:])

    def _may_be_plain(self) -> bool:
        """Whether a stanza may start here, and the parser has no unfinished data."""
        return (
            self._is_lean
            and len(self._open) == 1
            and not self._superseded
            and not self._is_in_cdata
            and self._tag is None
            and self._end is None
            and self._root_default == ns.CLIENT
            and self._parser.CurrentByteIndex == self._fed
        )

    def _parse(self, data: bytes) -> None:
        self._unfinished += len(data)
        if self._open:
            searched = self._tail + data
            self._tail = searched[1 - max(map(len, self._marks)) :]
            starts = data.count(b"<")
            if starts > MAX_ELEMENTS // 2:
                starts -= data.count(b"</")
            self._is_doubtful = (
                any(mark in searched for mark in self._marks)
                or self._starts + starts > MAX_ELEMENTS
                or self._has_too_many_bytes()
            )
            if self._is_doubtful:
                self._be_careful()
            before = self._stanzas
            self._feed(data)
            # All of these may be in the stanza that is open now.
            self._starts = starts if self._stanzas != before else self._starts + starts
        else:
            self._feed(data)
        self._check_lengths(len(self._open) > 1)

    @property
    def _is_between(self) -> bool:
        return self._root_open and len(self._open) == 1

    @property
    def _open_elements(self) -> int:
        return len(self._open) - 1 + self._below

    def _got_skipped(self) -> None:
        del self._open[1:]
        self._below = 0
        self._prefixes = {}
        self._got_last_end([])

    def supersede(self) -> None:
        super().supersede()
        # This handler refuses everything that follows.
        self._parser.StartElementHandler = super()._got_start

    def _got_start(self, name: str, attributes: dict[Any, str]) -> None:
        """The start of the root; all later callbacks go to the functions below."""
        super()._got_start(name, attributes)
        self._open.append([])
        self._marks = (b"xmlns:", *(f"<{prefix}:".encode() for prefix in self._root_prefixes))
        self._lean_handlers = self._make_lean_handlers()
        # The rest of the data that the root came in was not searched.
        self._is_doubtful, dropped = True, self._dropped
        self._is_lean, self._dropped = True, ""
        self._be_careful()
        self._parser.EndElementHandler = self._lean_handlers[1]
        if dropped:
            self._drop(dropped)

    # Lean callbacks.

    def _be_lean(self) -> None:
        parser = self._parser
        (
            parser.StartElementHandler,
            parser.EndElementHandler,
            parser.CharacterDataHandler,
            parser.StartNamespaceDeclHandler,
        ) = self._lean_handlers
        self._is_lean = True
        self._is_own = False

    def _make_lean_handlers(self) -> tuple[Callable[..., None] | None, ...]:
        """Closures without attribute look-ups: they run a dozen times for each message."""
        open_nodes, known = self._open, self._known
        push, pop = open_nodes.append, open_nodes.pop

        def got_start(name: str, attributes: dict[str, str]) -> None:
            if (
                name not in known or len(open_nodes) > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES
            ) and not self._is_plain(name, attributes):
                self._be_careful()
                self._got_careful_start(name, attributes)
                return
            node: Node = [name, attributes]
            open_nodes[-1].append(node)
            push(node)

        def got_end(_: str) -> None:
            node = pop()
            if len(open_nodes) < 2:
                self._got_last_end(node)

        def got_text(text: str) -> None:
            if len(open_nodes) > 1:
                open_nodes[-1].append(text)
            else:
                self._got_text(text)

        return got_start, got_end, got_text, None

    def _got_last_end(self, node: Node) -> None:
        """A stanza ended, or the root."""
        if not self._open:
            self._root_open = False
            self.DocumentEndEvent()
            return
        self._open[0].clear()
        self._stanzas += 1
        self._unfinished = 0
        dropped, self._dropped = self._dropped, ""
        self._elements = 0
        if self._is_doubtful:
            if dropped:
                self._listen_carefully()
        elif not self._is_lean:
            self._be_lean()
        if dropped:
            self.DroppedEvent(dropped)
        elif not self.NodeEvent(node):
            self.ElementEvent(element_of(node))

    def _is_plain(self, name: str, attributes: dict[str, str]) -> bool:
        """Whether a tag needs no careful callbacks; if so, remember its name."""
        if (
            name == self._root
            or len(self._open) > MAX_DEPTH
            or len(attributes) > MAX_ATTRIBUTES
            # Without prefixes, all declared namespaces are those of names.
            or WHITE_SPACE.search(name.rpartition(SEPARATOR)[0])
        ):
            return False
        if len(name) <= MAX_REMEMBERED and len(self._known) < _MAX_KNOWN:
            self._known.add(name)
        return True

    # Careful callbacks.

    def _be_careful(self) -> None:
        """Use the careful callbacks for the rest of this stanza."""
        if self._superseded or not self._is_lean:
            return
        self._is_lean = False
        self._elements = 0
        self._is_own = False
        if len(self._open) > 1:
            stanza = self._open[1]
            self._elements = _elements_in(stanza)
            self._is_own = is_own_answer(stanza[NAME], stanza[ATTRIBUTES])
        self._listen_carefully()

    def _listen_carefully(self) -> None:
        parser = self._parser
        parser.StartElementHandler = self._got_careful_start
        parser.EndElementHandler = self._got_own_end if self._is_own else self._lean_handlers[1]
        parser.CharacterDataHandler = self._got_careful_text
        parser.StartNamespaceDeclHandler = self._got_namespace

    def _got_careful_start(self, name: str, attributes: dict[Any, str]) -> None:
        self._prefixes = {}
        depth = len(self._open)
        if depth == 1 and name == self._root:
            # Everything after it would be a part of it, and none of it a stanza.
            raise StreamViolation("a second stream header")
        self._elements += 1
        if depth == 1:
            self._is_own = is_own_answer(name, attributes)
            self.lost = (name, attributes.get("from"))
            self._listen_carefully()
        if WHITE_SPACE.search(name.rpartition(SEPARATOR)[0]):
            # When the careful callbacks began with this tag.
            self._drop("white space in a namespace")
        elif depth > MAX_DEPTH:
            self._drop("nested too deep")
        elif self._has_too_many_elements():
            self._drop("too many elements")
        elif len(attributes) > MAX_ATTRIBUTES:
            self._drop("too many attributes")
        elif self._has_too_many_bytes():
            self._drop("too many bytes")
        node: Node = [name, attributes]
        if not self._dropped:
            self._open[-1].append(node)
        self._open.append(node)
        if self._dropped:
            self._be_deaf()

    def _got_namespace(self, prefix: str | None, uri: str | None) -> None:
        super()._got_namespace(prefix, uri)
        if self._open and self._dropped:
            # A tag may declare thousands; the next stanza has the handler again.
            self._parser.StartNamespaceDeclHandler = None

    def _got_careful_text(self, text: str) -> None:
        if len(self._open) < 2:
            self._got_text(text)
        elif not self._dropped:
            self._open[-1].append(text)

    def _got_own_end(self, _: str) -> None:
        node = self._open.pop()
        if len(self._open) < 2:
            self._got_last_end(node)
        elif len(self._open) == _IN_PAYLOAD and self.ItemEvent(self._open[1], node):
            # With a hundred thousand nodes kept, each run of the garbage collector would
            # take tens of milliseconds.
            self._open[-1].pop()

    # Callbacks for a dropped stanza.

    def _be_deaf(self) -> None:
        """For the rest of a dropped stanza only count depth: a hostile one may be long."""
        got_end = self._lean_handlers[1]
        assert got_end is not None

        def count_start(name: str, attributes: dict[str, str]) -> None:
            self._below += 1

        def count_end(name: str) -> None:
            if self._below:
                self._below -= 1
            else:
                got_end(name)

        self._parser.StartElementHandler = count_start
        self._parser.EndElementHandler = count_end
        self._parser.StartNamespaceDeclHandler = None

    def _drop(self, reason: str) -> None:
        if self._open and not self._dropped:
            self._be_careful()
            if len(self._open) > 1:
                stanza = self._open[1]
                self.lost = (stanza[NAME], stanza[ATTRIBUTES].get("from"))
            for node in self._open:
                node.clear()
        super()._drop(reason)


def _elements_in(node: Node) -> int:
    count, waiting = 0, [node]
    while waiting:
        count += 1
        waiting += (child for child in waiting.pop() if isinstance(child, list))
    return count
