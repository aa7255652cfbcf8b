"""Message markup: code blocks, tables, and splitting long texts into pages.

A block is preformatted text of XEP-0393 5.1.2: it begins with a line that
begins with three backticks, and ends with a line of just these.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from xbot.model.size_limit import UNBOUNDED, Measure

FENCE = "```"

#: Zero-width space, put before backticks in a text so that they are no fence.
_NO_FENCE = "\u200b"

#: Maximum width of a table cell, in columns.
WIDEST_CELL = 40

#: Minimum page length in characters: the fences of a block and some text between them fit.
SHORTEST_PAGE = 32

#: Maximum number of characters searched backwards for a blank at which to split a line.
_LONGEST_WORD = 80

#: The end of a block.
_CLOSING = f"\n{FENCE}"


def code(text: str) -> str:
    """``text`` as one code block; fences in it are escaped, so that no line can end the block."""
    lines = _lines(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join([FENCE, *map(_unfenced, lines), FENCE])


def table(rows: Iterable[Iterable[object]], header: Iterable[object] | None = None) -> str:
    """``rows`` in aligned columns, as a code block. Cells are one line, cut if too long."""
    shown = [[_cell(cell) for cell in row] for row in rows]
    if header is not None:
        titles = [_cell(cell) for cell in header]
        shown.insert(0, titles)
    count = max(map(len, shown), default=0)
    widths = [
        max(_width(row[column]) for row in shown if column < len(row)) for column in range(count)
    ]
    lines = [_row(row, widths) for row in shown]
    if header is not None:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return code("\n".join(lines))


def pages(text: str, limit: int, measure: Measure = UNBOUNDED) -> list[str]:
    """Split ``text`` into pages of at most ``limit`` characters that fit into ``measure``.

    Both limits must allow :data:`SHORTEST_PAGE` characters. The text is split between lines;
    where a line is too long, between words, else between characters. A block stays whole if it
    fits on a page; else it is closed at the end of a page and opened again on the next.
    """
    if limit < SHORTEST_PAGE or measure.most < SHORTEST_PAGE * measure.widest:
        raise ValueError(f"a page has {SHORTEST_PAGE} characters at least")
    closed = _closed(text) if FENCE in text else text
    if len(closed) <= limit and measure.fits(closed):
        return [closed]
    return _paged(text, measure.at_most(limit))


def _paged(text: str, measure: Measure) -> list[str]:
    done: list[str] = []
    page: list[str] = []
    size, newline = 0, measure.size("\n")
    for piece in _pieces(text, measure):
        length = measure.size(piece)
        if page and size + length > measure.most:
            done.append("\n".join(page))
            page, size = [], 0
        page.append(piece)
        size += length + newline
    done.append("\n".join(page))
    return done


def _pieces(text: str, measure: Measure) -> Iterator[str]:
    """The units that stay together, lines and blocks; none is longer than a page."""
    block: list[str] | None = None
    for line in _lines(text):
        if block is None and not line.startswith(FENCE):
            yield from _split(line, measure, measure.most)
        elif block is None:
            block = []
            opening = line
            if len(line) > SHORTEST_PAGE // 2:
                # Too long for a language name: text follows the fence on the same line.
                opening, block = FENCE, [_unfenced(line.removeprefix(FENCE))]
        elif line.rstrip() != FENCE:
            block.append(line)
        else:
            yield from _blocks(opening, block, measure)
            block = None
    if block is not None:
        # XEP-0393 5.1.2: the end of the text also ends a block.
        yield from _blocks(opening, block, measure)


def _blocks(opening: str, lines: Sequence[str], measure: Measure) -> Iterator[str]:
    """Split a block into blocks that fit on a page."""
    newline = measure.size("\n")
    room = measure.most - measure.size(opening) - measure.size(_CLOSING) - newline
    block: list[str] = []
    size = 0
    for line in lines:
        for part in _split(line, measure, room):
            length = measure.size(part)
            if block and size + length > room:
                yield "\n".join([opening, *block, FENCE])
                block, size = [], 0
            block.append(part)
            size += length + newline
    yield "\n".join([opening, *block, FENCE])


def _split(line: str, measure: Measure, most: int) -> Iterator[str]:
    """Split a line into parts that fit; parts that would look like a fence are escaped."""
    while (limit := _fitting(line, measure, most)) < len(line):
        end = _end(line, limit)
        piece = line[:end].rstrip(" ") if line[:end].strip(" ") else line[:end]
        # A line of a block may begin with backticks; a part of only these would end the block.
        yield _unfenced(piece) if piece == FENCE else piece
        line = _unfenced(line[end:])
    yield line


def _fitting(line: str, measure: Measure, most: int) -> int:
    """Length of the longest prefix of ``line`` whose size is at most ``most``."""
    if len(line) * measure.widest <= most:
        return len(line)
    if measure.size is len:
        return most
    # Binary search. A character counts at least one, and at most ``measure.widest``.
    least, least_not = most // measure.widest, min(len(line), most) + 1
    while least_not - least > 1:
        middle = (least + least_not) // 2
        if measure.size(line[:middle]) <= most:
            least = middle
        else:
            least_not = middle
    return least


def _end(line: str, limit: int) -> int:
    """Where to split: after a blank, else not inside a combining sequence."""
    blank = line.rfind(" ", max(1, limit - _LONGEST_WORD), limit)
    if blank > 0:
        return blank + 1
    for end in range(limit, max(1, limit - 16), -1):
        if not _joins(line[end]) and line[end - 1] != "\u200d":
            return end
    return limit


def _closed(text: str) -> str:
    """``text`` with its last block closed."""
    is_open = False
    for line in _lines(text):
        is_open = line.rstrip() != FENCE if is_open else line.startswith(FENCE)
    return f"{text}\n{FENCE}" if is_open else text


def _lines(text: str) -> list[str]:
    # XML 1.0 2.11: a receiver reads each of these as a line feed.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _unfenced(line: str) -> str:
    return _NO_FENCE + line if line.lstrip().startswith(FENCE) else line


def _cell(value: object) -> str:
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(value)).strip()
    if _width(text) <= WIDEST_CELL:
        return text
    kept, width = [], 1
    for character in text:
        width += _width(character)
        if width > WIDEST_CELL:
            break
        kept.append(character)
    return "".join(kept) + "\u2026"


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False))
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Width of ``text`` in terminal columns (Unicode Standard Annex 11)."""
    return sum(
        0 if _joins(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _joins(character: str) -> bool:
    """Whether ``character`` has no width of its own (combining and format characters)."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")
