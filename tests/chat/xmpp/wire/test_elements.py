"""The element stream: valid input in any chunks, and hostile input."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import END, HEADER, HONEST_TREES, PROPERTY, shape
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.wire import elements, ns
from xbot.chat.xmpp.wire.elements import StreamViolation
from xbot.chat.xmpp.wire.serialize import serialize

INTACT = "<message id='next'><body>intact</body></message>"


class Sink:
    """An element stream, or Twisted's own, and what came out of it."""

    def __init__(self, stream=None, opened=True):
        self.roots, self.found, self.dropped, self.ends = [], [], [], 0
        self.stream = stream or DomishElementStream()
        self.stream.DocumentStartEvent = self.roots.append
        self.stream.ElementEvent = self.found.append
        self.stream.DroppedEvent = self.dropped.append
        self.stream.DocumentEndEvent = self._got_end
        if opened:
            self.feed(HEADER)

    def _got_end(self):
        self.ends += 1

    def feed(self, data, size=65536):
        """As a transport does: in pieces."""
        data = data.encode() if isinstance(data, str) else data
        for start in range(0, len(data), size):
            self.stream.parse(data[start : start + size])


def nested(depth):
    return "<message>" + "<a>" * (depth - 1) + "</a>" * (depth - 1) + "</message>"


def wide(count):
    return "<message>" + "<a/>" * (count - 1) + "</message>"


def attributed(count):
    return "<message " + " ".join(f"a{number}=''" for number in range(count)) + "/>"


def declaring(count):
    return "<message " + " ".join(f"xmlns:a{n}='u'" for n in range(count)) + "/>"


