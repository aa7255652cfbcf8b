"""The fast element stream: the same stanzas and the same refusals as the reference."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import END, HEADER, HONEST_TREES, PROPERTY, shape
from tests.chat.xmpp.wire import test_elements
from tests.chat.xmpp.wire.test_elements import INTACT, Sink, attributed, declaring, nested, wide
from tests.effort import examples
from xbot.chat.xmpp.stanzas.counts import read_element
from xbot.chat.xmpp.stanzas.fast_path import (
    MESSAGE,
    PRESENCE,
    glance_at_message,
    glance_at_presence,
    glance_at_subject,
)
from xbot.chat.xmpp.stanzas.fast_path_bytes import SkimmingElementStream
from xbot.chat.xmpp.wire import elements, fast_elements, ns
from xbot.chat.xmpp.wire.elements import ElementStream, StreamViolation
from xbot.chat.xmpp.wire.nodes import NAME, element_of, full_name, split_name, text_of
from xbot.chat.xmpp.wire.serialize import serialize


class FastViolationTests(test_elements.ViolationTests):
    """The same tests as for the reference stream."""

    def setUp(self):
        self.patch(test_elements, "ElementStream", SkimmingElementStream)


class FastDroppedTests(test_elements.DroppedTests):
    """The same tests as for the reference stream."""

    setUp = FastViolationTests.setUp


def count_of(node):
    """What a node of XEP-0198 says."""
    try:
        return read_element(element_of(node))
    except ValueError:
        return None


GLANCES = {
    MESSAGE: lambda node: glance_at_message(node) or glance_at_subject(node),
    PRESENCE: glance_at_presence,
    full_name(ns.SM, "r"): count_of,
    full_name(ns.SM, "a"): count_of,
}


def story(stream, data, size, glances=False):
    """Everything that a stream tells of these bytes, in order.

    With ``glances`` plain stanzas as what a glance tells of them; None: that is
    never read off their bytes.
    """
    told = []

    def got_glance(seen):
        told.append(("glance", seen))
        return True

    def got_node(node):
        seen = GLANCES.get(node[NAME], lambda node: None)(node)
        return seen is not None and got_glance(seen)

    if glances is not False:
        stream.NodeEvent = got_node
        stream.GlanceEvent = got_glance if glances else None
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
        theirs = story(ElementStream(), data, size)
        self.assertEqual(story(SkimmingElementStream(), data, size), theirs, data[:500])
        if b"r@c.x/" in data or COUNTED.encode() in data:
            skimmed, parsed = (
                # Of two violations the parser may come to another one first.
                [each if each[0] != "violation" else each[:1] for each in told]
                for told in (
                    # No transport reads more at once.
                    story(SkimmingElementStream(), data, min(size, 65536), glances=glances)
                    for glances in (True, None)
                )
            )
            self.assertEqual(skimmed, parsed, data[:500])
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
            sink = Sink(SkimmingElementStream())
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
        stream, nodes, seen = SkimmingElementStream(), [], []
        stream.DocumentStartEvent = lambda root: None
        stream.NodeEvent = lambda node: nodes.append(split_name(node[NAME])[1]) or True
        stream.GlanceEvent = lambda glance: seen.append(glance) or True
        stream.parse(HEADER.encode())
        stream.parse(b"<iq/>")
        counted = f"{PLAIN}{COUNTED}{COUNTED}{THERE}{COUNTED}"
        for text in PLAIN + THERE, f"\n{PLAIN}\n", f"<r/>{THERE}<iq/>{PLAIN}{PLAIN}", counted:
            stream.parse(text.encode())
        self.assertEqual(len(seen), 11)
        self.assertEqual(nodes, ["iq", "r", "iq"])
        stream.GlanceEvent = lambda glance: False
        stream.parse(f"{PLAIN}{THERE}".encode())
        self.assertEqual(nodes[3:], ["message", "presence"])

    def test_another_default(self):
        """In a stream that is not for clients nothing is plain."""
        header = HEADER.replace("jabber:client", "jabber:server")
        self.assertNotEqual(header, HEADER)
        data = (header + INTACT + PLAIN + THERE).encode()
        told = story(SkimmingElementStream(), data, 16384, glances=True)
        self.assertEqual([kind for kind, *_ in told], ["root", "stanza", "stanza", "stanza"])

    def test_prefixes(self):
        """Elements made of nodes do not keep prefixes, which nobody asks for."""
        sink = Sink(SkimmingElementStream())
        sink.feed("<p:a xmlns:p='urn:p'/>")
        self.assertEqual((sink.found[0].uri, sink.found[0].localPrefixes), ("urn:p", {}))

    def test_nothing_is_held_back(self):
        """What is there is delivered, though nothing more may ever come."""
        sink = Sink(SkimmingElementStream())
        for character in "<message><body>hi</body></message>":
            sink.feed(character)
        self.assertEqual(len(sink.found), 1)

    def test_what_was_taken_is_not_told(self):
        """A node that somebody took is not made an element; the next one may be."""
        stream = SkimmingElementStream()
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
        stream = SkimmingElementStream()
        data = "".join(f"<message><a{n} xmlns='urn:{n}'/></message>" for n in range(3000))
        told = story(stream, (HEADER + data).encode(), 16384)
        self.assertEqual(len(told), 3001)
        self.assertLessEqual(len(stream._known), fast_elements._MAX_KNOWN)
