"""Tests of :mod:`xbot.text.template`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from xbot.text.template import InvalidTemplate, Template

NAMES = st.sampled_from(["nick", "sender", "room", "body", "app"])


class TemplateTests(SynchronousTestCase):
    def test_fields_are_filled(self) -> None:
        """A field's place is taken by its value, and the rest stays as it is."""
        template = Template.parse("Hello {nick}, {nick} of {room}!")
        self.assertEqual(template.fields, {"nick", "room"})
        self.assertEqual(template.fill({"nick": "al", "room": "ops"}), "Hello al, al of ops!")

    def test_missing_and_none_are_nothing(self) -> None:
        """A group that did not take part leaves nothing behind."""
        self.assertEqual(Template.parse("<{a}{b}>").fill({"a": None}), "<>")

    def test_doubled_braces_are_literal(self) -> None:
        """A brace is written twice to be meant."""
        template = Template.parse("{{nick}} {{{nick}}} }}{{")
        self.assertEqual(template.fill({"nick": "al"}), "{nick} {al} }{")

    def test_mistakes_name_their_place(self) -> None:
        """Every text that is no template is refused, at the right character."""
        for text, position, reason in (
            ("a {nick", 2, "a lone {; write {{ to mean it"),
            ("a nick}", 6, "a lone }; write }} to mean it"),
            ("{}", 0, "{} is no field; write {{}} to mean the braces"),
            ("ab{nick.x}", 2, "{nick.x} is no field; write {{nick.x}} to mean the braces"),
            ("{nick!r}", 0, "{nick!r} is no field; write {{nick!r}} to mean the braces"),
            ("{nick:>9}", 0, "{nick:>9} is no field; write {{nick:>9}} to mean the braces"),
            ("{0}", 0, "{0} is no field; write {{0}} to mean the braces"),
            ("{a[0]}", 0, "{a[0]} is no field; write {{a[0]}} to mean the braces"),
            ("{a{b}}", 0, "a lone {; write {{ to mean it"),
        ):
            with self.subTest(text):
                error = self.assertRaises(InvalidTemplate, Template.parse, text)
                self.assertEqual((error.position, error.reason), (position, reason))
                self.assertIn(f"(character {position + 1})", str(error))

    @given(st.text(), NAMES)
    def test_values_are_never_evaluated(self, value: str, name: str) -> None:
        """Whatever a stranger says is put in as it is, braces and all."""
        filled = Template.parse(f"<{{{name}}}|{{{name}}}>").fill({name: value})
        self.assertEqual(filled, f"<{value}|{value}>")

    @given(st.text())
    def test_any_text_can_be_meant(self, text: str) -> None:
        """With its braces doubled, every text is a template of itself."""
        template = Template.parse(text.replace("{", "{{").replace("}", "}}"))
        self.assertEqual(template.fields, frozenset())
        self.assertEqual(template.fill({"nick": "no"}), text)

    @given(st.text(alphabet="{}ab.!: ", max_size=30))
    def test_any_text_parses_or_is_refused(self, text: str) -> None:
        """Nothing but InvalidTemplate comes of a bad template."""
        try:
            Template.parse(text).fill({})
        except InvalidTemplate as error:
            self.assertLess(error.position, len(text))
