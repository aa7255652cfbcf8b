"""Charts as inline SVG: bars, line and status strip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.web.template import Tag

#: Size of the SVG's view box; the page scales it.
WIDTH, HEIGHT = 600.0, 80.0

#: Margin above the highest value.
_TOP = 6.0


def tag(name: str, /, *children: Any, **attributes: object) -> Tag:
    """An element called ``name``. Underscores in attribute names become hyphens."""
    made = Tag(name, attributes={})
    for key, value in attributes.items():
        if value is not None:
            made.attributes[key.rstrip("_").replace("_", "-")] = str(value)
    return made(*children)


def bars(values: Sequence[float], slots: int, label: str) -> Tag:
    """Bar chart: one bar per value, the newest at the right edge."""
    highest = max(values, default=0) or 1.0
    step = WIDTH / slots
    shapes = []
    for number, value in enumerate(reversed(values)):
        height = value / highest * (HEIGHT - _TOP)
        if value:
            shapes.append(
                tag("rect", x=_n(WIDTH - (number + 1) * step + step * 0.15), width=_n(step * 0.7),
                    y=_n(HEIGHT - height), height=_n(height), rx="1", class_="bar")
            )  # fmt: skip
    return _chart(label, *shapes)


def line(values: Sequence[float | None], slots: int, label: str) -> Tag:
    """Line chart: a line through the values, interrupted at None."""
    highest = max((value for value in values if value is not None), default=0) or 1.0
    step = WIDTH / max(1, slots - 1)
    shapes: list[Tag] = []
    run: list[str] = []
    began = 0.0

    def end() -> None:
        if len(run) == 1:
            # A single point would be invisible.
            run.append(f"{_n(began + 2)},{run[0].split(',')[1]}")
        if run:
            last = run[-1].split(",")[0]
            area = [f"{_n(began)},{_n(HEIGHT)}", *run, f"{last},{_n(HEIGHT)}"]
            shapes.append(tag("polygon", points=" ".join(area), class_="area"))
            shapes.append(tag("polyline", points=" ".join(run), class_="line"))
            run.clear()

    first = WIDTH - (len(values) - 1) * step
    for number, value in enumerate(values):
        if value is None:
            end()
            continue
        x = first + number * step
        if not run:
            began = x
        run.append(f"{_n(x)},{_n(HEIGHT - value / highest * (HEIGHT - _TOP))}")
    end()
    return _chart(label, *shapes)


def strip(values: Sequence[tuple[bool, float]], slots: int, label: str) -> Tag:
    """Status strip: one cell per (is_well, part).

    A cell is bad if not well, good if well and ``part`` is 1, else partial.
    """
    step = WIDTH / slots
    shapes = []
    for number, (is_well, part) in enumerate(reversed(values)):
        kind = "bad" if not is_well else "good" if part >= 1 else "part"
        x = WIDTH - (number + 1) * step
        shapes.append(tag("rect", x=_n(x), y="0", width=_n(step + 0.4), height="16", class_=kind))
    return _chart(label, *shapes, height=16)


def _chart(label: str, *shapes: Tag, height: float = HEIGHT) -> Tag:
    return tag(
        "svg",
        tag("title", label),
        *shapes,
        viewBox=f"0 0 {_n(WIDTH)} {_n(height)}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="chart" if height == HEIGHT else "chart strip",
    )


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
