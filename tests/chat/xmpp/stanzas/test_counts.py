"""Tests of :mod:`xbot.chat.xmpp.stanzas.counts`."""

from twisted.trial import unittest
from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas import counts
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize


class CountTests(unittest.TestCase):
    def test_data(self):
        """What is written is what the element would be."""
        for count in (
            counts.Count(),
            counts.Count(0),
            counts.Count(17),
            counts.Count(2**32 - 1),
        ):
            self.assertEqual(count.data(), serialize(count.element(), ns.CLIENT))
            self.assertEqual(counts.read_element(count.element()), count)

    def test_no_counts(self):
        """Other elements say nothing, and an answer without a number is a fault."""
        for name in (ns.SM, "failed"), (ns.SM, "enabled"), ("urn:other", "r"), (ns.CLIENT, "a"):
            self.assertIsNone(counts.read_element(domish.Element(name)))
        answer = domish.Element((ns.SM, "a"))
        self.assertRaises(ValueError, counts.read_element, answer)
        answer["h"] = "x"
        self.assertRaises(ValueError, counts.read_element, answer)

    def test_read_count(self):
        """Only a plain number of at most ten digits is a count."""
        for text, count in (
            ("0", 0),
            ("12", 12),
            ("4294967295", 4294967295),
            (None, None),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("٣", None),
            ("1" * 4000, None),
            (" 1", None),
        ):
            self.assertEqual(counts.read_count(text), count)
