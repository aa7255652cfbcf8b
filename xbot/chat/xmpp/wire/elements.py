"""The element stream: from bytes that anyone may have written to whole stanzas.

Twisted's own (:class:`twisted.words.xish.domish.ExpatElementStream`) dies of a
blank in a namespace, expands entities, adds text in quadratic time and knows
no limit on depth. This one builds the same :class:`domish.Element` trees and
does none of that.

What cannot be a stanza of any honest server closes the stream
(:class:`StreamViolation`). What a server may well relay from a hostile client
(it would come again with the room's history) costs only that stanza: it is
parsed to its end, never built, and told to ``DroppedEvent``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pyexpat import ParserCreate, error
from typing import Any, NoReturn
from xml.sax.saxutils import quoteattr

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import SEPARATOR, Node, full_name, split_name
from xbot.chat.xmpp.wire.tag_limits import NotWellFormed, StanzaEnd, UnfinishedTag, unfinished_tag

#: A stanza with more than this is dropped. Servers relay 256 KiB from anyone.
MAX_STANZA_BYTES = 1024 * 1024
MAX_DEPTH = 64

#: To build so many, and to look at them, takes a hundredth of a second or two, in
#: which nobody else is heard.
MAX_ELEMENTS = 2_000

#: Instead of those, in what the server answers us in nobody else's name: a roster
#: of 50,000 contacts, with a group or two each, is one stanza.
MAX_OWN_ELEMENTS = 150_000
MAX_OWN_BYTES = 16 * 1024 * 1024

#: In one tag, and as many namespaces declared by it.
MAX_ATTRIBUTES = 256

#: Nothing honest is this long: the stream is closed.
MAX_UNFINISHED_BYTES = 4 * 1024 * 1024

#: A stanza with a longer tag is dropped before the parser sees it whole, and one
#: with a tag of more values: attributes and the namespaces that it declares.
MAX_TAG_BYTES = 512 * 1024
MAX_VALUES = 2 * MAX_ATTRIBUTES

#: Other markup that has not ended, expat begins anew with each piece that comes: a
#: comment, an instruction, a reference. No stanza needs a long one.
MAX_TOKEN_BYTES = 4096

#: expat never forgets a name, and each costs 200 bytes until the parser goes. After
#: so many bytes another one takes over between two stanzas; a stream that leaves
#: no place for that ends with so many names.
MAX_PARSER_BYTES = 1024 * 1024
MAX_NAMES = 500_000

#: What a parser tells, and hands on with the stream.
_HANDLERS = (
    "StartElementHandler",
    "EndElementHandler",
    "CharacterDataHandler",
    "StartNamespaceDeclHandler",
    "EndNamespaceDeclHandler",
    "StartDoctypeDeclHandler",
    "ProcessingInstructionHandler",
    "CommentHandler",
    "StartCdataSectionHandler",
    "EndCdataSectionHandler",
)

_IQ, _PRESENCE = full_name(ns.CLIENT, "iq"), full_name(ns.CLIENT, "presence")

WHITE_SPACE = re.compile(r"\s")


class StreamViolation(domish.ParserError):
    """The peer sent what no XMPP stream may hold (RFC 6120 11.1). The stream ends."""


class ElementStream:
    """Parses one stream; its root's children come out whole.

    The attributes named ``...Event`` are callables that the owner sets, by the
    protocol of Twisted's element streams; ``DroppedEvent(reason)`` is ours.
    """

    DocumentStartEvent: Callable[[domish.Element], object]
    ElementEvent: Callable[[domish.Element], object]
    DocumentEndEvent: Callable[[], object]
    DroppedEvent: Callable[[str], object]

    #: Never called by this one; see :class:`xbot.chat.xmpp.wire.fast_elements.FastElementStream`.
    NodeEvent: Callable[[Node], bool]
    ItemEvent: Callable[[Node, Node], bool]
    GlanceEvent: Callable[[Any], bool] | None

    def __init__(self) -> None:
        parser = _make_parser()
        parser.StartElementHandler = self._got_start
        parser.EndElementHandler = self._got_end
        parser.CharacterDataHandler = self._got_text
        parser.StartNamespaceDeclHandler = self._got_namespace
        parser.EndNamespaceDeclHandler = self._namespace_ended
        # RFC 6120 11.1: no comments, processing instructions, DTDs, entities.
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.ProcessingInstructionHandler = self._refuse_instruction
        parser.CommentHandler = self._refuse_comment
        parser.StartCdataSectionHandler = self._got_cdata
        parser.EndCdataSectionHandler = self._cdata_ended
        self._parser = parser
        self._fed = 0
        self._superseded = False
        self._root_open = False
        self._root = ""
        self._root_prefixes: dict[str, str] = {}
        # The root's default namespace, and the length of the list below as it began.
        self._root_default = ""
        self._root_defaults = 1
        self._depth = 0
        self._default_namespaces = [""]
        self._prefixes: dict[str, str] = {}
        self._unfinished = 0
        # The tag that has not ended, and what looks for the end of a stanza that is skipped.
        self._tag: UnfinishedTag | None = None
        self._end: StanzaEnd | None = None
        self._is_in_cdata = False
        # The stanza being built.
        self._is_own = False
        self._current: domish.Element | None = None
        self._text: list[str] = []
        self._elements = 0
        self._dropped = ""
        #: Name and sender of the stanza that DroppedEvent tells of, where its tag was read.
        self.lost: tuple[str, str | None] | None = None
        # Whether the tag that has not ended is the first of a stanza that is skipped.
        self._is_heading = False

    def parse(self, data: bytes) -> None:
        """Take the next bytes.

        :raises StreamViolation: when the stream cannot go on.
        """
        self._unfinished += len(data)
        self._feed(data)
        self._check_lengths(self._depth > 0)

    def _feed(self, data: bytes) -> None:
        """Parse what is there, but for a tag that has not ended."""
        try:
            if self._tag is not None:
                end = self._take(self._tag, data)
                if end is None:
                    return
                if self._is_heading:
                    # What the stanza was that is skipped.
                    self._is_heading = False
                    self.lost = (_PRESENCE, self._tag.sender())
                data, self._tag = self._tag.text() + data[end:], None
            start = unfinished_tag(data)
            if start:
                self._pass(data[:start])
            if start == len(data):
                return
            if self._is_in_cdata if self._end is None else self._end.is_in_cdata:
                # It is text.
                self._pass(data[start:])
            else:
                self._tag = UnfinishedTag()
                self._take(self._tag, data[start:])
        except NotWellFormed as reason:
            raise StreamViolation(str(reason)) from None

    def _take(self, tag: UnfinishedTag, data: bytes) -> int | None:
        end = tag.take(data)
        if tag.values > MAX_VALUES:
            self._skip("too many attributes")
            tag.forget()
        elif tag.size > MAX_TAG_BYTES:
            self._skip("too long a tag")
            tag.forget()
        return end

    def _pass(self, data: bytes) -> None:
        if self._end is not None:
            rest = self._end.take(data)
            if rest is None:
                return
            self._end = None
            # It knows nothing of what was skipped.
            self._replace_parser()
            self._got_skipped()
            data = rest
        self._give(data)
        if self._fed > MAX_PARSER_BYTES and not self._superseded:
            self._renew(data)

    def _skip(self, reason: str) -> None:
        """Of this stanza the parser sees no more."""
        if self._superseded or not self._root_open:
            raise StreamViolation("a tag that does not end")
        if self._end is None and not self._open_elements:
            self.lost, self._is_heading = None, True
        self._drop(reason)
        if self._end is None:
            self._end = StanzaEnd(self._open_elements)

    @property
    def _open_elements(self) -> int:
        """How many of the stanza are open."""
        return self._depth

    def _got_skipped(self) -> None:
        """The end of a stanza that was skipped."""
        self._depth = 1
        del self._default_namespaces[self._root_defaults :]
        self._prefixes = {}
        self._got_end("")

    @property
    def _is_between(self) -> bool:
        """Whether the root is open, and no stanza is."""
        return self._root_open and not self._depth

    def _renew(self, data: bytes) -> None:
        """Go on with another parser, if all that this one has not taken is in ``data``."""
        old = self._parser
        rest = self._fed - old.CurrentByteIndex
        if not self._is_between or rest > len(data):
            if len(old.intern) > MAX_NAMES:
                raise StreamViolation("too many names")
            return
        self._replace_parser()
        if rest:
            self._give(data[len(data) - rest :])

    def _replace_parser(self) -> None:
        # It learns of the root, and tells nobody.
        old, parser, root = self._parser, _make_parser(), self._root_tag().encode()
        parser.Parse(root)
        for handler in _HANDLERS:
            setattr(parser, handler, getattr(old, handler))
        self._parser, self._fed = parser, len(root)

    def _give(self, data: bytes) -> None:
        self._fed += len(data)
        try:
            self._parser.Parse(data)
        except error as reason:
            raise StreamViolation(str(reason)) from None
        if self._fed - self._parser.CurrentByteIndex > MAX_TOKEN_BYTES:
            raise StreamViolation("markup that does not end")

    def _root_tag(self) -> str:
        """The root's start, as far as it matters to what follows."""
        uri, name = split_name(self._root)
        default, prefixes = self._root_default, self._root_prefixes
        declared = f" xmlns={quoteattr(default)}"
        declared += "".join(f" xmlns:{key}={quoteattr(value)}" for key, value in prefixes.items())
        prefix = next((f"{key}:" for key, value in prefixes.items() if value == uri), "")
        return f"<{prefix}{name}{declared}>"

    def _check_lengths(self, is_in_stanza: bool) -> None:
        if self._unfinished > (MAX_OWN_BYTES if self._is_own else MAX_UNFINISHED_BYTES):
            raise StreamViolation("a stanza that does not end")
        if is_in_stanza and self._has_too_many_bytes():
            self._drop("too many bytes")

    def _has_too_many_elements(self) -> bool:
        return self._elements > (MAX_OWN_ELEMENTS if self._is_own else MAX_ELEMENTS)

    def _has_too_many_bytes(self) -> bool:
        return self._unfinished > (MAX_OWN_BYTES if self._is_own else MAX_STANZA_BYTES)

    def supersede(self) -> None:
        """A new stream begins after the element just seen (TLS, SASL).

        RFC 6120 5.4.3.3: what the old stream still holds was never protected;
        anything but white space there is a violation.
        """
        self._superseded = True

    # What expat calls.

    def _got_namespace(self, prefix: str | None, uri: str | None) -> None:
        uri = uri or ""
        if prefix is None:
            self._default_namespaces.append(uri)
        elif not self._dropped:
            self._prefixes[prefix] = uri
        if len(self._prefixes) > MAX_ATTRIBUTES:
            self._drop("too many namespaces")
        elif WHITE_SPACE.search(uri):
            self._drop("white space in a namespace")

    def _namespace_ended(self, prefix: str | None) -> None:
        if prefix is None:
            self._default_namespaces.pop()

    def _got_start(self, name: str, attributes: dict[Any, str]) -> None:
        if self._superseded:
            raise StreamViolation("data after the end of the unprotected stream")
        prefixes, self._prefixes = self._prefixes, {}
        if not self._root_open:
            self._root_open = True
            self._root, self._root_prefixes = name, prefixes
            self._root_default = self._default_namespaces[-1]
            self._root_defaults = len(self._default_namespaces)
            self._unfinished = 0
            self.DocumentStartEvent(self._element(name, attributes, prefixes))
            return
        if not self._depth and name == self._root:
            # Everything after it would be a part of it, and none of it a stanza.
            raise StreamViolation("a second stream header")
        self._depth += 1
        self._elements += 1
        if self._depth == 1:
            self._is_own = is_own_answer(name, attributes)
            self.lost = (name, attributes.get("from"))
        if self._depth > MAX_DEPTH:
            self._drop("nested too deep")
        elif self._has_too_many_elements():
            self._drop("too many elements")
        elif len(attributes) > MAX_ATTRIBUTES:
            self._drop("too many attributes")
        elif self._has_too_many_bytes():
            self._drop("too many bytes")
        if self._dropped:
            return
        element = self._element(name, attributes, prefixes)
        if self._current is not None:
            self._flush_text()
            element.parent = self._current
            self._current.children.append(element)
        self._current = element

    def _got_end(self, _: str) -> None:
        if not self._depth:
            self._root_open = False
            self.DocumentEndEvent()
            return
        self._depth -= 1
        current = self._current
        if current is not None and not self._dropped:
            self._flush_text()
            if self._depth:
                self._current = current.parent
        if self._depth:
            return
        dropped = self._dropped
        self._unfinished = 0
        self._start_stanza()
        if dropped:
            self.DroppedEvent(dropped)
        elif current is not None:
            self.ElementEvent(current)

    def _got_text(self, text: str) -> None:
        if self._depth:
            if not self._dropped:
                self._text.append(text)
            return
        if text.strip():
            raise StreamViolation("text between stanzas")
        # White space keeps a connection alive (RFC 6120 4.6.1); a flood of it
        # is no unfinished stanza.
        self._unfinished = 0

    def _got_cdata(self) -> None:
        self._is_in_cdata = True

    def _cdata_ended(self) -> None:
        self._is_in_cdata = False

    def _refuse_doctype(self, *_: object) -> NoReturn:
        raise StreamViolation("a document type declaration")

    def _refuse_instruction(self, *_: object) -> NoReturn:
        raise StreamViolation("a processing instruction")

    def _refuse_comment(self, _: str) -> NoReturn:
        raise StreamViolation("a comment")

    # The stanza being built.

    def _start_stanza(self) -> None:
        self._current = None
        self._text = []
        self._is_own = False
        self._elements = 0
        self._dropped = ""

    def _drop(self, reason: str) -> None:
        """Build no more of this stanza; the first reason is the one told."""
        if not self._dropped:
            self._dropped = reason
            self._is_own = False
            self._current = None
            self._text = []

    def _flush_text(self) -> None:
        # Joined once: adding piece by piece to an element is quadratic.
        if self._text:
            assert self._current is not None
            self._current.children.append("".join(self._text))
            self._text = []

    def _element(
        self, name: str, attributes: dict[Any, str], prefixes: dict[str, str]
    ) -> domish.Element:
        for key in [key for key in attributes if SEPARATOR in key]:
            attributes[_qualified(key)] = attributes.pop(key)
        return domish.Element(_qualified(name), self._default_namespaces[-1], attributes, prefixes)


def is_own_answer(name: str, attributes: dict[Any, str]) -> bool:
    """Whether the tag begins an answer that only our own server can give.

    It stands for our account where there is no ``from``, or our bare JID (RFC
    6120, 8.1.2.1); whatever others send it stamps with their JIDs.
    """
    if name != _IQ or attributes.get("type") != "result":
        return False
    sender, own = attributes.get("from"), attributes.get("to", "").partition("/")[0]
    return sender is None or (sender == own and "@" in own)


def _qualified(name: str) -> tuple[str, str]:
    """The (namespace, local name) of a name as expat gives it."""
    namespace, _, local = name.rpartition(SEPARATOR)
    return namespace, local


def _make_parser() -> Any:
    parser = ParserCreate("UTF-8", SEPARATOR)
    parser.buffer_text = True
    # COMPAT: expat 2.6 holds back what it has until more comes, which in a
    # stream may be never. What that guards against never comes
    # to it (tags). Older
    # releases of Python neither do this nor know the name.
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    return parser
