"""Tests of :mod:`xbot.matching.addressed`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from tests.effort import examples
from xbot.matching.addressed import addressed_text, may_be_addressed

names = st.text(min_size=1).filter(lambda name: name.strip())


class AddressedTextTests(TestCase):
    def test_every_way_to_address(self) -> None:
        """Name with colon, comma, blank, @ or the prefix all address the bot."""
        for body in (
            "xbot: ping",
            "xbot, ping",
            "xbot; ping",
            "xbot\uff1aping",
            "xbot\uff0c ping",
            "xbot ping",
            "xbot:ping",
            "xbot : ping",
            "@xbot ping",
            "@xbot: ping",
            "!ping",
            "! ping",
            "  XBot:  ping \n",
        ):
            self.assertEqual(addressed_text(body, ("xbot",), "!"), "ping", body)

    def test_others_are_not_us(self) -> None:
        """A longer word, a genitive, or the name elsewhere addresses nobody."""
        for body in (
            "xbotty ping",
            "xbot's ping",
            "xbot-2: ping",
            "ping xbot",
            "x",
            "",
            "@",
            "!ping",
        ):
            self.assertIsNone(addressed_text(body, ("xbot",)), body)

    def test_just_the_name(self) -> None:
        """The bare name says the empty text."""
        for body in ("xbot", "xbot:", "@xbot", "xbot, "):
            self.assertEqual(addressed_text(body, ("xbot",)), "", body)

    def test_longest_name_first(self) -> None:
        """A name that begins with another name is preferred to it."""
        self.assertEqual(addressed_text("xbot 2: ping", ("xbot", "xbot 2")), "ping")

    def test_odd_names(self) -> None:
        """Names may hold blanks, metacharacters, emoji and letters that fold to several."""
        for name in ("Ro Bo", "x.*(", "\N{ROBOT FACE}", "Straße", "[bot]"):
            self.assertEqual(addressed_text(f"{name.upper()}, hi", (name,)), "hi", name)

    def test_no_names(self) -> None:
        """Blank names and no names at all address nobody."""
        self.assertIsNone(addressed_text(": hi", ("", "  ")))
        self.assertIsNone(addressed_text("hi", ()))

    def test_more_lines(self) -> None:
        """The rest is kept over several lines."""
        self.assertEqual(addressed_text("xbot: say a\n b\n", ("xbot",)), "say a\n b")

    @settings(max_examples=examples(150))
    @given(names, st.text())
    def test_any_name_any_text(self, name: str, text: str) -> None:
        """Whatever the name and the text, name and colon give back the text."""
        self.assertEqual(addressed_text(f"{name}: {text}", (name,)), text.strip())

    @settings(max_examples=examples(150))
    @given(st.text(), st.lists(st.text()), st.text())
    def test_never_raises(self, body: str, names: list[str], prefix: str) -> None:
        """No body, name or prefix makes it raise."""
        result = addressed_text(body, tuple(names), prefix)
        self.assertTrue(result is None or result in body)

    def test_the_quick_question(self) -> None:
        """What could be addressed is never taken for what could not; chatter mostly is not."""
        for body in "xbot: a", "XBOT a", "@xbot a", "!a", "x", "\u00dfa: b", "SSA: b":
            self.assertTrue(may_be_addressed(body, ("xbot", "\u00dfa"), "!"), body)
        for body in "hello", "ybot: a", "?a":
            self.assertFalse(may_be_addressed(body, ("xbot", " "), "!"), body)
