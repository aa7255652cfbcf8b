"""Reports of a webhook's custom template, and of a responder's answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from xbot.text.template import Template
from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, key_of


@frozen
class TemplateReader:
    """Fills in ``template``, whose fields are paths such as ``alert.title``.

    ``key`` is the path of the field that identifies duplicates; without it, equal
    texts are duplicates.
    """

    template: Template
    key: str | None = None

    def read(self, payload: Part) -> Report:
        """The report of ``payload``; raises :class:`WrongPayload` if all fields are missing."""
        if self.template.fields and not any(
            payload.at(name).text() for name in self.template.fields
        ):
            names = ", ".join(sorted(self.template.fields))
            raise WrongPayload(f"none of the fields of the template is there: {line(names)}")
        text = self.template.fill({name: payload.at(name).text() for name in self.template.fields})
        lines = _lines(text)
        return Report((Item(self._key(payload, lines), lines),))

    def _key(self, payload: Part, lines: tuple[str, ...]) -> str:
        if self.key is None:
            return key_of("text", lines)
        value = payload.at(self.key).text()
        if not value:
            raise WrongPayload(f"{self.key} is missing; it tells one message from another")
        return key_of("key", value)


def report_of_answers(texts: Sequence[str]) -> Report:
    """The report of a responder's answers to a post: one item per text."""
    several = [_lines(text) for text in texts]
    return Report(tuple(Item(key_of("text", lines), lines) for lines in several))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line(each, 4 * len(each)) for each in text.strip().split("\n"))
