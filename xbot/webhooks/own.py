"""Reports of a webhook's custom template, and of a responder's answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from xbot.text.template import Template
from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, delivery_key, key_of


@frozen
class Dedupe:
    """What identifies duplicates: the field ``key``, the text, or else the id of a delivery."""

    key: str | None = None
    by_text: bool = False


def report_by_template(
    template: Template, dedupe: Dedupe, payload: Part, headers: Mapping[str, str]
) -> Report:
    """The report of ``payload`` by a template whose fields are paths such as ``alert.title``.

    :raises WrongPayload: if all fields are missing, or the field of ``dedupe`` is.
    """
    texts = {name: payload.at(name).text() for name in template.fields}
    if texts and not any(texts.values()):
        names = ", ".join(sorted(texts))
        raise WrongPayload(f"none of the fields of the template is there: {line(names)}")
    lines = _lines(template.fill(texts))
    if dedupe.key is None:
        return Report((_item(lines, dedupe, headers),))
    value = payload.at(dedupe.key).text()
    if not value:
        raise WrongPayload(f"{dedupe.key} is missing; it tells one message from another")
    return Report((Item(key_of("key", value), lines),))


def report_of_answers(texts: Sequence[str], dedupe: Dedupe, headers: Mapping[str, str]) -> Report:
    """The report of a responder's answers to a post: one item per text."""
    return Report(tuple(_item(_lines(text), dedupe, headers) for text in texts))


def _item(lines: tuple[str, ...], dedupe: Dedupe, headers: Mapping[str, str]) -> Item:
    return Item(
        key_of("text", lines) if dedupe.by_text else delivery_key(headers, "", lines), lines
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line(each, 4 * len(each)) for each in text.strip().split("\n"))
