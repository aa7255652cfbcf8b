"""Tab completion of commands."""

from twisted.trial import unittest

from xbot.chat.terminal.completion import completions

USAGES = ["deploy APP [to ENV]", "deploy status", "help [WORD]", "ping", "APP?", "", "add job CRON"]


class CompletionTests(unittest.TestCase):
    def test_what_is_said_literally(self) -> None:
        """A command goes on up to what whoever writes has to choose."""
        self.assertEqual(completions("de", USAGES), ["deploy ", "deploy status"])
        self.assertEqual(completions("deploy s", USAGES), ["deploy status"])
        self.assertEqual(completions("h", USAGES), ["help "])
        self.assertEqual(completions("add", USAGES), ["add job "])

    def test_nothing_to_add(self) -> None:
        """What is complete, or no command's beginning, becomes nothing."""
        for line in ("ping", "x", "deploy web"):
            self.assertEqual(completions(line, USAGES), [], line)

    def test_empty_line(self) -> None:
        """Nothing at all may become every command."""
        self.assertEqual(
            completions("", USAGES), ["add job ", "deploy ", "deploy status", "help ", "ping"]
        )
