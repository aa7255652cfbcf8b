"""Tests of :mod:`xbot.logs.levels`."""

from importlib.util import find_spec

from twisted.logger import LogLevel
from twisted.trial import unittest

from xbot.logs.levels import LEVELS, MAX_NAMESPACES, Levels
from xbot.logs.renamed import NAMES


def exists(name):
    """Whether there is a module of this name."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


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

    def test_old_names(self):
        """A namespace of the old layout is understood, with the longest name that fits."""
        levels = Levels.parse(["xbot.xmpp=debug", "xbot.dispatch.in_order=error", "xbot.web=warn"])
        self.assertEqual(
            levels.special,
            (
                ("xbot.chat.xmpp", "debug"),
                ("xbot.engine.dispatch.ordering", "error"),
                ("xbot.web", "warn"),
            ),
        )
        self.assertEqual(levels.renamed[0], ("xbot.xmpp", "xbot.chat.xmpp"))
        self.assertEqual(len(levels.renamed), 2)

    def test_old_names_lead_somewhere(self):
        """What an old name leads to is a package or a module of today; the old one is none."""
        for old, new in NAMES.items():
            self.assertTrue(exists(new), new)
            self.assertFalse(exists(old), old)

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
