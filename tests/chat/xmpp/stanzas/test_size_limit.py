"""Sizes on the wire: what the server told, what is split, and what each part weighs."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import BIND, JID, features, parse_all
from tests.chat.xmpp.stream.test_stream_management import NS, ROOM, SM, ManagedCase
from xbot.chat.xmpp.stanzas.size_limit import LEAST, MARGIN, MOST, SAFE, besides, told_limit, usual
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import WIDEST, sanitize, serialize_message, text_size
from xbot.engine.message_parts import MARK, MAX_PARTS, parts_of
from xbot.model.errors import TooLong
from xbot.model.markup import SHORTEST_PAGE, pages
from xbot.model.message import Message

#: What is not as long as it looks: escaped, replaced, in several bytes, and combined.
TEXTS = st.text(
    st.one_of(st.sampled_from("&<>'\"\r\n\x00\ufffe `e\u0301漢\u200d🙂"), st.characters()),
    max_size=600,
)


def limits(told: str) -> str:
    """Stream features that tell a limit."""
    return f"<limits xmlns='{ns.STREAM_LIMITS}'><max-bytes>{told}</max-bytes></limits>"


class ToldTests(unittest.TestCase):
    def told(self, xml: str) -> int:
        return told_limit(parse_all(f"<features>{xml}</features>")[0])

    def test_told(self):
        """The server's word counts; one without sense counts as none, or as the next best."""
        for told, limit in (
            ("262144", 262144 - MARGIN),
            (" 10000 ", 10000 - MARGIN),
            ("1", LEAST),
            ("9" * 5000, MOST),
            ("99999999", MOST),
            ("-1", SAFE),
            ("many", SAFE),
            ("١٠", SAFE),
            ("", SAFE),
        ):
            self.assertEqual(self.told(limits(told)), limit, told)
        self.assertEqual(self.told(""), SAFE)
        self.assertEqual(self.told(f"<limits xmlns='{ns.STREAM_LIMITS}'/>"), SAFE)


