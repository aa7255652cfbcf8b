"""Hardened XML stream parser: limits, feeding of expat, and the stream's root.

Twisted's own (:class:`twisted.words.xish.domish.ExpatElementStream`) dies of a
blank in a namespace, expands entities, adds text in quadratic time and has
no limit on depth. This one does none of that.

What no honest server sends ends the stream (:class:`StreamViolation`). What a
server may relay from a hostile client costs only that stanza, because it would
come again with the room's history: it is parsed to its end, not built, and
reported to ``DroppedEvent``.
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

#: Maximum size of a stanza; a larger one is dropped. Servers relay 256 KiB from anyone.
MAX_STANZA_BYTES = 1024 * 1024
MAX_DEPTH = 64

#: Maximum number of elements of a stanza: to build and read them blocks the reactor for
#: 10 to 20 ms.
MAX_ELEMENTS = 2_000

#: The limits for answers of our own server: a roster of 50,000 contacts, with a group
#: or two each, is one stanza.
MAX_OWN_ELEMENTS = 150_000
MAX_OWN_BYTES = 16 * 1024 * 1024

#: Maximum number of attributes of a tag, and of namespaces that it declares.
MAX_ATTRIBUTES = 256

#: Maximum size of a stanza that has not ended; beyond it the stream is closed.
MAX_UNFINISHED_BYTES = 4 * 1024 * 1024

#: Maximum size of a tag, and maximum number of its values (attributes and declared
#: namespaces). Beyond it the stanza is dropped before expat sees the whole tag.
MAX_TAG_BYTES = 512 * 1024
MAX_VALUES = 2 * MAX_ATTRIBUTES

#: Maximum size of other unfinished markup (comment, instruction, reference): expat scans
#: it again from its start with each piece of data.
MAX_TOKEN_BYTES = 4096

#: expat never frees a name, and each takes 200 bytes until the parser is freed. After
#: MAX_PARSER_BYTES a new parser takes over between two stanzas; a stream that leaves
#: no place for that ends with MAX_NAMES names.
MAX_PARSER_BYTES = 1024 * 1024
MAX_NAMES = 500_000

#: The handlers of a parser, which a new one takes over.
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
    """The peer sent what an XMPP stream must not contain (RFC 6120 11.1); the stream ends."""


class ElementStream:
    """Base class of the parser of one stream; subclasses build the stanzas.

    The attributes named ``...Event`` are callables that the owner sets, by the
    protocol of Twisted's element streams; ``DroppedEvent(reason)`` and the three below
    it are our own. See :class:`xbot.chat.xmpp.wire.fast_elements.FastElementStream`.
    """

    DocumentStartEvent: Callable[[domish.Element], object]
    ElementEvent: Callable[[domish.Element], object]
    DocumentEndEvent: Callable[[], object]
    DroppedEvent: Callable[[str], object]
    NodeEvent: Callable[[Node], bool]
    ItemEvent: Callable[[Node, Node], bool]
    PlainEvent: Callable[[Any], bool] | None

    def __init__(self) -> None:
        parser = _make_parser()
        parser.StartElementHandler = self._got_start
        parser.EndElementHandler = self._got_end
        parser.CharacterDataHandler = self._got_text
        parser.StartNamespaceDeclHandler = self._got_namespace
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
        self._root_default = ""
        self._prefixes: dict[str, str] = {}
        self._unfinished = 0
        # The unfinished tag, and the search for the end of a stanza that is skipped.
        self._tag: UnfinishedTag | None = None
        self._end: StanzaEnd | None = None
        self._is_in_cdata = False
        # The stanza being built.
        self._is_own = False
        self._elements = 0
        self._dropped = ""
        #: Name and sender of the stanza of a DroppedEvent, if its tag was read.
        self.lost: tuple[str, str | None] | None = None
        # Whether the unfinished tag is the first of a stanza that is skipped.
        self._is_heading = False

    def parse(self, data: bytes) -> None:
        """Parse the next bytes.

        :raises StreamViolation: when the stream cannot go on.
        """
        raise NotImplementedError

    def _feed(self, data: bytes) -> None:
        """Parse the data, except for an unfinished tag at its end."""
        try:
            if self._tag is not None:
                end = self._take(self._tag, data)
                if end is None:
                    return
                if self._is_heading:
                    # Keep which stanza is skipped.
                    self._is_heading = False
                    self.lost = (_PRESENCE, self._tag.sender())
                data, self._tag = self._tag.text() + data[end:], None
            start = unfinished_tag(data)
            if start:
                self._pass(data[:start])
            if start == len(data):
                return
            if self._is_in_cdata if self._end is None else self._end.is_in_cdata:
                # In CDATA it is text, not a tag.
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
            # The old one does not know that the stanza has ended.
            self._replace_parser()
            self._got_skipped()
            data = rest
        self._give(data)
        if self._fed > MAX_PARSER_BYTES and not self._superseded:
            self._renew(data)

    def _skip(self, reason: str) -> None:
        """Drop this stanza, and keep the rest of it from the parser."""
        if self._superseded or not self._root_open:
            raise StreamViolation("a tag that does not end")
        if self._end is None and not self._open_elements:
            self.lost, self._is_heading = None, True
        self._drop(reason)
        if self._end is None:
            self._end = StanzaEnd(self._open_elements)

    @property
    def _open_elements(self) -> int:
        """How many elements of the stanza are open."""
        raise NotImplementedError

    @property
    def _is_between(self) -> bool:
        """Whether the root is open, and no stanza is."""
        raise NotImplementedError

    def _got_skipped(self) -> None:
        """A stanza that was skipped has ended."""
        raise NotImplementedError

    def _renew(self, data: bytes) -> None:
        """Switch to a new parser, if ``data`` has all that this one has not parsed."""
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
        # It parses the root before it has handlers.
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
        """A start tag of the root with its name and namespaces."""
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
        """End this stream after the element just parsed: a new one begins (TLS, SASL).

        RFC 6120 5.4.3.3: anything but white space after it is a violation, because it
        was never protected.
        """
        self._superseded = True

    # Callbacks of expat.

    def _got_namespace(self, prefix: str | None, uri: str | None) -> None:
        uri = uri or ""
        if prefix is None:
            if not self._root_open:
                self._root_default = uri
        elif not self._dropped:
            self._prefixes[prefix] = uri
        if len(self._prefixes) > MAX_ATTRIBUTES:
            self._drop("too many namespaces")
        elif WHITE_SPACE.search(uri):
            self._drop("white space in a namespace")

    def _got_start(self, name: str, attributes: dict[Any, str]) -> None:
        """The start of the root."""
        if self._superseded:
            raise StreamViolation("data after the end of the unprotected stream")
        self._root_open = True
        self._root, self._root_prefixes, self._prefixes = name, self._prefixes, {}
        self._unfinished = 0
        for key in [key for key in attributes if SEPARATOR in key]:
            attributes[split_name(key)] = attributes.pop(key)
        self.DocumentStartEvent(
            domish.Element(split_name(name), self._root_default, attributes, self._root_prefixes)
        )

    def _got_end(self, _: str) -> None:
        raise NotImplementedError

    def _got_text(self, text: str) -> None:
        """Text between stanzas."""
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

    def _drop(self, reason: str) -> None:
        """Stop building this stanza; the first reason is the one reported."""
        if not self._dropped:
            self._dropped = reason
            self._is_own = False


def is_own_answer(name: str, attributes: dict[Any, str]) -> bool:
    """Whether the tag starts an iq result that only our own server can send.

    Such a result has no ``from``, or our bare JID (RFC 6120, 8.1.2.1); the server
    stamps the stanzas of all others with their JIDs.
    """
    if name != _IQ or attributes.get("type") != "result":
        return False
    sender, own = attributes.get("from"), attributes.get("to", "").partition("/")[0]
    return sender is None or (sender == own and "@" in own)


def _make_parser() -> Any:
    parser = ParserCreate("UTF-8", SEPARATOR)
    parser.buffer_text = True
    # COMPAT: expat 2.6 defers parsing until more data comes, which in a stream may be
    # never. What that guards against never reaches it (tag_limits). Older releases of
    # Python neither do this nor know the name.
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    return parser
