"""What a bot's log tells about order and sessions."""

from twisted.trial import unittest

from tests.soak.bot_log import read_log

_NAMES = "xbot.chat.xmpp"


def text(*lines):
    """A log with one line each second, from ten past midnight."""
    return "".join(
        f"2026-12-01T00:10:{second:02}+00:00 info     {_NAMES}: {line}\n"
        for second, line in enumerate(lines)
    )


#: Seconds since 1970 of the first line.
BEGIN = 1796083800.0


class BotLogs(unittest.TestCase):
    def test_order_on_the_wire(self):
        """Commands received and answers sent are found in their order, with each line of a post."""
        log = read_log(
            text(
                "received <message from='r/ann' type='groupchat'><body>xbot: do 3</body></message>",
                "received <message from='r/ann' type='chat'><body>work 2</body></message>",
                "sent <message to='r' type='groupchat'><body>done 2</body></message>",
                r"sent <message to='r'><body>[hook] hook 4\n[hook] hook 5</body></message>",
                "received <message from='r/xbot' type='groupchat'><body>done 2</body></message>",
            )
        )
        self.assertEqual((log.received, log.sent), ([3, 2], [2, 4, 5]))

    def test_a_resumption_loses_nothing(self):
        """A resumed session is counted, and not lost."""
        log = read_log(
            text(
                "twistd 26 starting up.", "logged in as b@h", "r: caught up, listening",
                "no connection: reset; next try in 1.0 s", "resumed the session of b@h",
            )
        )  # fmt: skip
        self.assertEqual((log.resumed, log.lost), (1, []))

    def test_a_lost_session(self):
        """It lasts from the last sign of life until the bot is back in its room."""
        log = read_log(
            text(
                "twistd 26 starting up.", "logged in as b@h", "r: caught up, listening",
                "received <a xmlns='urn:xmpp:sm:3' h='1'/>", "no connection: reset",
                "received <failed xmlns='urn:xmpp:sm:3'/>", "logged in as b@h",
                "r: caught up, listening",
            )
        )  # fmt: skip
        self.assertEqual(log.lost, [(BEGIN + 3 - 10, BEGIN + 7 + 2)])

    def test_a_session_given_up(self):
        """A new session that follows no refusal and no silence of the server excuses nothing."""
        life = ("twistd 26 starting up.", "logged in as b@h", "r: caught up, listening")
        log = read_log(text(*life, "no connection: reset", *life[1:]))
        self.assertEqual((log.lost, log.given_up), ([], 1))
        silence = "no connection: the server did not answer a ping within 5 s"
        log = read_log(text(*life, silence, *life[1:]))
        self.assertEqual((len(log.lost), log.given_up), (1, 0))

    def test_another_process_loses_no_session(self):
        """The first login of each process is no loss."""
        life = text("twistd 26 starting up.", "logged in as b@h", "r: caught up, listening")
        log = read_log(life + life)
        self.assertEqual((log.lost, log.given_up), ([], 0))
