"""What :mod:`xbot.chat.xmpp.wire.errors` promises."""

import errno

from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError
from twisted.trial.unittest import TestCase

from xbot.chat.xmpp.wire.errors import in_words


class WordsTests(TestCase):
    def test_in_words(self) -> None:
        """Why nobody could connect is told in a few words, without Twisted's own around them."""
        for error, words in (
            (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
            (ConnectError(errno.EHOSTUNREACH, "x"), "no route to host"),
            (ConnectionRefusedError(), "Connection was refused by other side"),
            (DNSLookupError("no results"), "DNS lookup failed: no results"),
            (ValueError(), "ValueError"),
        ):
            self.assertEqual(in_words(error), words)
