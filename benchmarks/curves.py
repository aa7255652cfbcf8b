"""Growth curves as a Markdown table and an SVG chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Curve:
    """``points`` are the figures by amount of the growing quantity."""

    title: str
    points: Mapping[float, float]


def table(curves: list[Curve]) -> str:
    """A Markdown table: a row for each curve, its points as ``how many: figure``."""
    lines = ["| more of | figures |", "|---|---|"]
    for curve in curves:
        points = "; ".join(
            f"{amount:,.0f}: {_number(figure)}" for amount, figure in curve.points.items()
        )
        lines.append(f"| {curve.title} | {points} |")
    return "\n".join(lines)


#: Size of one panel, and its margins, in pixels.
_WIDTH, _HEIGHT = 400, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 36, 40, 26


def chart(curves: list[Curve]) -> str:
    """An SVG: two panels abreast, both axes logarithmic, the figure above each point."""
    panels = [
        f'<g transform="translate({number % 2 * _WIDTH},{number // 2 * _HEIGHT})">\n'
        + "\n".join(_panel(curve))
        + "\n</g>"
        for number, curve in enumerate(curves)
    ]
    width, height = 2 * _WIDTH, math.ceil(len(curves) / 2) * _HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(curve: Curve) -> list[str]:
    across, up = _decades(curve.points), _decades(curve.points.values())
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    bottom = _HEIGHT - _BOTTOM

    def x_of(amount: float) -> float:
        return round(_LEFT + inner_width * _share(amount, across), 1)

    def y_of(figure: float) -> float:
        return round(bottom - inner_height * _share(figure, up), 1)

    pieces = [f'<text x="8" y="18" font-weight="bold">{escape(curve.title)}</text>']
    for power in range(across[0], across[1] + 1):
        x = x_of(10.0**power)
        pieces += [
            f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}" stroke="#e3e7eb"/>',
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{10**power:,}</text>',
        ]
    for power in range(up[0], up[1] + 1):
        y = y_of(10.0**power)
        pieces += [
            f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#e3e7eb"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{10.0**power:,g}</text>',
        ]
    places = [(x_of(amount), y_of(figure)) for amount, figure in curve.points.items()]
    line = " ".join(f"{x},{y}" for x, y in places)
    pieces.append(f'<polyline points="{line}" fill="none" stroke="#1b6ca8" stroke-width="2"/>')
    last = -math.inf
    for (x, y), figure in zip(places, curve.points.values(), strict=True):
        pieces.append(f'<circle cx="{x}" cy="{y}" r="3" fill="#1b6ca8"/>')
        # Where points are close, not every label has room.
        if x - last >= 30:
            # Centred, the first label would overlap the axis.
            anchor = "start" if last < 0 else "middle"
            pieces.append(
                f'<text x="{x}" y="{y - 7}" text-anchor="{anchor}">{_number(figure)}</text>'
            )
            last = x
    return pieces


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """The exponents of the powers of ten below and above all values."""
    logarithms = [math.log10(value) for value in values]
    low = math.floor(min(logarithms))
    return low, max(low + 1, math.ceil(max(logarithms)))


def _share(value: float, decades: tuple[int, int]) -> float:
    low, high = decades
    return (math.log10(value) - low) / (high - low)


def _number(figure: float) -> str:
    """The figure with its significant digits."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2g}"
