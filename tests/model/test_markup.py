"""Tests of :mod:`xbot.model.markup`."""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from xbot.model.markup import FENCE, SHORTEST_PAGE, code, pages, table

#: Made of what matters: fences, blanks, long words, what is not one character wide.
PARTS = st.sampled_from(
    [
        "```",
        "```py",
        "``` ",
        "`",
        " ```",
        "\n",
        "\n",
        "\r\n",
        " ",
        "word",
        "x" * 40,
        "e\u0301",
        "漢",
    ]
)
TEXTS = st.one_of(st.lists(PARTS, max_size=60).map("".join), st.text(max_size=400))
LIMITS = st.integers(SHORTEST_PAGE, 90)


def in_blocks(text: str) -> tuple[list[str], bool]:
    """The lines that a client shows in blocks, and whether the last block is open."""
    shown: list[str] = []
    is_open = False
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not is_open:
            is_open = line.startswith(FENCE)
        elif line.rstrip() == FENCE:
            is_open = False
        else:
            shown.append(line)
    return shown, is_open


def characters(text: str) -> str:
    """What of a text is neither blank, nor makes a block, nor invisible."""
    return re.sub(r"[\s\u200b]|```", "", text)


class PagesTests(TestCase):
    @given(TEXTS, LIMITS)
    def test_each_is_right_by_itself(self, text: str, limit: int) -> None:
        """No page is too long, and none leaves a block open."""
        for page in pages(text, limit):
            self.assertLessEqual(len(page), limit)
            self.assertFalse(in_blocks(page)[1], page)

    def test_backticks_alone(self) -> None:
        """Where a line of a block is split behind its backticks, these do not end the block."""
        for blanks in range(1, 40):
            for page in pages(f"```\n```{' ' * blanks}{'x' * 80}\n```", SHORTEST_PAGE):
                self.assertFalse(in_blocks(page)[1], page)

    @given(st.text("ab \n", max_size=400), LIMITS)
    def test_nothing_is_lost(self, text: str, limit: int) -> None:
        """Joined, pages are the text again, where only lines had to be parted."""
        lines = [line[:limit] for line in text.split("\n")]
        text = "\n".join(lines)
        self.assertEqual("\n".join(pages(text, limit)), text)

    @given(TEXTS, LIMITS)
    def test_no_character_is_lost(self, text: str, limit: int) -> None:
        """Whatever had to be parted, each character is there, in its order."""
        together = iter(characters("\n".join(pages(text, limit))))
        # A block's opening line, with what stands in it, is there on each of its pages.
        for character in characters(text).replace("`", ""):
            self.assertIn(character, together)

    @given(st.lists(st.text("ab `", max_size=60), max_size=20), LIMITS)
    def test_blocks_stay_blocks(self, lines: list[str], limit: int) -> None:
        """What is in a block is in one on its page too, and nothing else is."""
        block = code("\n".join(lines))
        shown: list[str] = []
        for page in pages(f"before\n{block}\nafter", limit):
            shown += in_blocks(page)[0]
        self.assertEqual(characters("".join(shown)), characters("".join(in_blocks(block)[0])))

    def test_where(self) -> None:
        """Between lines, else between words, else between characters that belong together."""
        self.assertEqual(pages("a" * 20 + "\n" + "b" * 20, 32), ["a" * 20, "b" * 20])
        self.assertEqual(pages("one two " * 5, 32), ["one two one two one two one two", "one two "])
        accented = "e\u0301" * 20
        self.assertEqual([len(page) for page in pages(accented, 33)], [32, 8])

    def test_a_block_that_fits_is_not_split(self) -> None:
        """A block that would run over the end of a page begins on the next."""
        block = code("one\ntwo\nthree")
        self.assertEqual(pages(f"{'a' * 20}\n{block}", 32), ["a" * 20, block])

    def test_a_block_that_does_not_fit(self) -> None:
        """It is closed, and opened again, of the same language."""
        text = "```py\n" + "\n".join(["x" * 8] * 4) + "\n```"
        self.assertEqual(
            pages(text, 32), ["```py\nxxxxxxxx\nxxxxxxxx\n```", "```py\nxxxxxxxx\nxxxxxxxx\n```"]
        )

    def test_parting_makes_no_fence(self) -> None:
        """Backticks that come to the beginning of a page begin no block there."""
        first, second = pages("a" * 30 + " ```b", 33)
        self.assertEqual((first, in_blocks(second)), ("a" * 30, ([], False)))

    def test_quickly(self) -> None:
        """A page of nothing but line feeds is as good as any other."""
        self.assertEqual("\n".join(pages("\n" * 65_536, 2000)), "\n" * 65_536)

    def test_too_short(self) -> None:
        """A page that could not hold a block is no page."""
        with self.assertRaises(ValueError):
            pages("a", SHORTEST_PAGE - 1)


class CodeTests(TestCase):
    @given(TEXTS)
    def test_nothing_escapes(self, text: str) -> None:
        """All of it is in the block, whatever fences are in it."""
        block = code(text)
        shown, is_open = in_blocks(block + "\nafter")
        self.assertFalse(is_open)
        self.assertEqual(
            "\n".join(shown).replace("\u200b", "").rstrip(),
            text.replace("\r\n", "\n").replace("\r", "\n").replace("\u200b", "").rstrip(),
        )

    def test_as_it_is(self) -> None:
        """What cannot end the block is not touched, but for blank lines at the end."""
        self.assertEqual(code("a\n  b``` \n\n"), "```\na\n  b``` \n```")


class TableTests(TestCase):
    def test_aligned(self) -> None:
        """Columns are as wide as what stands in them, on the reader's screen."""
        shown = table([["漢字", 1], ["e\u0301", 22], ["short"]], header=["what", "n"])
        self.assertEqual(shown, "```\nwhat   n\n-----  --\n漢字   1\ne\u0301      22\nshort\n```")

    def test_cells(self) -> None:
        """A cell is one line of at most forty columns, whatever is in it."""
        shown = table([["a\nb\x00c", "x" * 100], ["漢" * 100, "```"]])
        lines = shown.split("\n")[1:-1]
        self.assertEqual(lines[0], "a b c" + " " * 36 + "x" * 39 + "\u2026")
        self.assertEqual(lines[1], "漢" * 19 + "\u2026" + "  ```")

    def test_nothing(self) -> None:
        """No rows are an empty block, or the header alone."""
        self.assertEqual(table([]), "```\n```")
        self.assertEqual(table([], header=["a"]), "```\na\n-\n```")
