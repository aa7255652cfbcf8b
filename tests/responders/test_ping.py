"""Tests of the ``ping`` responder."""

from twisted.trial.unittest import TestCase

from xbot import Message
from xbot.responders.ping import ping


class PingTests(TestCase):
    async def test_tone(self) -> None:
        """The answer is in the asker's tone."""
        message = Message("alice@example.org", "xbot@example.org", "ping")
        for word, answer in {
            "ping": "pong",
            "Ping": "Pong",
            "PING": "PONG",
            "pING": "pong",
        }.items():
            self.assertEqual(await ping(message, word), answer)
