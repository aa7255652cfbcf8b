"""What is logged."""

from twisted.logger import LogLevel
from twisted.trial import unittest

from xbot.logs.levels import LEVELS, MAX_NAMESPACES, Levels


class LevelsTests(unittest.TestCase):
    def logs(self, levels, namespace, level):
        event = {"log_namespace": namespace, "log_level": LogLevel.levelWithName(level)}
        return levels.filter()(event)

    def test_one_level(self):
        """Only what is at least as grave as the level is logged."""
        for number, level in enumerate(LEVELS):
            logged = [each for each in LEVELS if self.logs(Levels(level), "xbot", each)]
            self.assertEqual(logged, list(LEVELS[number:]))

    def test_namespaces(self):
        """A namespace's level holds for what is below it, but for what has one of its own."""
        levels = Levels.parse(["xbot.chat.xmpp=debug", "warn", "xbot.chat.xmpp.rooms=error"])
        for namespace, least in (
            ("xbot", "warn"),
            ("xbot.xmppx", "warn"),
            ("xbot.chat.xmpp", "debug"),
            ("xbot.chat.xmpp.ping", "debug"),
            ("xbot.chat.xmpp.rooms", "error"),
        ):
            logged = [each for each in LEVELS if self.logs(levels, namespace, each)]
            self.assertEqual(logged[0], least, namespace)

    def test_default(self):
        """Without a level for all it is info."""
        self.assertEqual(Levels.parse(["xbot=debug"]), Levels("info", (("xbot", "debug"),)))

    def test_chatter(self):
        """Twisted's steps, which it logs without a level, are for those who look into them."""
        for words, are_logged in (
            (["info"], False),
            (["info", "xbot=debug"], False),
            (["debug"], True),
            (["log_legacy=info"], True),
        ):
            levels = Levels.parse(words)
            self.assertEqual(self.logs(levels, "log_legacy", "info"), are_logged, words)
            self.assertTrue(self.logs(levels, "log_legacy", "critical"))
        self.assertFalse(self.logs(Levels("error"), "log_legacy", "warn"))

    def test_mistakes(self):
        """What is no level or no namespace is told, with what was perhaps meant."""
        for words, told in (
            (["inof"], "'inof' is no level: one of .*; did you mean info?"),
            (["info", "debug"], "info and debug contradict each other"),
            (["xbot=loud"], "'loud' is no level"),
            (["=debug"], "'' is no namespace"),
            (["a b=debug"], "'a b' is no namespace"),
            ([f"x{n}=debug" for n in range(MAX_NAMESPACES + 1)], "more than"),
        ):
            with self.assertRaisesRegex(ValueError, told):
                Levels.parse(words)
