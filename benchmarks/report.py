"""Report the results: Markdown tables, an SVG chart, and the goals."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent.parent / "docs"

#: The marker in the page where a table ends.
_END = "<!-- until here -->"

#: The columns: title, figure, factor, decimal digits.
COLUMNS = (
    ("S1 s", "S1 s", 1, 3),
    ("S1 MiB", "S1 bytes", 1 / 1048576, 0),
    ("S2 us", "S2 cpu", 1e6, 1),
    ("S3 us", "S3 cpu", 1e6, 1),
    ("S4 us", "S4 cpu", 1e6, 1),
    ("S4 replies", "S4 replies", 1, 0),
    ("S5a s", "S5a s", 1, 3),
    ("S5b us", "S5b cpu", 1e6, 1),
    ("S5b bytes", "S5b bytes", 1, 0),
    ("S6 us", "S6 cpu", 1e6, 1),
    ("S7 s", "S7 s", 1, 3),
    ("LAT p50 ms", "LAT p50", 1e3, 2),
    ("LAT p99 ms", "LAT p99", 1e3, 2),
    ("LAT-0 p50 ms", "LAT-0 p50", 1e3, 2),
    ("LAT-0 p99 ms", "LAT-0 p99", 1e3, 2),
)


def publish(begin: str, shown: str) -> None:
    """Replace the table behind the marker ``begin`` in the documentation."""
    page = DOCS / "performance.md"
    before, found, rest = page.read_text().partition(f"{begin}\n")
    assert found, begin
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{begin}\n\n{shown}\n\n{_END}{after}")


def table(medians: dict[str, dict[str, float]]) -> str:
    """A Markdown table: a row for each bot, a dash for a missing figure."""
    rows = [("", *(title for title, *_ in COLUMNS))]
    for name, figures in medians.items():
        cells = [name]
        for _, figure, factor, digits in COLUMNS:
            value = figures.get(figure)
            cells.append("-" if value is None else f"{value * factor:,.{digits}f}")
        rows.append(tuple(cells))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


#: The panels of the chart: title and figure, in CPU microseconds.
PANELS = (
    ("S2: a command and its answer", "S2 cpu"),
    ("S3: a message without an answer", "S3 cpu"),
    ("S4: a delayed command", "S4 cpu"),
    ("S5b: an occupant's presence", "S5b cpu"),
)

_WIDTH, _BAR, _LEFT = 760, 18, 190


def chart(medians: dict[str, dict[str, float]]) -> str:
    """An SVG: a panel for each of :data:`PANELS`, a bar for each bot, CPU microseconds."""
    pieces: list[str] = []
    y = 10
    for title, figure in PANELS:
        values = {name: f[figure] * 1e6 for name, f in medians.items() if figure in f}
        if not values:
            continue
        y += 22
        pieces.append(f'<text x="8" y="{y}" font-weight="bold">{title}, CPU microseconds</text>')
        y += 8
        # An outlier must not dwarf the others: its bar is cut, with its figure beside it.
        longest = min(max(values.values()), 6 * sorted(values.values())[len(values) // 2])
        for name, value in values.items():
            width = round((_WIDTH - _LEFT - 90) * min(value, longest) / longest)
            colour = "#1b6ca8" if name == "xbot" else "#9aa5b1"
            more = " (cut)" if value > longest else ""
            pieces += [
                f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR - 4}" fill="{colour}"/>',
                f'<text x="{_LEFT + width + 6}" y="{y + 12}">{value:,.1f}{more}</text>',
            ]
            y += _BAR
    size = f'width="{_WIDTH}" height="{y + 12}" viewBox="0 0 {_WIDTH} {y + 12}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(pieces)
        + "\n</svg>\n"
    )


#: The goals: xbot's figure, the peer's name, the peer's figure, the maximum ratio.
GOALS = (
    ("S2 cpu", "libstrophe", "S2 cpu", 1.5),
    ("S2 cpu", "naive wokkel", "S2 cpu", 0.3),
    ("S3 cpu", "libstrophe", "S3 cpu", 1.3),
    ("S3 cpu", "slixmpp", "S3 cpu", 0.15),
    ("S4 cpu", "libstrophe", "S4 cpu", 1.3),
    ("S5a s", "naive wokkel", "S5a s", 0.1),
    ("S5b cpu", "go-xmpp", "S5b cpu", 1.5),
    ("S6 cpu", "xbot", "S3 cpu", 1.5),
    ("LAT p50", "best peer", "LAT p50", 0.1),
    ("LAT p99", "best peer", "LAT p99", 0.2),
    ("LAT-0 p50", "best peer", "LAT-0 p50", 0.1),
    ("LAT-0 p99", "best peer", "LAT-0 p99", 0.2),
)


def goals(medians: dict[str, dict[str, float]]) -> str:
    """A Markdown table: ratios of xbot's figures to the peers', and the goals."""
    ours = medians["xbot"]
    lines = ["| xbot's | against | ratio | goal |", "|---|---|---:|---:|"]
    for figure, peer, theirs, bound in GOALS:
        found = [
            figures[theirs]
            for name, figures in medians.items()
            if theirs in figures
            and (name.startswith(peer) or (peer == "best peer" and name != "xbot"))
        ]
        if not found or figure not in ours:
            continue
        who = f"{peer}, {theirs.split()[0]}" if figure != theirs else peer
        ratio = ours[figure] / min(found)
        lines.append(f"| {figure.replace(' cpu', '')} | {who} | {ratio:.2f} | {bound:g} |")
    return "\n".join(lines)
