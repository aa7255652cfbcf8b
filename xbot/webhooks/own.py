"""Reports of a webhook's custom template, and of a responder's answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from xbot.text.template import Template
from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, key_of


def report_by_template(template: Template, key: str | None, payload: Part) -> Report:
    """The report of ``payload`` by a template whose fields are paths such as ``alert.title``.

    ``key`` is the path of the field that identifies duplicates; without it, equal
    texts are duplicates.

    :raises WrongPayload: if all fields are missing, or ``key`` is.
    """
    texts = {name: payload.at(name).text() for name in template.fields}
    if texts and not any(texts.values()):
        names = ", ".join(sorted(texts))
        raise WrongPayload(f"none of the fields of the template is there: {line(names)}")
    lines = _lines(template.fill(texts))
    if key is None:
        return Report((Item(key_of("text", lines), lines),))
    value = payload.at(key).text()
    if not value:
        raise WrongPayload(f"{key} is missing; it tells one message from another")
    return Report((Item(key_of("key", value), lines),))


def report_of_answers(texts: Sequence[str]) -> Report:
    """The report of a responder's answers to a post: one item per text."""
    several = [_lines(text) for text in texts]
    return Report(tuple(Item(key_of("text", lines), lines) for lines in several))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line(each, 4 * len(each)) for each in text.strip().split("\n"))
