"""Test oracle: a simple parser that builds ``domish`` trees, with the product's limits.

The product's parser builds nodes, with several fast paths. The differential tests hold
it against this one.
"""

from __future__ import annotations

from typing import Any

from twisted.words.xish import domish

from xbot.chat.xmpp.wire.elements import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    SEPARATOR,
    ElementStream,
    StreamViolation,
    is_own_answer,
)
from xbot.chat.xmpp.wire.nodes import split_name


class DomishElementStream(ElementStream):
    """Builds the same trees as Twisted's own parser; ``NodeEvent`` is never called."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.EndNamespaceDeclHandler = self._namespace_ended
        self._depth = 0
        self._default_namespaces = [""]
        # The length of that list at the root.
        self._root_defaults = 1
        self._current: domish.Element | None = None
        self._text: list[str] = []

    def parse(self, data: bytes) -> None:
        self._unfinished += len(data)
        self._feed(data)
        self._check_lengths(self._depth > 0)

    @property
    def _open_elements(self) -> int:
        return self._depth

    @property
    def _is_between(self) -> bool:
        return self._root_open and not self._depth

    def _got_skipped(self) -> None:
        self._depth = 1
        del self._default_namespaces[self._root_defaults :]
        self._prefixes = {}
        self._got_end("")

    def _got_namespace(self, prefix: str | None, uri: str | None) -> None:
        super()._got_namespace(prefix, uri)
        if prefix is None:
            self._default_namespaces.append(uri or "")

    def _namespace_ended(self, prefix: str | None) -> None:
        if prefix is None:
            self._default_namespaces.pop()

    def _got_start(self, name: str, attributes: dict[Any, str]) -> None:
        if not self._root_open or self._superseded:
            self._root_defaults = len(self._default_namespaces)
            super()._got_start(name, attributes)
            return
        prefixes, self._prefixes = self._prefixes, {}
        if not self._depth and name == self._root:
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
        for key in [key for key in attributes if SEPARATOR in key]:
            attributes[split_name(key)] = attributes.pop(key)
        default = self._default_namespaces[-1]
        element = domish.Element(split_name(name), default, attributes, prefixes)
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
        dropped, self._dropped = self._dropped, ""
        self._current = None
        self._text = []
        self._is_own = False
        self._elements = self._unfinished = 0
        if dropped:
            self.DroppedEvent(dropped)
        elif current is not None:
            self.ElementEvent(current)

    def _got_text(self, text: str) -> None:
        if not self._depth:
            super()._got_text(text)
        elif not self._dropped:
            self._text.append(text)

    def _drop(self, reason: str) -> None:
        super()._drop(reason)
        self._current = None
        self._text = []

    def _flush_text(self) -> None:
        # Joined once: adding piece by piece to an element is quadratic.
        if self._text:
            assert self._current is not None
            self._current.children.append("".join(self._text))
            self._text = []
