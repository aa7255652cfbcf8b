"""The fast path on bytes: same results as the parser and the readers on nodes."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import HEADER, PROPERTY
from tests.chat.xmpp.wire.test_fast_elements import READERS
from tests.effort import examples
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream, ends_of_pieces, read_plain
from xbot.chat.xmpp.wire.elements import StreamViolation
from xbot.chat.xmpp.wire.nodes import NAME

ROOM = "room@muc.example.org"

#: As Prosody, ejabberd and a client of today write them.
PLAIN = [
    f"<message from='{ROOM}/alice' type='groupchat' to='xbot@example.org/bot' id='7dac'"
    " xml:lang='en'><body>xbot: ping</body>"
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='zDrsw/TQwTFpNZiasPxwTSeU8u4='/></message>",
    f"<message to='xbot@example.org/bot' from='{ROOM}/alice' type='groupchat'>"
    "<body>it&apos;s &lt;b&gt; &amp;amp; &quot;\U0001f600&quot;\n\t</body></message>",
    f"<message id='a&gt;b' from='{ROOM}/al' type='groupchat'><body>x</body></message>".replace(
        "&gt;", ">"
    ),
    f"<message type='groupchat' from='{ROOM}/\u00e9 x'><body/></message>".replace(
        "<body/>", "<body></body>"
    ),
    f"<message type='groupchat' from='{ROOM}/alice'>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    f"<stanza-id by='{ROOM}' xmlns='urn:xmpp:sid:0' id='s1'/><body>x</body>"
    "<markable xmlns='urn:xmpp:chat-markers:0'/>"
    "<delay stamp='2026-01-02T03:04:05Z' xmlns='urn:xmpp:delay' from='room@muc.example.org'/>"
    "<origin-id id='o1' xmlns='urn:xmpp:sid:0'/></message>",
    f"<message from='{ROOM}' type='groupchat' to='xbot@example.org/bot'><subject/></message>",
    f"<message type='groupchat' from='{ROOM}/alice' id='1'><subject>a &amp; b</subject>"
    "<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/></message>",
    f"<message type='groupchat' from='{ROOM}/alice'><subject>a</subject><body>b</body></message>",
]

X = "<x xmlns='http://jabber.org/protocol/muc#user'>"
PLAIN_PRESENCES = [
    f"<presence from='{ROOM}/alice' to='xbot@example.org/bot' id='p1' xml:lang='en'>"
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x.y' ver='q07=' ext=''/>"
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='zDrsw/TQwTFpNZiasPxwTSeU8u4='/>"
    f"{X}<item affiliation='none' role='participant' jid='user@example.org/pda'/></x></presence>",
    f"<presence from='{ROOM}/b\u00f6b'><show>away</show><status>it is late</status>"
    "<priority>5</priority><x xmlns='vcard-temp:x:update'><photo>da39a3ee</photo></x>"
    f"<idle xmlns='urn:xmpp:idle:1' since='x'/>{X}<item role='visitor'/></x></presence>",
    f"<presence from='{ROOM}/c'><x xmlns='vcard-temp:x:update'></x>{X}<item/></x></presence>",
    f"<presence from='{ROOM}/bot' to='xbot@example.org/bot'>{X}<status code='100'/><item"
    " role='participant' affiliation='none'/><status code='110'/></x></presence>",
    f"<presence from='{ROOM}/bot'>{X}<item/><status code='201'/><status code='110'/></x>"
    "</presence>",
]

ATTRIBUTES = [
    f" from='{ROOM}/alice'", f" from='{ROOM}'", " from='@'", " from='a/b/c'", f' from="{ROOM}/a"',
    " id='i'", " id=''", " id='a&lt;b'", " id='a\tb'", " id='\ufffe'", " id='\u0085'", " id='>'",
    " to='bot@example.org'", " xml:lang='en'", " xml:space='default'", " xmlns='jabber:client'",
    " xmlns='urn:other'", " type='chat'", " type='groupchat'", "  type='groupchat'", " Type='x'",
    " foo='bar'", " xmlns:p='urn:p'", "\ttype='groupchat'", " type ='groupchat'",
]  # fmt: skip
CHILDREN = [
    "<body>hi</body>", "<body>xbot: ping</body>", "<body></body>", "<body/>", "<body >x</body>",
    "<body>a&lt;b &amp;&amp; c&apos;d&quot;</body>", "<body>a&#10;b</body>", "<body>&lol;</body>",
    "<body>&amp;lt;</body>", "<body>a]]&gt;b</body>", "<body>a]]>b</body>", "<body>a>b</body>",
    "<body>a\r\nb</body>", "<body>a\x01b</body>", "<body>\ufffe</body>", "<body>\U0001fffe</body>",
    "<body>\u00e9\U0001f600</body>", "<body xml:lang='de'>hallo</body>", "<body>a<b/>c</body>",
    "<body xmlns='urn:other'>no</body>", "<body xmlns='jabber:client'>yes</body>", "text", " ",
    "<body>a</body >", "<body>a</Body>", "<body>a", "</body>", "<subject/>", "<subject>s</subject>",
    "<subject>a&lt;b</subject>", "<subject xml:lang='de'>s</subject>", "<subject>a<b/></subject>",
    "<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>", "<delay/>",
    "<delay xmlns='urn:xmpp:delay' stamp='x' from='y'></delay>", "<delay stamp='x'/>",
    "<x xmlns='jabber:x:delay'/>", f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/>",
    f"<stanza-id by='{ROOM}' id='s2' xmlns='urn:xmpp:sid:0'/>",
    "<stanza-id xmlns='urn:xmpp:sid:0'/>",
    "<stanza-id xmlns='urn:xmpp:sid:0' by='evil@example.org' id='s3'/>",
    f"<stanza-id by='{ROOM}' id='s4'/>",
    "<stanza-id xmlns='urn:other' by='x' id='s3'/>", "<stanza-id id='a' id='b' by='c'/>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>", "<origin-id xmlns='urn:xmpp:sid:0'/>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='o1' id='o2'/>", "<origin-id xmlns='urn:xmpp:sid:0'>",
    "<origin-id xmlns='urn:xmpp:sid:0' xmlns='urn:xmpp:sid:0' id='o1'/>", "<a><b/></a>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/>", "<occupant-id xmlns=' ' id='x'/>",
    "<occupant-id id='y' xmlns='urn:xmpp:occupant-id:0'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id=''/>",
    f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{'x' * 300}'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0'/>", "<occupant-id id='x'/>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/>", "<active/>",
    "<p:x xmlns:p='urn:p'/>",
    "<active xmlns='http://jabber.org/protocol/chatstates' xmlns='urn:a'/>", "<!-- x -->",
    "<?x y?>", "<store xmlns='urn:xmpp:hints'/>", "<request xmlns='urn:xmpp:receipts'/>",
    "<![CDATA[x]]>",
    "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>", "<message/>", "</message>",
]  # fmt: skip

PARTS = [
    f"{X}<item role='participant'/></x>", f"{X}<item jid='@'/></x>", f"{X}<item foo='x'/></x>",
    f"{X}<item affiliation='owner' role='moderator' jid='a@x.org/p'/></x>", f"{X}</x>", X, "</x>",
    f"{X}<item role='a' role='b'/></x>", f"{X}<item></item></x>", f"{X}<item/><item/></x>",
    f"{X}<item/><status code='110'/></x>", f"{X}<item nick='n'/></x>", f"{X}text<item/></x>",
    f"{X}<item jid='a&amp;b@x.org'/></x>", "<x xmlns='urn:other'><item/></x>", "<x><item/></x>",
    f"{X}<status code='110'/><status code='100'/><item/><status code='201'/></x>",
    f"{X}<status code='110'/></x>", f"{X}<status code='1'/><item/></x>", f"{X}<status/><item/></x>",
    f"{X}<item/><status code='\u0661\u0661\u0660'/></x>", f"{X}<item/><status code='110'></x>",
    f"{X}<item/><status code='110' a='b'/></x>", f"{X}<item/><status code='110' code='110'/></x>",
    "<show>away</show>", "<show/>", "<show>a</status>", "<status>x</status>",
    "<status>&lt;</status>",
    "<priority>1</priority>", "<x xmlns='vcard-temp:x:update'><photo/></x>", "<item/>",
    "<x xmlns='vcard-temp:x:update'><photo>a</photo></x>", "<x xmlns='vcard-temp:x:update'/>",
    "<c xmlns='http://jabber.org/protocol/caps' hash='h' node='n' ver='v'/>", "<c/>", "text",
    "<c xmlns='http://jabber.org/protocol/caps' ver='v' ver='v'/>", "<p:x xmlns:p='urn:p'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/>", "<idle xmlns='urn:xmpp:idle:1'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0'/>", "<occupant-id id='x'/>",
    f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{'x' * 300}'/>",
    "<error type='cancel'/>", "</presence>", "<presence/>",
]  # fmt: skip

START = f"<message type='groupchat' from='{ROOM}/alice'"


def parsed(data):
    """The nodes that the parser makes of these bytes; None if it refuses them."""
    stream, nodes = FastPathElementStream(), []
    stream.DocumentStartEvent = lambda root: None
    stream.DocumentEndEvent = lambda: None
    stream.DroppedEvent = nodes.append
    stream.NodeEvent = lambda node: nodes.append(node) or True
    try:
        stream.parse(HEADER.encode())
        # The one that the header came with is parsed in another way.
        stream.parse(b"<iq/>")
        nodes.clear()
        stream.parse(data)
    except StreamViolation:
        return None
    return nodes


class PlainTests(unittest.TestCase):
    def assert_true(self, data):
        """Whatever is said of these bytes, the parser says it too; gives whether anything is."""
        found = read_plain(data)
        if found is None:
            return False
        seen, length = found
        nodes = parsed(data[:length])
        self.assertEqual(len(nodes or ()), 1, data)
        self.assertEqual(READERS[nodes[0][NAME]](nodes[0]), seen, data)
        return True

    def test_plain(self):
        """What is usual is known, and what follows it does not matter."""
        for text in PLAIN + PLAIN_PRESENCES:
            data = text.encode()
            for behind in b"", b"<message", b"\n", b"text", "\u00e9".encode():
                self.assertEqual(read_plain(data + behind)[1], len(data), data)
                self.assertTrue(self.assert_true(data + behind))

    def test_counts(self):
        """The words of XEP-0198 are known as servers write them, and as the parser reads them."""
        uri, known = "xmlns='urn:xmpp:sm:3'", 0
        for text in (
            f"<r {uri}/>", f"<a {uri} h='0'/>", f"<a h='4294967295' {uri}/>", f"<a h='007' {uri}/>",
            f"<a {uri}/>", f"<r {uri} h='1'/>", "<r/>", "<a h='1'/>", f"<a {uri} h='12345678901'/>",
            f"<a {uri} h=''/>", f"<a {uri} h='-1'/>", f"<a {uri} h='x'/>", f'<a h="1" {uri}/>',
            f"<a h='1' {uri} h='2'/>", f"<r {uri}></r>", f"<r  {uri}/>", "<r xmlns='urn:other'/>",
            f"<p:r xmlns:p='urn:xmpp:sm:3' {uri}/>", f"<a h='\u0661' {uri}/>",
        ):  # fmt: skip
            data = text.encode()
            for end in range(1, len(data)):
                self.assertIsNone(read_plain(data[:end]))
            found = read_plain(data + b"<message ")
            if found is None:
                continue
            known += 1
            seen, length = found
            self.assertEqual(length, len(data))
            (node,) = parsed(data)
            self.assertEqual(READERS[node[NAME]](node), seen, data)
        self.assertEqual(known, 4)

    def test_nothing_less(self):
        """No beginning of a stanza is one."""
        for text in PLAIN + PLAIN_PRESENCES:
            data = text.encode()
            for end in range(len(data)):
                self.assertIsNone(read_plain(data[:end]))

    def test_any_pair(self):
        """One or two children of any kind beside a body, and one more attribute."""
        known = 0
        for one in CHILDREN:
            for other in CHILDREN:
                data = f"{START}><body>b</body>{one}{other}</message>".encode()
                known += self.assert_true(data)
                known += self.assert_true(f"{START}>{one}{other}</message>".encode())
        self.assertGreater(known, 100)
        for attribute in ATTRIBUTES:
            self.assert_true(f"{START}{attribute}><body>b</body></message>".encode())

    @settings(PROPERTY, max_examples=examples(500))
    @given(
        st.lists(st.sampled_from(ATTRIBUTES), max_size=3),
        st.lists(st.sampled_from(CHILDREN), max_size=4),
        st.sampled_from([START, "<message", "<message type='groupchat'", "<message\n"]),
    )
    def test_anything(self, attributes, children, start):
        """Whatever is put together."""
        self.assert_true(
            f"{start}{''.join(attributes)}>{''.join(children)}</message>".encode(),
        )

    @settings(PROPERTY, max_examples=examples(500))
    @given(
        st.lists(st.sampled_from(ATTRIBUTES), max_size=3),
        st.lists(st.sampled_from(PARTS), max_size=3),
        st.sampled_from([f"<presence from='{ROOM}/alice'", "<presence", "<presence "]),
    )
    def test_any_presence(self, attributes, parts, start):
        """Whatever is put together."""
        self.assert_true(f"{start}{''.join(attributes)}>{''.join(parts)}</presence>".encode())

    @settings(PROPERTY, max_examples=examples(500))
    @given(st.sampled_from(PLAIN + PLAIN_PRESENCES), st.data())
    def test_damaged(self, text, data):
        """A byte or two changed, lost or put in."""
        damaged = bytearray(text.encode())
        for _ in range(data.draw(st.integers(1, 2))):
            place = data.draw(st.integers(0, len(damaged) - 1))
            new = data.draw(
                st.binary(max_size=2) | st.sampled_from([b"&", b"'", b">", b"\xef\xbf\xbe"])
            )
            damaged[place : place + data.draw(st.integers(0, 2))] = new
        self.assert_true(bytes(damaged))

    def test_bounds(self):
        """Many children are for the parser, which counts them."""
        child = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
        for amount, is_plain in (15, True), (16, False):
            text = f"{START}><body>b</body>{child * amount}</message>"
            self.assertEqual(read_plain(text.encode()) is not None, is_plain)

    def test_pieces(self):
        """Data is cut before each place where something plain may begin, and nowhere else."""
        for text, ends in (
            ("", []),
            ("x", [1]),
            ("<message >", [10]),
            ("<message ><presence ><message <iq/> <presence ", [10, 21, 36, 46]),
            ("<messages><presences><message>", [30]),
            ("text<presence <presence ", [4, 14, 24]),
        ):
            self.assertEqual(list(ends_of_pieces(text.encode())), ends, text)
