"""Tests of :mod:`xbot.config.ini`."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from xbot.config.ini import Ini, parse

PATH = Path("x.ini")

WORDS = st.text(alphabet="ab:%{}'\"#/é😀", min_size=1, max_size=6)
LINES = st.one_of(
    st.just(""),
    st.just("  "),
    st.builds("; {}".format, WORDS),
    st.builds("  # {}".format, WORDS),
    st.builds("  {} ; {}".format, WORDS, WORDS),
    st.builds("\t{};{}".format, WORDS, WORDS),
)


#: A line of a value: any text without control characters that has no blanks around it.
VALUE_LINES = st.one_of(
    st.text(alphabet='\\;# =[a"', max_size=8),
    st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs"))),
).map(str.strip)


def written(value: str) -> str:
    """How any ``value`` is written in an ini, by the rule of the documentation."""
    lines = []
    for line in value.split("\n"):
        line = re.sub(r"(?<=\s)(?=\\*;)", r"\\", line)
        lines.append(f"\\{line}" if re.match(r"\\*[;#]", line) else line)
    return "\n  ".join(lines)


def read(text: str) -> Ini:
    return parse(text.encode("utf-8", "surrogatepass"), PATH)


def options(text: str) -> dict[str, tuple[str, int]]:
    """The options of the first section: name to (value, line)."""
    section = read(text).sections[0]
    return {name: (option.value, option.line) for name, option in section.options.items()}


class ParseTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Sections and options know their lines."""
        ini = read("; hello\n\n[xbot]\nname = xbot\n\n[room  a@b ]\nnick=robo\n")
        self.assertEqual(ini.problems, ())
        self.assertEqual(
            [(section.kind, section.name, section.line) for section in ini.sections],
            [("xbot", "", 3), ("room", "a@b", 6)],
        )
        self.assertEqual(ini.sections[1].title, "room a@b")
        self.assertEqual(ini.sections[1].options["nick"].line, 7)

    def test_values_are_left_alone(self) -> None:
        """Percent signs, colons, #, = and a ; inside a word belong to the value."""
        self.assertEqual(
            options("[x]\nA = 100% %(b)s\nb=c:d #e\nc = x;y = z\n"),
            {"a": ("100% %(b)s", 2), "b": ("c:d #e", 3), "c": ("x;y = z", 4)},
        )

    def test_comments(self) -> None:
        """A ; after a blank, and whole lines of ; or #, are comments."""
        self.assertEqual(
            options("[x] ; why\na = b ; c\n  ; d = e\n# f = g\nh = ; i\n"),
            {"a": ("b", 2), "h": ("", 5)},
        )

    def test_continuation(self) -> None:
        """A more indented line goes on with the value, over comments and empty lines."""
        self.assertEqual(
            options("[x]\na =\n  b\n\n  ; no\n\tc = d ; e\nf = g\n"),
            {"a": ("b\n\nc = d", 2), "f": ("g", 7)},
        )

    def test_default_is_a_section_like_any_other(self) -> None:
        """What is in [DEFAULT] turns up nowhere else."""
        ini = read("[DEFAULT]\na = b\n[x]\n")
        self.assertEqual([dict(section.options) for section in ini.sections[1:]], [{}])

    def test_line_ends_and_bom(self) -> None:
        """Windows' and old Macs' line ends and a byte order mark are no trouble."""
        self.assertEqual(
            [(s.kind, s.line) for s in read("\ufeff[x]\r\n\r\n[y]\r[z]").sections],
            [("x", 1), ("y", 3), ("z", 4)],
        )

    def test_lines_are_the_editors(self) -> None:
        """Characters that only Unicode calls line breaks break no lines."""
        self.assertEqual(options("[x]\na = b\u2028c\nd = e\n")["d"], ("e", 3))

    def test_mistakes(self) -> None:
        """Each thing that cannot be understood is told with its line."""
        heading = "a heading is written [kind] or [kind name]"
        option = "an option is written name = value"
        not_utf8 = "the line is not UTF-8"
        for text, *expected in (
            (b"a = b\n", (1, "", "", "this stands before the first [section]")),
            (b"[x\n", (1, "", "", heading)),
            (b"[]\n", (1, "", "", heading)),
            (b"[x] y\n", (1, "", "", heading)),
            (b"[x]\nword\n", (2, "x", "", option)),
            (b"[x]\n= b\n", (2, "x", "", option)),
            (b"[x]\na: b\n", (2, "x", "", option)),
            (b"[x y]\na = 1\nA = 2\n", (3, "x y", "a", "is already set in line 2")),
            (b"[x]\na = \xff\n", (2, "x", "", not_utf8)),
            (b"[x]\na = \0\n", (2, "x", "", "the line has a control character (U+0000)")),
            (
                b"[x]\n\x1b = \xff\n?\n",
                (2, "x", "", not_utf8),
                (2, "x", "", "the line has a control character (U+001B)"),
                (2, "x", "", option),
                (3, "x", "", option),
            ),
        ):
            with self.subTest(text):
                problems = parse(text, PATH).problems
                self.assertEqual(
                    [(p.line, p.section, p.option, p.reason) for p in problems], expected
                )

    def test_what_follows_a_refused_line_goes_with_it(self) -> None:
        """The rest of an option that was refused is not taken for something else."""
        ini = read("[x]\na = 1\nhunter 2\n  b = 3\na = 4\n  5\nc = 6\n[y\nd = 7\n")
        self.assertEqual(
            {name: option.value for name, option in ini.sections[0].options.items()},
            {"a": "1", "c": "6"},
        )
        self.assertEqual([problem.line for problem in ini.problems], [3, 5, 8])

    def test_nothing_is_repeated(self) -> None:
        """A line that is not understood, or an option's value, may be a password."""
        for text in (
            "[x]\nhunter2\n",
            "[x]\npassword: hunter2\n",
            "[x]\npassword: hunter2=\n",
            "[x]\npassword = 1\npassword = hunter2\n",
            "[x]\npassword = hunter2\0\n",
            "[x hunter2\n",
            "hunter2 = 1\n",
        ):
            with self.subTest(text):
                ini = read(text)
                self.assertNotEqual(ini.problems, ())
                self.assertNotIn("hunter2", repr(ini))

    def test_quoting(self) -> None:
        r"""\\; and \\# stand for what would begin a comment; elsewhere a backslash is kept."""
        for text, value in (
            (r"a \; b", "a ; b"),
            (r"a \\; b", r"a \; b"),
            (r"a \\\; b", r"a \\; b"),
            (r"\;) hi", ";) hi"),
            (r"\#a", "#a"),
            (r"\\#a", r"\#a"),
            ("\n  \\#chan%irc@gw\n  \\;x", "#chan%irc@gw\n;x"),
            # These begin no comment, so nothing has to be quoted.
            (r"a\;b", r"a\;b"),
            (r"a \#b", r"a \#b"),
            (r"a \n\d \\", r"a \n\d \\"),
            (r"a \; b ; c", "a ; b"),
        ):
            with self.subTest(text):
                self.assertEqual(options(f"[x]\na = {text}\n")["a"][0], value)

    def test_quoting_in_patterns_and_command_lines(self) -> None:
        r"""In a pattern, and outside of quotes in a command line, \\; meant ; already."""
        for text in (r"a\;b", r"a \;b", r"[ \;]+", r"\;"):
            value = options(f"[x]\na = {text}\n")["a"][0]
            for said in ("a;b", "a ;b", ";", " ;", "a"):
                self.assertEqual(bool(re.fullmatch(value, said)), bool(re.fullmatch(text, said)))
        command = r"find . -exec ls {{}} \;"
        self.assertEqual(
            shlex.split(options(f"[x]\na = {command}\n")["a"][0]), shlex.split(command)
        )

    @given(st.lists(VALUE_LINES).map("\n".join).map(str.strip))
    def test_any_value(self, value: str) -> None:
        """Any value can be written, and is read back; nothing in it is taken for a comment."""
        option = read(f"[x]\na = {written(value)}\nb = c\n").sections[0].options["a"]
        self.assertEqual((option.value, option.comments), (value, ()))

    def test_comments_of_a_value(self) -> None:
        """Comments in a value are known with their lines, and whether they are set apart."""
        option = (
            read(
                "[x] ; 0\n"
                "a = b ; 1\n  c  ; 2\n\td\t;3\n  # 4\n  #5\n  ;\n; not indented\ne = f  ; 7\n"
            )
            .sections[0]
            .options["a"]
        )
        self.assertEqual(option.value, "b\nc\nd")
        self.assertEqual(
            [(each.line, each.mark, each.is_line, each.is_apart) for each in option.comments],
            [
                (2, ";", False, False),
                (3, ";", False, True),
                (4, ";", False, False),
                (5, "#", True, True),
                (6, "#", True, False),
                (7, ";", True, True),
            ],
        )
        self.assertNotIn("hunter2", repr(read("[x]\npassword = a ;hunter2\n  #hunter2\n")))

    @given(st.lists(st.tuples(WORDS, st.lists(LINES, max_size=4)), max_size=6))
    def test_same_as_configparser(self, found: list[tuple[str, list[str]]]) -> None:
        """Where the standard parser understands a file, we understand the same."""
        lines = ["[x]"]
        for number, (value, more) in enumerate(found):
            lines += [f"option{number} = {value}", *more]
        text = "\n".join(lines)
        theirs = RawConfigParser(
            delimiters=("=",), inline_comment_prefixes=(";",), default_section=""
        )
        theirs.read_string(text)
        ini = read(text)
        self.assertEqual(ini.problems, ())
        self.assertEqual(
            {name: option.value for name, option in ini.sections[0].options.items()},
            {name: value.strip() for name, value in theirs["x"].items()},
        )

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        """No bytes at all make it raise."""
        parse(data, PATH)
