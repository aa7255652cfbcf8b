"""``{ini-reference}``: every section and option of the ini, from what validates them."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from xbot.config.options import KINDS, OptionKind, SectionKind


class IniReference(Directive):
    """One definition list for each kind of section."""

    def run(self) -> list[nodes.Node]:
        return [node for kind in KINDS for node in self._section(kind)]

    def _section(self, kind: SectionKind) -> list[nodes.Node]:
        section = nodes.section(ids=[nodes.make_id(f"section-{kind.name}")])
        section += nodes.title(text=kind.heading)
        section += nodes.paragraph(text=kind.help)
        options = nodes.definition_list()
        for option in kind.options:
            options += self._option(option)
        section += options
        return [section]

    def _option(self, option: OptionKind) -> nodes.Node:
        term = nodes.term()
        term += nodes.literal(text=option.name)
        meaning = nodes.paragraph(text=option.help)
        if option.default:
            meaning += nodes.Text(f" Default: {option.default}.")
        return nodes.definition_list_item("", term, nodes.definition("", meaning))


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("ini-reference", IniReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
