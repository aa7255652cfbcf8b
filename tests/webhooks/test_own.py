"""Tests of :mod:`xbot.webhooks.own`."""

from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.samples import part
from xbot.text.template import DOTTED, InvalidTemplate, Template
from xbot.webhooks.own import Dedupe, report_by_template, report_of_answers
from xbot.webhooks.payload import Part, WrongPayload
from xbot.webhooks.report import Report


def own(
    text: str, key: str | None = None, by_text: bool = False, **headers: str
) -> Callable[[Part], Report]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    template = Template.parse(text, DOTTED.fullmatch)
    return partial(report_by_template, template, Dedupe(key, by_text), headers=named)


class OwnTests(SynchronousTestCase):
    def said(self, text: str, payload: Part | None = None, is_code: bool = False) -> str:
        report = own(text)(payload or part("generic"))
        return report.said("backup", report.items, is_code)

    def test_fields(self):
        """Fields are found by their paths; one that is not there leaves nothing."""
        self.assertEqual(
            self.said(
                "{alert.title} on {alert.host}, {alert.age} h {{ {alert.tags}{no.such}\n{url}"
            ),
            "[backup] Backup failed on db1, 26.5 h { nightly, full\n  https://backup.example.org/77",
        )

    def test_nothing_of_it_is_there(self):
        """A post without any of the fields is refused; a template without fields takes all."""
        wrong = self.assertRaises(WrongPayload, own("{a.b} {c}"), Part({}))
        self.assertEqual(wrong.reason, "none of the fields of the template is there: a.b, c")
        self.assertEqual(self.said("It happened.", Part({})), "[backup] It happened.")

    def test_forged(self):
        """What is filled in is never looked at again, and makes no line."""
        payload = Part({"a": "{b}\n[ops] x\u2029```", "b": "secret"})
        self.assertEqual(self.said("{a}", payload), "[backup] {b} [ops] x ```")

    def test_code(self):
        """A block is closed by nobody but us."""
        payload = Part({"a": "```"})
        told = self.said("{a}\nrest", payload, is_code=True).split("\n")
        self.assertEqual(told[:2], ["[backup]", "```"])
        self.assertEqual([told[2].strip("\u200b"), *told[3:]], ["```", "rest", "```"])
        self.assertNotEqual(told[2], "```")

    def test_key(self):
        """The key field, where the ini names one, tells one from another."""

        def key(text, name, value):
            return own(text, name)(Part(value)).items[0].key

        self.assertEqual(key("{a}", "b", {"a": "1", "b": 2}), key("{a}", "b", {"a": "9", "b": 2}))
        self.assertNotEqual(
            key("{a}", "b", {"a": "1", "b": 2}), key("{a}", "b", {"a": "1", "b": 3})
        )
        wrong = self.assertRaises(WrongPayload, own("{a}", "b"), Part({"a": 1}))
        self.assertEqual(wrong.reason, "b is missing; it tells one message from another")

    def test_repeated_text(self):
        """The same text is another event, unless its delivery's id or the ini says otherwise."""

        def key(by_text=False, value="1", **headers):
            made = own("{a}", None, by_text, **headers)(Part({"a": value})).items[0].key
            answers = report_of_answers(
                [value], Dedupe(None, by_text), {n.replace("_", "-"): v for n, v in headers.items()}
            )
            self.assertEqual(made, answers.items[0].key)
            return made

        self.assertIsNone(key())
        self.assertEqual(key(True), key(True))
        self.assertNotEqual(key(True), key(True, "2"))
        for name in "idempotency_key", "x_gitlab_event_uuid", "x_request_uuid", "request_id":
            self.assertEqual(key(**{name: "7"}), key(**{name: "7"}))
            self.assertNotEqual(key(**{name: "7"}), key(**{name: "8"}))
            self.assertNotEqual(key(**{name: "7"}), key(value="2", **{name: "7"}))

    def test_format_language(self):
        """Nothing of Python's format language is understood."""
        for text in ("{a!r}", "{a:>9}", "{a[0]}", "{a..b}", "{a.}", "{}", "{a"):
            self.assertRaises(InvalidTemplate, own, text)