class HonestTests(unittest.TestCase):
    @PROPERTY
    @given(HONEST_TREES, st.integers(1, 40))
    def test_what_is_serialized_is_read_back(self, tree, size):
        """A tree that we send is, to whoever parses it, the tree that was meant."""
        sink = Sink()
        sink.feed(serialize(tree, ns.CLIENT), size)
        self.assertEqual([shape(found) for found in sink.found], [shape(tree)])

    @PROPERTY
    @given(st.lists(HONEST_TREES, max_size=3), st.integers(1, 40))
    def test_agrees_with_twisted(self, trees, size):
        """What honest peers send makes the trees that Twisted's own parser makes, in any pieces."""
        data = HEADER.encode()
        data += b" ".join(serialize(tree, ns.CLIENT) for tree in trees) + END.encode()
        ours, theirs = Sink(opened=False), Sink(domish.ExpatElementStream(), opened=False)
        # In one piece: Twisted's own may wait for more than has come (expat 2.6).
        ours.feed(data, size)
        theirs.feed(data)
        self.assertEqual(
            [shape(found) for found in ours.found], [shape(found) for found in theirs.found]
        )
        self.assertEqual(len(ours.found), len(trees))
        for attribute in "uri", "name", "defaultUri", "attributes", "localPrefixes":
            self.assertEqual(getattr(ours.roots[0], attribute), getattr(theirs.roots[0], attribute))
        for mine, other in zip(ours.found, theirs.found, strict=True):
            self.assertEqual(mine.defaultUri, other.defaultUri)
            self.assertEqual(mine.localPrefixes, other.localPrefixes)
        self.assertEqual((ours.ends, theirs.ends), (1, 1))

    def test_prefixes(self):
        """Prefixed names and attributes are known by their namespaces."""
        sink = Sink()
        sink.feed("<p:a xmlns:p='urn:p' p:k='1' xml:lang='en'><b/><c xmlns='urn:c'/><d/></p:a>")
        (found,) = sink.found
        self.assertEqual(
            shape(found),
            (
                "urn:p",
                "a",
                {("urn:p", "k"): "1", ("http://www.w3.org/XML/1998/namespace", "lang"): "en"},
                [(ns.CLIENT, "b", {}, []), ("urn:c", "c", {}, []), (ns.CLIENT, "d", {}, [])],
            ),
        )
        self.assertEqual(found.firstChildElement().parent, found)

    def test_many_lines_are_one_text(self):
        """256 KiB of newlines are one child, however many pieces the parser tells them in."""
        sink = Sink()
        body = "\n" * 262_144
        sink.feed(f"<message><body>{body}</body></message>", 4096)
        self.assertEqual(sink.found[0].body.children, [body])

    def test_white_space_between_stanzas(self):
        """White space keeps a connection alive, however much of it comes."""
        sink = Sink()
        for _ in range(elements.MAX_UNFINISHED_BYTES // 65536 + 2):
            sink.feed(" \n" * 32768)
        sink.feed(INTACT)
        self.assertEqual((len(sink.found), sink.dropped), (1, []))


class ViolationTests(unittest.TestCase):
    def test_no_xmpp_stream_holds_this(self):
        """What RFC 6120 forbids on a stream, or is not XML, ends it, and no stanza comes of it."""
        table = {
            "doctype": b"<message/><!DOCTYPE x>",
            "entity": b"<message>&lol;</message>",
            "instruction": b"<message><?php x?></message>",
            "instruction between": b"<?php x?>",
            "comment": b"<message><!-- x --></message>",
            "comment between": b"<!-- x -->",
            "invalid UTF-8": b"<message>\xff</message>",
            "overlong UTF-8": b"<message>\xc0\xbc</message>",
            "surrogate": b"<message>\xed\xa0\x80</message>",
            "U+FFFE": b"<message>\xef\xbf\xbe</message>",
            "control character": b"<message>\x08</message>",
            "control reference": b"<message>&#8;</message>",
            "NUL": b"<message>\x00</message>",
            "separator reference": b"<message xmlns='a&#12;b'/>",
            "unknown prefix": b"<p:message/>",
            "text between": b" x <iq/>",
            "CDATA between": b"<![CDATA[x]]>",
            "wrong end": b"<message></iq>",
            "second declaration": b"<?xml version='1.0'?>",
            "second header": HEADER.partition("?>")[2].encode() + b"<message/>",
            "second header, another version": b"<stream:stream/>",
            "twice an attribute": b"<message a='' a=''/>",
            "after the end": END.encode() + b"<message/>",
        }
        for what, data in table.items():
            for size in 1, 65536:
                sink = Sink()
                with self.assertRaises(StreamViolation, msg=what):
                    sink.feed(data, size)
                self.assertLessEqual(len(sink.found), 1, what)
                if sink.found:
                    self.assertEqual(what, "doctype")

    def test_no_stream_begins_like_this(self):
        """A document type, entities, another protocol: it ends before a root is told."""
        table = {
            "entities": "<!DOCTYPE x [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><x>&b;</x>",
            "bare doctype": "<!DOCTYPE x><x/>",
            "external": "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
            "comment": "<!-- x --><x/>",
            "HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n",
            "SSH": "SSH-2.0-x\r\n",
        }
        for what, text in table.items():
            sink = Sink(opened=False)
            with self.assertRaises(StreamViolation, msg=what):
                sink.feed(text)
            self.assertEqual(sink.roots, [], what)

    def test_never_ends(self):
        """A stanza, a tag, an attribute or a prologue without an end is cut off."""
        for start, opened in ("<message>", 1), ("<message a='", 1), ("<message", 1), ("", 0):
            sink = Sink(opened=bool(opened))
            sink.feed(start)
            with self.assertRaises(StreamViolation, msg=start):
                for _ in range(elements.MAX_UNFINISHED_BYTES // 65536 + 1):
                    sink.feed(" " * 65536)
            self.assertEqual(sink.found, [])

    def test_superseded(self):
        """After the element that ends an unprotected stream nothing of it is taken."""
        table = ("<message/>", "x", "<!-- x -->", "<?x y?>", "&lt;", "<![CDATA[x]]>", "<message>")
        for after in table:
            for together in True, False:
                sink = Sink()
                sink.stream.ElementEvent = lambda element, sink=sink: (
                    sink.found.append(element),
                    sink.stream.supersede(),
                )
                with self.assertRaises(StreamViolation, msg=after):
                    if together:
                        sink.feed(f"<proceed/> {after}")
                    else:
                        sink.feed("<proceed/>")
                        sink.feed(after)
                self.assertEqual([element.name for element in sink.found], ["proceed"])

    def test_superseded_by_white_space(self):
        """White space behind that element is no matter."""
        sink = Sink()
        sink.feed("<proceed/>")
        sink.stream.supersede()
        sink.feed(" \r\n\t")
        self.assertEqual(len(sink.found), 1)


class DroppedTests(unittest.TestCase):
    def assert_dropped(self, reason, stanza, size):
        sink = Sink()
        sink.feed(INTACT)
        sink.feed(f"{stanza}{INTACT}", size)
        self.assertEqual(sink.dropped, [reason], stanza[:80])
        self.assertEqual([shape(found) for found in sink.found], [shape(sink.found[0])] * 2)
        self.assertEqual(str(sink.found[1].body), "intact")

    def test_namespaces_with_white_space(self):
        """White space in a namespace costs that stanza only: a room's history may repeat it."""
        for uri in "a b", " ", "a&#9;b", "a&#10;b", "a&#13;b", "a\nb", "a\u00a0b", "a\u2003b":
            for stanza in (
                f"<message><body>x</body><x xmlns='{uri}'>y<z/></x>w</message>",
                f"<message xmlns='{uri}'><body/></message>",
                f"<message xmlns:p='{uri}'/>",
                f"<message><a><p:x xmlns:p='{uri}' p:k=''/></a></message>",
            ):
                for size in 1, 65536:
                    self.assert_dropped("white space in a namespace", stanza, size)

    def test_beyond_the_limits(self):
        """A stanza too deep, wide or adorned is dropped; one at the limit is delivered."""
        table = (
            ("nested too deep", nested, elements.MAX_DEPTH),
            ("too many elements", wide, elements.MAX_ELEMENTS),
            ("too many attributes", attributed, elements.MAX_ATTRIBUTES),
            ("too many namespaces", declaring, elements.MAX_ATTRIBUTES),
        )
        for reason, make, limit in table:
            sink = Sink()
            sink.feed(make(limit))
            self.assertEqual((len(sink.found), sink.dropped), (1, []), reason)
            self.assert_dropped(reason, make(limit + 1), 65536)

    def test_far_beyond_the_limits(self):
        """100,000 levels cost no recursion."""
        self.assert_dropped("nested too deep", nested(100_000), 65536)

    def test_too_many_bytes(self):
        """A stanza beyond the size is dropped, be its bytes in one text or in many tags."""
        long = "x" * (elements.MAX_STANZA_BYTES + 65536)
        self.assert_dropped("too many bytes", f"<message><body>{long}</body></message>", 65536)
        many = f"<a b='{long[:400_000]}'/>" * 3
        self.assert_dropped("too many bytes", f"<message>{many}</message>", 65536)

    def test_a_long_tag(self):
        """A tag that is too long, or has too many values, costs its stanza only, wherever it is."""
        long = "x" * (elements.MAX_TAG_BYTES + 10)
        many = " ".join(f"xmlns:a{n}='>'" for n in range(20_000))
        table = {
            "too long a tag": (
                f"<message a='{long}'/>",
                f"<message a='{long}'><body>x</body></message>",
                f"<message><a/><b c='{long}'><d/></b><e>x</e></message>",
                f"<message><a></a{' ' * len(long)}></message>",
            ),
            "too many attributes": (
                f"<message {many}/>",
                f"<message {many}><a7:x/><![CDATA[</message><x a=']]></message>",
                f"<x xmlns='urn:u'><y xmlns='urn:y'><message {many}><a7:x/></message></y></x>",
                f"<message><body>a&lt;b</body><a7:x {many}></a7:x{' ' * len(long)}></message>",
            ),
        }
        for reason, stanzas in table.items():
            for stanza in stanzas:
                for size in 1400, 16384:
                    self.assert_dropped(reason, stanza, size)

    def test_after_a_large_one(self):
        """What our server may send, the next one may not."""
        for more in "", "<a/>" * 3000, "x" * 2_000_000, "<p:a xmlns:p='q'/>":
            sink = Sink()
            sink.feed(f"<iq type='result'><x/>{more}</iq>", 16384)
            with self.assertRaises(StreamViolation, msg=more[:9]):
                sink.feed(f"<message>{'x' * (elements.MAX_UNFINISHED_BYTES + 100)}", 16384)
            self.assertEqual((len(sink.found), sink.dropped), (1, []))

    def test_in_a_dropped_stanza(self):
        """A long tag in a stanza that is dropped for something else does not hide its end."""
        long = f"<x a='{'x' * elements.MAX_TAG_BYTES}'>"
        for opened in 1, 2, 100:
            stanza = "<message xmlns='a b'>" + "<a>" * opened + long + "</x>" + "</a>" * opened
            self.assert_dropped("white space in a namespace", stanza + "</message>", 16384)

    def test_a_long_tag_of_no_stanza(self):
        """The end of a stream, its header, or what comes after it, is not waited for."""
        long = " " * (elements.MAX_TAG_BYTES + 10)
        for opened, text in (True, f"</stream:stream{long}>"), (False, f"<stream:stream {long}>"):
            with self.assertRaises(StreamViolation):
                Sink(opened=opened).feed(text, 16384)
        sink = Sink()
        sink.stream.supersede()
        with self.assertRaises(StreamViolation):
            sink.feed(f"<message {long}/>", 16384)

    def test_forbidden_in_a_skipped_stanza(self):
        """What no stream may hold ends it there too."""
        start = f"<message {'a' * (elements.MAX_TAG_BYTES + 10)}=''>"
        for rest in "<!-- x -->", "<?x?>", "<!DOCTYPE x>", "</message", "<a b=''c<d/>":
            with self.assertRaises(StreamViolation, msg=rest):
                Sink().feed(f"{start}{rest}<a/></message>", 16384)

    def test_markup_that_does_not_end(self):
        """Other markup that the parser would begin anew with each piece is not waited for."""
        long = "x" * (elements.MAX_TOKEN_BYTES + 10)
        for start in "<!-- >", "<?x >", "&":
            with self.assertRaises(StreamViolation, msg=start):
                Sink().feed(f"<message><body>{start}{long}", 1000)

    def test_a_large_roster(self):
        """What the server answers for our account may be large; what others send may not."""
        to = "to='xbot@example.org/1'"
        for mine, size in (to, 20_000), (f"{to} from='xbot@example.org'", 5000), ("", 5000):
            items = "".join(
                f"<item jid='user{n}@example.org'><group>x</group></item>" for n in range(size)
            )
            query = f"<query xmlns='jabber:iq:roster'>{items}</query>"
            sink = Sink()
            sink.feed(f"<iq type='result' {mine}>{query}</iq>{INTACT}", 16384)
            self.assertEqual((len(sink.found), sink.dropped), (2, []))
            self.assertEqual(len(sink.found[0].query.children), size)
        for other in (
            f"<iq type='result' from='a@b' {to}>{query}</iq>",
            f"<iq type='result' from='xbot@example.org/2' {to}>{query}</iq>",
            f"<iq type='result' from=''>{query}</iq>",
            f"<iq type='set' {to}>{query}</iq>",
            f"<message>{query}</message>",
        ):
            self.assert_dropped("too many elements", other, 16384)
        self.assert_dropped("too many elements", f"<iq type='result'>{'<a/>' * 150_001}</iq>", 9999)

    def test_nothing_is_held_back(self):
        """What is there is delivered, though nothing more may ever come."""
        sink = Sink()
        for character in "<message><body>hi</body></message>":
            sink.feed(character)
        self.assertEqual(len(sink.found), 1)

    def test_long_but_honest(self):
        """Many large stanzas in a row are delivered, each counted for itself."""
        sink = Sink()
        text = "x" * 600_000
        sink.feed(f"<message><body>{text}</body></message>" * 5)
        self.assertEqual([str(found.body) for found in sink.found], [text] * 5)

    def test_namespaces_after_a_dropped_stanza(self):
        """Nothing of a dropped stanza stays: the next one's default namespace is the stream's."""
        sink = Sink()
        sink.feed(
            "<message xmlns='a b'><x xmlns='c d'><y/></x></message><message><body/></message>"
        )
        self.assertEqual(
            shape(sink.found[0]), (ns.CLIENT, "message", {}, [(ns.CLIENT, "body", {}, [])])
        )
        self.assertEqual(sink.found[0].localPrefixes, {})


class NamesTests(unittest.TestCase):
    """Bound on names: expat keeps every name as long as its parser lives."""

    def streams(self):
        for make in DomishElementStream, FastPathElementStream:
            yield Sink(make())

    def named(self, number):
        """Stanzas with names that nobody used before."""
        tags = "".join(f"<n{number}x{each} a{number}x{each}=''/>" for each in range(1900))
        return f"<message>{tags}</message><stream:x/>{INTACT}"

    def test_forgotten(self):
        """Names are forgotten, in whatever pieces the stream comes, and nothing else is."""
        self.patch(elements, "MAX_PARSER_BYTES", 50_000)
        for size in 65536, 4099, 16384:
            for sink in self.streams():
                first = sink.stream._parser
                for number in range(12):
                    sink.feed(self.named(number), size)
                    self.assertLess(len(sink.stream._parser.intern), 20_000)
                self.assertIsNot(sink.stream._parser, first)
                self.assertEqual(len(sink.found), 36)
                self.assertEqual(sink.dropped, [])
                for intact in sink.found[2::3]:
                    self.assertEqual(shape(intact), shape(sink.found[2]))
                self.assertEqual(sink.found[1].uri, sink.found[-2].uri)
                with self.assertRaises(StreamViolation):
                    sink.feed("<!DOCTYPE x>")
                self.assertEqual(sink.ends, 0)

    def test_the_end(self):
        """The end of the stream is known to the parser that took over."""
        self.patch(elements, "MAX_PARSER_BYTES", 1000)
        for sink in self.streams():
            for _ in range(100):
                sink.feed(INTACT)
            sink.feed(END)
            self.assertEqual((len(sink.found), sink.ends), (100, 1))

    def test_too_many(self):
        """A stream that leaves no place between its stanzas ends before the memory does."""
        self.patch(elements, "MAX_PARSER_BYTES", 1000)
        self.patch(elements, "MAX_NAMES", 10_000)
        for sink in self.streams():
            sink.feed("<message>")
            with self.assertRaises(StreamViolation):
                for number in range(10):
                    sink.feed(self.named(number).partition("</message>")[0][len("<message>") :])
