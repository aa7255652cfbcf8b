"""The same element stream, faster: plain lists, and elements of what nobody takes as such.

:mod:`~xbot.chat.xmpp.wire.elements` is the reference, and what runs until the root is open. All
that is refused and dropped there is refused and dropped here, for the same reasons.
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

#: Names that were looked at are remembered; so many.
_MAX_KNOWN = 1000

#: What is open around a child of a stanza's payload: root, stanza, payload.
_IN_PAYLOAD = 3


class FastPath(NamedTuple):
    """Reads plain stanzas off their bytes, so that the parser never sees them.

    ``ends_of_pieces(data)`` tells where data can be cut, ``skim(data)`` what data begins
    with and where that ends, or None for what is not plain.
    """

    ends_of_pieces: Callable[[bytes], Iterator[int]]
    skim: Callable[[bytes], tuple[Any, int] | None]


class FastElementStream(ElementStream):
    """``NodeEvent(node)`` tells whether it took the stanza; of others an element is made.

    So does ``GlanceEvent``, where there is one, with what is plain enough to be
    skimmed; the parser never sees what it took. It is never called for what the
    parser would not call ``NodeEvent`` for.

    Of a large answer of our own server's, ``ItemEvent(stanza, item)`` tells of each child
    of its payload whether it took it: then it is not kept.

    There are two ways to build what the parser sees. The *lean* one is for stanzas
    that are short and plain, as they nearly all are. The *careful* one counts
    everything as the reference does; it takes over for the rest of a stanza that may
    be large, and of data in which prefixes occur.
    """

    def __init__(self, fast_path: FastPath | None = None) -> None:
        super().__init__()
        self._fast_path = fast_path
        self.NodeEvent = lambda node: False
        self.ItemEvent = lambda stanza, item: False
        self.GlanceEvent: Callable[[Any], bool] | None = None
        # What is open: one list for the root, emptied after each stanza, then the
        # nodes of the stanza that is being built.
        self._open: list[Node] = []
        self._is_lean = False
        self._stanzas = 0
        # No more tags than this can the stanza that has not ended have begun.
        self._starts = 0
        # In a stanza that is dropped, how many elements are open below the last node.
        self._below = 0
        self._known: set[str] = set()
        # What tells of prefixes, and the end of the data before, in which one may begin.
        self._marks: tuple[bytes, ...] = ()
        self._tail = b""
        # Whether a stanza of this data may be large, or have prefixes.
        self._is_doubtful = False

    def parse(self, data: bytes) -> None:
        taken = self.GlanceEvent
        if taken is None or self._fast_path is None:
            self._parse(data)
            return
        ends_of_pieces, skim = self._fast_path
        start, may_skim = 0, self._may_skim()
        for end in ends_of_pieces(data):
            piece = data[start:end]
            while piece and may_skim and (found := skim(piece)) is not None and taken(found[0]):
                piece = piece[found[1] :]
            start = end
            if piece:
                self._parse(piece)
                may_skim = self._may_skim()
                if not may_skim:
                    break
        if start < len(data):
            # It goes on within a stanza: the parser has it in one piece.
            self._parse(data[start:])

    def _may_skim(self) -> bool:
        """Whether here a stanza may begin, and the parser waits for nothing else."""
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
        # It refuses whatever comes.
        self._parser.StartElementHandler = super()._got_start

    def _got_start(self, name: str, attributes: dict[Any, str]) -> None:
        """The root's start; whatever comes then goes to the functions below."""
        super()._got_start(name, attributes)
        self._open.append([])
        self._marks = (b"xmlns:", *(f"<{prefix}:".encode() for prefix in self._root_prefixes))
        self._parser.EndNamespaceDeclHandler = None
        self._lean_handlers = self._make_lean_handlers()
        # The rest of the data that the root came in was not searched.
        self._is_doubtful, dropped = True, self._dropped
        self._is_lean, self._dropped = True, ""
        self._be_careful()
        self._parser.EndElementHandler = self._lean_handlers[1]
        if dropped:
            self._drop(dropped)

    # The lean way.

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
        """Called a dozen times for each message: functions that do as little as can be."""
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
        """Whether a tag is nothing to be careful with; if so, its name is from now on."""
        if (
            name == self._root
            or len(self._open) > MAX_DEPTH
            or len(attributes) > MAX_ATTRIBUTES
            # Without prefixes, the namespaces that are declared are those of names.
            or WHITE_SPACE.search(name.rpartition(SEPARATOR)[0])
        ):
            return False
        if len(name) <= MAX_REMEMBERED and len(self._known) < _MAX_KNOWN:
            self._known.add(name)
        return True

    # The careful way.

    def _be_careful(self) -> None:
        """For the rest of this stanza."""
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
            # Where the careful way began with this very tag.
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
        if self._open and prefix is None:
            # Nodes do not say which namespace is the default.
            self._default_namespaces.pop()
        if self._open and self._dropped:
            # A tag may declare thousands; the next stanza is listened to again.
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
            # A hundred thousand nodes that stay are looked through by the garbage
            # collector again and again, for tens of milliseconds each time.
            self._open[-1].pop()

    # The deaf way.

    def _be_deaf(self) -> None:
        """For the rest of a stanza that is dropped: it has an end, and is counted, no more.

        Whoever sent it chose it to take long.
        """
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
