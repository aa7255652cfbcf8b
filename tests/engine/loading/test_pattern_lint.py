"""Tests of :mod:`xbot.engine.loading.pattern_lint`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from xbot.config.settings import BotSettings, ResponderSettings
from xbot.engine.loading.pattern_lint import mistaken_patterns
from xbot.matching.pattern import Pattern
from xbot.runtime.responder import Responder, Route


class MistakenPatternsTests(SynchronousTestCase):
    def remarks(
        self, text: str, prefix: str = "", kind: Literal["match", "hear"] = "match"
    ) -> list[str]:
        pattern = getattr(Pattern, kind)(text)
        route = Route(pattern, lambda message, groups: Deferred())
        settings = ResponderSettings("x", path=Path("x.ini"), lines={kind: 7})
        bot = BotSettings("xbot", prefix)
        found = mistaken_patterns([Responder("x", (route,))], [settings], bot)
        self.assertEqual([(each.option, each.line) for each in found], [(kind, 7)] * len(found))
        # Those of bundled responders are ours.
        self.assertEqual(mistaken_patterns([Responder("x", (route,))], [], bot), [])
        return [each.reason for each in found]

    def test_mistakes(self) -> None:
        """Slashes, the prefix and the name in a pattern are told with the pattern that helps."""
        for text, prefix, meant in (
            ("!deploy", "!", "deploy"),
            (r"\!deploy", "!", "deploy"),
            ("^!deploy (.*)", "!", "deploy (.*)"),
            (r"\.deploy", ".", "deploy"),
            (".deploy", ".", "deploy"),
            ("xbot: deploy", "", "deploy"),
            ("@XBot, deploy", "", "deploy"),
            (r"xbot[:,]?\s*deploy", "", "deploy"),
            (r"xbot:?\s+deploy", "", "deploy"),
            ("xbot deploy", "", "deploy"),
            ("/deploy (.*)/", "!", "deploy (.*)"),
            ("/deploy/i", "/", "deploy"),
        ):
            with self.subTest(text):
                (reason,) = self.remarks(text, prefix)
                self.assertTrue(reason.endswith(f"is {meant!r}"), reason)
        (reason,) = self.remarks("!deploy")
        self.assertIn("no prefix is set: prefix = ! in [xbot]", reason)
        (reason,) = self.remarks("/ouch/i", kind="hear")
        self.assertIn("without them it is 'ouch'", reason)

    def test_no_mistakes(self) -> None:
        """Patterns that only look alike are no warning."""
        for text, prefix in (
            ("deploy", "!"),
            (".*", "."),
            ("[abc]d", "["),
            ("xbotty deploy", ""),
            ("xbot", ""),
            ("/etc/hosts/", ""),
            ("/start", ""),
            ("[!?]", ""),
        ):
            with self.subTest(text):
                self.assertEqual(self.remarks(text, prefix), [])
        for text in ("!deploy", "^xbot: deploy"):
            self.assertEqual(self.remarks(text, "!", "hear"), [])