class SizeTests(unittest.TestCase):
    @given(TEXTS)
    def test_counted_as_written(self, text):
        """A text's size is what it adds to the stanza, and never more than the widest allows."""
        whole = serialize_message("a@b", "chat", "1", f"x{text}")
        self.assertEqual(
            text_size(text), len(whole) - len(serialize_message("a@b", "chat", "1", "x"))
        )
        self.assertLessEqual(text_size(text), WIDEST * len(text))

    @given(TEXTS, st.integers(SHORTEST_PAGE * WIDEST, 900), st.integers(SHORTEST_PAGE, 500))
    def test_pages_fit(self, text, most, characters):
        """Each page is a stanza within the limit, and short enough for people, too."""
        head = len(serialize_message("a@b", "chat", "1", "x")) - 1
        for page in pages(text, characters, besides(head + most, head)):
            self.assertLessEqual(len(serialize_message("a@b", "chat", "1", page)), head + most)
            self.assertLessEqual(len(page), characters)

    @given(st.text("&<漢e\u0301🙂\x00", max_size=600), st.integers(SHORTEST_PAGE * WIDEST, 400))
    def test_nothing_is_lost(self, text, most):
        """The pages together are the text, and none begins within a character."""
        found = pages(text, most, besides(most, 0))
        self.assertEqual("".join(found), text)
        for page in found[1:]:
            # More of them than this are no character that anybody means.
            self.assertFalse(page.startswith("\u0301") and "\u0301" * 15 not in text, found)

    def test_filled(self):
        """Pages are about as full as they can be."""
        found = pages("&" * 65536, SAFE, usual(SAFE))
        self.assertEqual(len(found), -(-65536 * 5 // (SAFE - 512 - 3)))

    @given(TEXTS.filter(str.strip), st.integers(SHORTEST_PAGE * WIDEST * 2, 800))
    def test_parts(self, text, most):
        """A message in parts: each fits, there are few, ids tell them apart, a cut is marked."""
        message = Message("", ROOM, text, {"type": "groupchat", "id": "x"}, room=ROOM)
        parts, lost = parts_of(message, besides(most, 0))
        self.assertLessEqual(len(parts), MAX_PARTS)
        self.assertEqual(len({part.payload["id"] for part in parts}), len(parts))
        for part in parts:
            self.assertLessEqual(text_size(part.body), most)
            self.assertEqual((part.room, part.payload["type"]), (ROOM, "groupchat"))
        self.assertEqual(bool(lost), bool(parts and parts[-1].body.endswith(MARK)))


class AdapterTests(ManagedCase):
    def all_bodies(self, peer):
        """The texts of all messages that come, as the server acknowledges what came before."""
        found = []
        while True:
            self.clock.advance(0)
            some = self.bodies(peer)
            if not some:
                return found
            found += some
            self.acknowledge(peer, self.counted())

    def test_in_parts(self):
        """What is too long leaves in parts, each a stanza that any server takes; told once."""
        peer = self.log_in()
        written = []
        self.patch(peer.stream, "write", written.append)
        told = []
        text = "&" * 8000
        self.outbox.put(
            Message("", ROOM, text, {"type": "groupchat"}, room=ROOM),
            lambda: told.append("delivered"),
        )
        for number in range(5):
            self.assertEqual(told, [], number)
            self.acknowledge(peer, self.counted())
        stanzas = [part.decode() for part in written if part.startswith(b"<message")]
        self.assertEqual(len(stanzas), 5)
        self.assertTrue(all(len(part) <= SAFE for part in stanzas))
        self.assertEqual("".join(stanzas).count("&amp;"), 8000)
        self.assertEqual((told, len(self.outbox)), (["delivered"], 0))

    def test_cut(self):
        """What is far too long ends with a mark, and the log tells how much is missing."""
        peer = self.log_in()
        self.say("&" * 65536)
        bodies = self.all_bodies(peer)
        self.assertEqual(len(bodies), MAX_PARTS)
        self.assertTrue(bodies[-1].endswith(MARK))
        self.assertEqual(self.outbox.counts["cut"], 1)

    def test_told(self):
        """Where the server tells of more, more is said at once; that holds for its stream."""
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + SM + limits("100000")))
        peer.bind(str(JID))
        peer.feed(f"<enabled xmlns='{NS}' id='s1' resume='true'/>")
        self.enter(peer)
        self.assertEqual(self.adapter.measure, usual(100_000 - MARGIN))
        peer.sent()
        self.say("&" * 8000)
        self.assertEqual(len(self.bodies(peer)), 1)
        # The next one takes less, and has lost the session: what comes back is split for it.
        peer = self.come_back(peer)
        self.assertEqual(self.adapter.measure, usual(SAFE))
        peer.feed(f"<failed xmlns='{NS}'/>")
        peer.bind(str(JID))
        peer.feed(f"<enabled xmlns='{NS}' id='s2' resume='true'/>")
        self.enter(peer)
        self.assertEqual(len(self.all_bodies(peer)), 5)

    def test_other_stanzas(self):
        """A stanza that is no message, and too large, is not written: it would end the stream."""
        peer = self.log_in()
        stanza = parse_all("<presence/>")[0]
        stanza["id"] = "x" * SAFE
        with self.assertRaises(ValueError):
            peer.stream.send(stanza)
        self.assertEqual(peer.sent(), "")

    def test_an_address_that_leaves_no_room(self):
        """Where hardly any text fits beside the address, it is given up, and told."""
        peer = self.log_in()
        peer.stream.max_stanza = 300
        told = []
        to = f"a@b/{'x' * 200}"
        self.outbox.put(Message("", to, "y" * 300), None, lambda: told.append("failed"))
        self.assertEqual((told, len(self.outbox)), (["failed"], 0))

    def test_raised(self):
        """The adapter says how much would fit."""
        peer = self.log_in()
        message = Message("", "a@b", "&" * 3000, {"type": "chat", "id": "1"})
        with self.assertRaises(TooLong) as caught:
            self.adapter.send(message)
        self.assertTrue(caught.exception.measure.fits("&" * 1800))
        self.assertFalse(caught.exception.measure.fits("&" * 1900))
        self.assertEqual(peer.sent(), "")
        self.assertEqual(sanitize("\x00"), "\ufffd")
