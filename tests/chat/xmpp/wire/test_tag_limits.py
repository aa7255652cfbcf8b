"""Limits on tags, enforced before the parser sees them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import END, HEADER, HONEST_TREES, PROPERTY, shape
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from tests.chat.xmpp.wire.test_fast_elements import MANY, PIECES
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.elements import StreamViolation
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.chat.xmpp.wire.tag_limits import UnfinishedTag, unfinished_tag

QUOTES = [
    " a='>'",
    ' b=">\'"',
    " c='\"/>'",
    "<![CDATA[<a '>\"]]>",
    "<![CDATA[<a b=']]>",
    "<a b='>'/>",
]


class Eager(DomishElementStream):
    """A stream that passes every byte to the parser at once."""

    def _feed(self, data):
        self._pass(data)


class Listener:
    """Records the events of a stream."""

    def __init__(self, stream):
        self.told = []
        self.is_over = False
        self._stream = stream
        stream.DocumentStartEvent = lambda root: self.told.append(("root", shape(root)))
        stream.ElementEvent = lambda element: self.told.append(("stanza", shape(element)))
        stream.DroppedEvent = lambda reason: self.told.append(("dropped", reason))
        stream.DocumentEndEvent = lambda: self.told.append(("end",))

    def feed(self, data):
        try:
            self._stream.parse(data)
        except StreamViolation:
            self.is_over = True


class PromptTests(unittest.TestCase):
    def assert_prompt(self, data, sizes):
        """After each piece all was told that a parser which sees every byte tells."""
        listeners = [
            Listener(make()) for make in (Eager, DomishElementStream, FastPathElementStream)
        ]
        eager, *others = listeners
        at = 0
        while at < len(data) and not any(each.is_over for each in others):
            size = sizes[at % len(sizes)]
            for listener in listeners:
                if not listener.is_over:
                    listener.feed(data[at : at + size])
            at += size
            for other in others:
                self.assertEqual(other.told, eager.told, data[:at])
        return eager, others

    @MANY
    @given(
        st.lists(st.sampled_from(PIECES + QUOTES), max_size=15),
        st.lists(st.integers(1, 40), min_size=1, max_size=7),
    )
    def test_anything(self, pieces, sizes):
        """Nothing is told later, in whatever pieces; what is wrong ends it all the same."""
        data = (HEADER + "".join(pieces) + "<x/>").encode()
        eager, others = self.assert_prompt(data, sizes)
        for other in others:
            self.assertEqual(other.is_over, eager.is_over)

    @PROPERTY
    @given(st.lists(HONEST_TREES, max_size=3), st.lists(st.integers(1, 30), min_size=1, max_size=7))
    def test_honest(self, trees, sizes):
        """Honest stanzas are told with their last byte."""
        data = HEADER.encode() + b"".join(serialize(tree, ns.CLIENT) for tree in trees)
        eager, _ = self.assert_prompt(data + END.encode(), sizes)
        self.assertEqual(len(eager.told), len(trees) + 2)


class TagTests(unittest.TestCase):
    def test_unfinished(self):
        """A tag ends with the first ">" that is in no quotes."""
        for whole in b"", b"text", b"<a>", b"<a b='<'>", b"<a b='>'/>", b'<a b="\'>"/> x':
            self.assertIn(unfinished_tag(whole), (len(whole), whole.rfind(b"<'")))
        for data, start in (
            (b"<", 0), (b"x<a", 1), (b"<a/><b c='>", 4), (b"<a b=\"'>'", 0), (b"<a b='x' ", 0),
        ):  # fmt: skip
            self.assertEqual(unfinished_tag(data), start, data)

    def test_values(self):
        """Values are counted, in whatever pieces they come, and what looks like more is none."""
        data = b"<a b='x' c=\"'''>=\" d='\"\"'"
        for size in range(1, len(data) + 1):
            tag = UnfinishedTag()
            for at in range(0, len(data), size):
                self.assertIsNone(tag.take(data[at : at + size]))
            self.assertEqual((tag.values, tag.size, tag.text()), (3, len(data), data))
            self.assertEqual(tag.take(b" /><b/>"), 3)
            self.assertEqual(tag.text(), data + b" />")

    def test_forgotten(self):
        """Of a long one is kept what it is to the depth."""
        table = {b"<a b='": b"<x>", b"</a ": b"</x>", b"<": b"<x>"}
        for start, text in table.items():
            for end, empty in ((b">", b""), (b"/>", b"/")):
                if empty and text == b"</x>":
                    continue
                tag = UnfinishedTag()
                tag.take(start)
                tag.forget()
                tag.take(b"'" if b"'" in start else b" ")
                for at in range(len(end)):
                    tag.take(end[at : at + 1])
                self.assertEqual(tag.text(), text[:-1] + empty + b">", (start, end))
