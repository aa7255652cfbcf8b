"""The fast element stream: the same stanzas and the same refusals as the reference."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import END, HEADER, HONEST_TREES, PROPERTY, shape
from tests.chat.xmpp.wire import test_elements
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from tests.chat.xmpp.wire.test_elements import INTACT, Sink, attributed, declaring, nested, wide
from tests.effort import examples
from xbot.chat.xmpp.stanzas.addresses import read_occupant
from xbot.chat.xmpp.stanzas.counts import read_element
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream, PlainPresence
from xbot.chat.xmpp.stanzas.message import MESSAGE, NotAMessage, read_message
from xbot.chat.xmpp.stanzas.presence import PRESENCE, read_presence
from xbot.chat.xmpp.wire import elements, fast_elements, ns
from xbot.chat.xmpp.wire.elements import StreamViolation
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, NAME, element_of, full_name, split_name, text_of
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.model.errors import InvalidJid


class FastViolationTests(test_elements.ViolationTests):
    """The same tests as for the reference stream."""

    def setUp(self):
        self.patch(test_elements, "DomishElementStream", FastPathElementStream)


class FastDroppedTests(test_elements.DroppedTests):
    """The same tests as for the reference stream."""

    setUp = FastViolationTests.setUp


def count_of(node):
    """What a node of XEP-0198 says."""
    try:
        return read_element(element_of(node))
    except ValueError:
        return None


def message_of(node):
    """The message that the reader on nodes finds; None if it refuses it."""
    try:
        return read_message(node, "xbot@example.org", "example.org")
    except NotAMessage:
        return None


def presence_of(node):
    """The available presence of an occupant; None for any other."""
    try:
        room, nick = read_occupant(node[ATTRIBUTES].get("from", ""))
    except InvalidJid:
        return None
    if nick is None or "type" in node[ATTRIBUTES]:
        return None
    return PlainPresence(room, read_presence(node, nick))


#: What the rules say of a node that the fast path may have read from its bytes.
READERS = {
    MESSAGE: message_of,
    PRESENCE: presence_of,
    full_name(ns.SM, "r"): count_of,
    full_name(ns.SM, "a"): count_of,
}


def story(stream, data, size, plain=False):
    """Everything that a stream tells of these bytes, in order.

    With ``plain`` stanzas as what the readers make of them; None: without the fast path
    on bytes.
    """
    told = []

    def got_plain(seen):
        told.append(("plain", seen))
        return True

    def got_node(node):
        seen = READERS.get(node[NAME], lambda node: None)(node)
        return seen is not None and got_plain(seen)

    if plain is not False:
        stream.NodeEvent = got_node
        stream.PlainEvent = got_plain if plain else None
    stream.DocumentStartEvent = lambda root: told.append(("root", shape(root)))
    stream.ElementEvent = lambda element: told.append(("stanza", shape(element)))
    stream.DroppedEvent = lambda reason: told.append(("dropped", reason))
    stream.DocumentEndEvent = lambda: told.append(("end",))
    try:
        for start in range(0, len(data), size):
            stream.parse(data[start : start + size])
    except StreamViolation as violation:
        told.append(("violation", str(violation)))
    return told


PLAIN = "<message type='groupchat' from='r@c.x/a'><body>hello</body></message>"
COUNTED = "<a xmlns='urn:xmpp:sm:3' h='7'/>"
THERE = (
    "<presence from='r@c.x/b'><x xmlns='http://jabber.org/protocol/muc#user'><item role='visitor'/>"
    "</x></presence>"
)

#: What streams are made of, honest or not. Together they make most mistakes there are.
PIECES = [
    "<message>", "</message>", "<message", "/>", ">", "<iq/>", "<a>", "</a>", "<a/>", "<", "'", " ",
    " xmlns='urn:u'", " xmlns='a b'", " xmlns=''", " xmlns='a&#9;b'", " xmlns='x\u00a0y'",
    " xmlns:p='urn:p'", " xmlns:p='p q'", "<p:a", "</p:a>", " p:k='v'", " k='v'", " k='&lt;'",
    "<stream:x", "</stream:x>", "<stream:stream", "</stream:stream>", " xml:lang='en'",
    "text", "\n", "&amp;", "&lt;", "&#10;", "&lol;", "]]>", "<![CDATA[", "<![CDATA[<x/>]]>",
    "<!-- x -->", "<?x y?>", "<!DOCTYPE x>", "<!", "<?", "xmlns:", "\u00e9", "\U0001f600", "\x00",
    "<body>hello</body>", PLAIN, PLAIN, THERE, COUNTED, INTACT, "<x xmlns='a b'><y/></x>",
    "<stream:y xmlns='c d'/>",
]  # fmt: skip


MANY = settings(PROPERTY, max_examples=examples(600))


class SameTests(unittest.TestCase):
    def assert_same(self, data, size):
        data = data.encode() if isinstance(data, str) else data
        theirs = story(DomishElementStream(), data, size)
        self.assertEqual(story(FastPathElementStream(), data, size), theirs, data[:500])
        if b"r@c.x/" in data or COUNTED.encode() in data:
            fast, parsed = (
                # Of two violations the parser may come to another one first.
                [each if each[0] != "violation" else each[:1] for each in told]
                for told in (
                    # No transport reads more at once.
                    story(FastPathElementStream(), data, min(size, 65536), plain=plain)
                    for plain in (True, None)
                )
            )
            self.assertEqual(fast, parsed, data[:500])
        return theirs

    def test_corpus(self):
        """Every stream that the reference's tests know has the same story, in any pieces."""
        stanzas = [
            nested(elements.MAX_DEPTH), nested(elements.MAX_DEPTH + 1), nested(3000),
            wide(elements.MAX_ELEMENTS), wide(elements.MAX_ELEMENTS + 1),
            attributed(elements.MAX_ATTRIBUTES), attributed(elements.MAX_ATTRIBUTES + 1),
            declaring(elements.MAX_ATTRIBUTES), declaring(elements.MAX_ATTRIBUTES + 1),
            f"<message><body>{'x' * (elements.MAX_STANZA_BYTES + 65536)}</body></message>",
            f"<message>{'<a/>' * 300_000}</message>",
            f"<message a='{'x' * (elements.MAX_TAG_BYTES + 65536)}",
            f"<message a='{'x' * (elements.MAX_TAG_BYTES + 65536)}'><a/></message>",
            attributed(20_000), declaring(20_000), f"<message>{'<a/>' * 900}</message>" * 3,
            f"<message/><message>{'<a><b/></a>' * 1200}</message>",
            f"<message>{'x' * 20_000}<a xmlns:p='p q'/></message>",
            *PIECES,
        ]  # fmt: skip
        for stanza in stanzas:
            data = f"{HEADER}{INTACT} {stanza}{INTACT}{END}"
            for size in (16384, 1 << 24) if len(data) > 1000 else (1, 7, 16384):
                self.assert_same(data, size)

    @MANY
    @given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 50))
    def test_anything(self, pieces, size):
        """Whatever is put together of tags, text, and what no stream may hold."""
        self.assert_same(HEADER + INTACT + "".join(pieces) + INTACT + END, size)

    @MANY
    @given(st.lists(HONEST_TREES, max_size=4), st.data())
    def test_damaged(self, trees, data):
        """Honest stanzas in which a few bytes were changed, lost or doubled."""
        text = bytearray(b"".join(serialize(tree, ns.CLIENT) for tree in trees) + END.encode())
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(text) - 1))
            width = data.draw(st.integers(0, 3))
            new = data.draw(st.binary(max_size=2) | st.sampled_from([b"<", b">", b"xmlns:", b"'"]))
            text[place : place + width] = new
            if not text:
                break
        self.assert_same(HEADER.encode() + bytes(text), data.draw(st.integers(1, 60)))

    def test_a_header_without_a_prefix(self):
        """A second one is refused in both, and a child of that name is not."""
        header = "<stream xmlns='http://etherx.jabber.org/streams'>"
        for text in "<a/><stream/><b/>", "<a/><x><stream/></x><b/>":
            for size in 1, 16384:
                told = self.assert_same(header + text, size)
        self.assertEqual(len(told), 4)

    def test_a_bad_header(self):
        """White space in a namespace of the header costs the first stanza in both."""
        header = HEADER.replace("<stream:stream", "<stream:stream xmlns:p='p q'")
        told = self.assert_same(header + INTACT * 2, 16384)
        self.assertIn(("dropped", "white space in a namespace"), told)

    def test_a_large_one_behind_a_small_one(self):
        """Wherever in the data a stanza begins, its elements are counted."""
        large = wide(elements.MAX_ELEMENTS + 1)
        for before in INTACT, "<message/>", "<message><a/></message>" * 100:
            sink = Sink(FastPathElementStream())
            for text in INTACT, before + large + INTACT:
                sink.feed(text, 1 << 24)
            self.assertEqual(sink.dropped, ["too many elements"])

    def test_where_nothing_plain_may_be(self):
        """What looks plain is none within a stanza, in CDATA, or behind what has not ended."""
        for before, behind in [
            ("<message>", "</message>"),
            ("<message xmlns='urn:u'>", "</message>"),
            ("<iq><![CDATA[", "]]></iq>"),
            ("<![CDATA[", "]]>"),
            ("text", ""),
            ("]", ""),
            ("\r", ""),
            ("<", ""),
            ("&", ""),
            ("<a b='", "'/>"),
            ("<!--", "-->"),
            ("<stream:x>", "</stream:x>"),
        ]:
            for size in 1, 7, len(HEADER + INTACT + before), 16384:
                for plain in PLAIN, THERE, COUNTED:
                    told = self.assert_same(HEADER + INTACT + before + plain + behind + END, size)
                    self.assertEqual(told[1][0], "stanza")

    def test_what_is_plain_is_never_parsed(self):
        """The parser sees what stands between, and whatever nobody took."""
        stream, nodes, seen = FastPathElementStream(), [], []
        stream.DocumentStartEvent = lambda root: None
        stream.NodeEvent = lambda node: nodes.append(split_name(node[NAME])[1]) or True
        stream.PlainEvent = lambda plain: seen.append(plain) or True
        stream.parse(HEADER.encode())
        stream.parse(b"<iq/>")
        counted = f"{PLAIN}{COUNTED}{COUNTED}{THERE}{COUNTED}"
        for text in PLAIN + THERE, f"\n{PLAIN}\n", f"<r/>{THERE}<iq/>{PLAIN}{PLAIN}", counted:
            stream.parse(text.encode())
        self.assertEqual(len(seen), 11)
        self.assertEqual(nodes, ["iq", "r", "iq"])
        stream.PlainEvent = lambda plain: False
        stream.parse(f"{PLAIN}{THERE}".encode())
        self.assertEqual(nodes[3:], ["message", "presence"])

    def test_another_default(self):
        """In a stream that is not for clients nothing is plain."""
        header = HEADER.replace("jabber:client", "jabber:server")
        self.assertNotEqual(header, HEADER)
        data = (header + INTACT + PLAIN + THERE).encode()
        told = story(FastPathElementStream(), data, 16384, plain=True)
        self.assertEqual([kind for kind, *_ in told], ["root", "stanza", "stanza", "stanza"])

    def test_prefixes(self):
        """Elements made of nodes do not keep prefixes, which nobody asks for."""
        sink = Sink(FastPathElementStream())
        sink.feed("<p:a xmlns:p='urn:p'/>")
        self.assertEqual((sink.found[0].uri, sink.found[0].localPrefixes), ("urn:p", {}))

    def test_nothing_is_held_back(self):
        """What is there is delivered, though nothing more may ever come."""
        sink = Sink(FastPathElementStream())
        for character in "<message><body>hi</body></message>":
            sink.feed(character)
        self.assertEqual(len(sink.found), 1)

    def test_what_was_taken_is_not_told(self):
        """A node that somebody took is not made an element; the next one may be."""
        stream = FastPathElementStream()
        taken = []
        stream.NodeEvent = lambda node: taken.append(node) or split_name(node[NAME])[1] == "iq"
        told = story(stream, f"{HEADER}<iq a='1'>x<b/>&lt;</iq>{INTACT}".encode(), 4)
        self.assertEqual([kind for kind, *_ in told], ["root", "stanza"])
        name, attributes, *children = taken[0]
        self.assertEqual((name, attributes), (full_name(ns.CLIENT, "iq"), {"a": "1"}))
        self.assertEqual(children, ["x", [full_name(ns.CLIENT, "b"), {}], "<"])

    def test_text_of(self):
        """Text is joined, in however many pieces it came."""
        for pieces in [], ["a"], ["a", "b", "c"]:
            self.assertEqual(text_of(["name", {}, *pieces]), "".join(pieces))

    def test_many_names(self):
        """Names and namespaces that strangers choose are not remembered without end."""
        stream = FastPathElementStream()
        data = "".join(f"<message><a{n} xmlns='urn:{n}'/></message>" for n in range(3000))
        told = story(stream, (HEADER + data).encode(), 16384)
        self.assertEqual(len(told), 3001)
        self.assertLessEqual(len(stream._known), fast_elements._MAX_KNOWN)
