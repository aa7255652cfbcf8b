"""Figures as a table for people."""

from __future__ import annotations

#: The columns: title, figure, factor, digits.
COLUMNS = (
    ("S2 us", "S2 cpu", 1e6, 1),
    ("S3 us", "S3 cpu", 1e6, 1),
    ("S4 us", "S4 cpu", 1e6, 1),
    ("S4 replies", "S4 replies", 1, 0),
    ("S5a s", "S5a s", 1, 3),
    ("S5b us", "S5b cpu", 1e6, 1),
    ("S5b bytes", "S5b bytes", 1, 0),
    ("S6 us", "S6 cpu", 1e6, 1),
    ("S7 s", "S7 s", 1, 3),
    ("start s", "start s", 1, 3),
    ("MiB", "start bytes", 1 / 1048576, 0),
    ("LAT p50 ms", "LAT p50", 1e3, 2),
    ("LAT p99 ms", "LAT p99", 1e3, 2),
)


def table(medians: dict[str, dict[str, float]]) -> str:
    """A Markdown table: a row for each bot, a dash for what was not measured."""
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
