"""Tests of :mod:`xbot.config.lint`: what is warned of, and no false positives."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import ROOT
from xbot.config import load

BASE = "[xmpp]\nserver = embedded\n[group admins]\nmembers = a@b\n"
RESPONDER = f"{BASE}[responder x]\nmatch = x\n"
CUT, LIST, LINE = "the value ends here", "the list ends here", "this line is a comment"
QUOTES = "the quotes are part of the value"


class LintTests(SynchronousTestCase):
    def warnings(self, text: str) -> list[tuple[int, str, str]]:
        path = Path(self.mktemp())
        path.write_text(text)
        path.chmod(0o600)
        found = load(path, {"PATH": "/bin"}).warnings
        return [(each.line, each.option, each.reason) for each in found]

    def test_warnings(self) -> None:
        """Each value that was cut or quoted is told once, with the line where that happens."""
        for text, line, option, reason in (
            (f"{RESPONDER}reply = a ; b", 7, "reply", CUT),
            (f"{RESPONDER}reply = a ;) b", 7, "reply", CUT),
            (f"{RESPONDER}reply = a  ;) b", 7, "reply", CUT),
            (f"{RESPONDER}reply =\n  a\n  b ; c\n  d ; e", 9, "reply", CUT),
            (f"{RESPONDER}reply =\n  a\n  # b", 9, "reply", LINE),
            (f"{RESPONDER}reply =\n  a\n  ;) b", 9, "reply", LINE),
            (f"{RESPONDER}run = sh -c ls ; rm", 7, "run", CUT),
            (f"{BASE}[responder x]\nmatch = a ; b\nreply = c", 6, "match", CUT),
            (f"{BASE}[responder x]\nhear =\n  a\n  #b\nreply = c", 8, "hear", LINE),
            (f"{RESPONDER}reply = a\nhelp = b ; c", 8, "help", CUT),
            (f"{RESPONDER}use = a:b\ntoken = b ;c", 8, "token", CUT),
            (f"{BASE}[xbot]\nprefix = ;", 6, "prefix", CUT),
            (f"{BASE}[room a@b]\nnick = a ;b", 6, "nick", CUT),
            (f"{RESPONDER}reply = a\ndeny = c@d ; e@f", 8, "deny", LIST),
            (f"{RESPONDER}reply = a\ndeny = c@d ; admins", 8, "deny", LIST),
            (f"{RESPONDER}reply = a\nrooms = c@d\n  #e%irc@f", 9, "rooms", LINE),
            (f"{RESPONDER}reply = a\n  help = b", 7, "reply", "help = ... is part of this value"),
            (f'{RESPONDER}reply = "a"', 7, "reply", QUOTES),
            (f"{BASE}[responder x]\nmatch = 'a'\nreply = b", 6, "match", QUOTES),
            (f'{BASE}[xbot]\nprefix = ""', 6, "prefix", QUOTES),
        ):
            with self.subTest(text):
                ((at, of, told),) = self.warnings(text)
                self.assertEqual((at, of), (line, option))
                self.assertIn(reason, told)

    def test_usual_comments(self) -> None:
        """Comments that are set apart, on one-word values and between names are no warning."""
        for text in (
            (ROOT / "etc" / "xbot.ini").read_text(),
            f"{RESPONDER}reply =\n  x = a\n  help == b\nhelp = c\n",
            f"{RESPONDER}reply = a  ; b\nhelp = c\t; d\n",
            f"{RESPONDER}reply = a\n; b\n# c\n",
            f"{RESPONDER}reply =\n  a\n  ; b\n",
            f"{RESPONDER}reply = a \\; b\n  \\# c\n  \\#d\n",
            f"{RESPONDER}reply = a\ntimeout = 5s ; b\n",
            f"{RESPONDER}reply = a\nallow =\n  admins ; the others are on leave\n  #c@d\n  ;e@f\n",
            f"{BASE}[responder x]\nhear =\n  (?x) a\n  # b\n  b\nreply = c\n",
            f'{RESPONDER}reply = "a" and "b"\n',
            f'{RESPONDER}run = "true"\n',
        ):
            with self.subTest(text):
                self.assertEqual(self.warnings(text), [])

    def test_passwords(self) -> None:
        """A password that was cut or quoted is warned of, and no part of it is shown."""
        for value in ("hunter2 ; hunter3", "hunter2 ;hunter3", '"hunter2 hunter3"', "'hunter2'"):
            with self.subTest(value):
                found = self.warnings(f"[xmpp]\njid = a@b\npassword = {value}\n")
                self.assertEqual([(line, option) for line, option, _ in found], [(3, "password")])
                self.assertNotIn("hunter", repr(found))
