"""Tests of :mod:`xbot.control.protocol`."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from xbot.control.protocol import MAX_LINE, MAX_TEXT, BadRequest, Reply, Request, Result, parse
from xbot.model.jid import Jid

ROOM = "ops@rooms.example"


class ProtocolTests(unittest.TestCase):
    @given(st.text(min_size=1).filter(str.strip), st.floats(0, 3600))
    def test_there_and_back(self, text, timeout):
        """Any request is one line, and read as what it was."""
        request = Request(Jid.parse(ROOM), text, timeout)
        line = request.line()
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(parse(line), request)

    def test_the_longest(self):
        """The longest text fits into the longest line, whatever it is made of."""
        line = Request.of(ROOM, "\U0001f600" * MAX_TEXT, 1).line()
        self.assertLess(len(line), MAX_LINE)

    def test_mistakes(self):
        """What cannot be said is told, with the reason."""
        for room, text, timeout, told in (
            (None, "x", 1, "the recipient is missing"),
            ("@", "x", 1, "no JID"),
            ("rooms.example", "x", 1, "is neither a room"),
            (f"{ROOM}/nick", "x", 1, "is neither a room"),
            (ROOM, None, 1, "nothing to say"),
            (ROOM, " \n", 1, "nothing to say"),
            (ROOM, "x" * (MAX_TEXT + 1), 1, "too long"),
            (ROOM, "x", None, "no number"),
            (ROOM, "x", True, "no number"),
            (ROOM, "x", -1, "not between"),
            (ROOM, "x", float("nan"), "not between"),
            (ROOM, "x", 1e9, "not between"),
        ):
            with self.assertRaisesRegex(BadRequest, told):
                parse(json.dumps({"to": room, "text": text, "timeout": timeout}))

    @given(st.binary())
    def test_garbage(self, data):
        """What is no request is told as such, and nothing else is raised."""
        with self.assertRaises(BadRequest):
            parse(data)

    def test_other_json(self):
        """JSON of another kind is none either."""
        for line in (b"[]", b"1", b"{}", b"[" * 100_000):
            with self.assertRaises(BadRequest):
                parse(line)

    def test_replies(self):
        """Any reply is read as what it was."""
        for result in Result:
            reply = Reply(result, "because\n")
            self.assertEqual(Reply.parse(reply.line()), reply)
