"""Tests of :mod:`xbot.text.saslprep`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import PROPERTY
from xbot.text.saslprep import saslprep


class SaslprepTests(unittest.TestCase):
    def test_examples(self):
        """RFC 4013, section 3, and spaces that are not ASCII's (section 2.1)."""
        table = {
            "I\u00adX": "IX",
            "user": "user",
            "USER": "USER",
            "\u00aa": "a",
            "\u2168": "IX",
            "a\u00a0b\u3000c": "a b c",
            "\u0627": "\u0627",
            "\u0627\u0031\u0628": "\u0627\u0031\u0628",
            "": "",
            "\u00ad": "",
            "\U0001f600": "\U0001f600",
        }
        for text, prepared in table.items():
            self.assertEqual(saslprep(text), prepared, ascii(text))

    def test_refused(self):
        """Prohibited characters and mixed directions are refused, and never shown."""
        table = (
            "\u0007", "secret\u0627\u0031", "\u0627a\u0628", "\u06271", "a\x00", "\ud800", "\ufffd",
            "\ue000", "\u200e", "\u2ff0", "\U000e0041", "\x7f",
        )  # fmt: skip
        for text in table:
            with self.assertRaises(ValueError, msg=ascii(text)) as caught:
                saslprep(text)
            self.assertNotIn(text, str(caught.exception))
            self.assertNotIsInstance(caught.exception, UnicodeError)

    @PROPERTY
    @given(st.text(max_size=8))
    def test_prepared_once_is_prepared(self, text):
        """What was prepared can be encoded, and stays as it is when it is prepared again."""
        try:
            prepared = saslprep(text)
        except ValueError:
            return
        self.assertEqual(saslprep(prepared), prepared)
        self.assertEqual(prepared.encode().decode(), prepared)
