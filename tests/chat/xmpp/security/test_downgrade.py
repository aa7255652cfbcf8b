"""Downgrade protection: the strength of the best login is required again."""

import errno
import json
import os
import stat
from pathlib import Path

from twisted.logger import globalLogPublisher
from twisted.trial import unittest

from xbot.chat.xmpp.security.downgrade import (
    MAX_SIZE,
    Downgrade,
    DowngradeProtection,
    MemoryUnreadable,
)
from xbot.chat.xmpp.security.mechanisms import Choice
from xbot.model.jid import Jid

JID = Jid.parse("xbot@example.org/bot")
PLAIN, EXTERNAL = Choice("PLAIN"), Choice("EXTERNAL")
SCRAM = Choice("SCRAM-SHA-256", "y,,")


def bound(kind):
    return Choice("SCRAM-SHA-1-PLUS", f"p={kind},,", kind, b"secret data")


EXPORTER, UNIQUE, END_POINT = (
    bound("tls-exporter"),
    bound("tls-unique"),
    bound("tls-server-end-point"),
)
TLS_13, TLS_12 = ("tls-exporter", "tls-server-end-point"), ("tls-unique", "tls-server-end-point")


class RememberedTests(unittest.TestCase):
    def setUp(self):
        self.path = Path(self.mktemp()) / "state" / "login.json"
        self.logged = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def after(self, *logins):
        """A process of its own that finds what these logins left."""
        before = DowngradeProtection(self.path)
        for choice in logins:
            before.got_login(JID, choice)
        return DowngradeProtection(self.path)

    def allows(self, remembered, choice, bindings=TLS_13, jid=JID):
        try:
            remembered.check(jid, choice, bindings)
        except Downgrade as problem:
            self.assertIn("sasl = ...", str(problem))
            self.assertIn(str(self.path), str(problem))
            return False
        return True

    def test_at_first(self):
        """An account that never logged in may log in by anything, and nothing is written."""
        remembered = self.after(PLAIN)
        for choice in PLAIN, SCRAM, EXPORTER, EXTERNAL:
            self.assertTrue(self.allows(remembered, choice))
        self.assertFalse(self.path.exists())

    def test_downgrades(self):
        """What each login rules out, by what the connection can bind with."""
        table = (
            # used before, what is tried, refused on TLS 1.3, on TLS 1.2
            (SCRAM, PLAIN, True, True),
            (SCRAM, SCRAM, False, False),
            (EXTERNAL, PLAIN, True, True),
            (EXTERNAL, SCRAM, False, False),
            (EXPORTER, SCRAM, True, True),
            (EXPORTER, PLAIN, True, True),
            (EXPORTER, END_POINT, True, True),
            (EXPORTER, UNIQUE, False, False),
            (EXPORTER, EXTERNAL, False, False),
            (UNIQUE, SCRAM, False, True),
            (UNIQUE, PLAIN, True, True),
            (UNIQUE, END_POINT, False, True),
            (END_POINT, SCRAM, True, True),
            (END_POINT, END_POINT, False, False),
            (END_POINT, UNIQUE, False, False),
        )
        for before, choice, on_13, on_12 in table:
            remembered = self.after(before)
            what = f"{before} then {choice}"
            self.assertEqual(self.allows(remembered, choice, TLS_13), not on_13, what)
            self.assertEqual(self.allows(remembered, choice, TLS_12), not on_12, what)
            self.path.unlink()

    def test_end_point_that_cannot_be(self):
        """A certificate without an end point (EdDSA) is no downgrade from one that had it."""
        self.assertTrue(self.allows(self.after(END_POINT), SCRAM, ("tls-exporter",)))

    def test_the_best_counts(self):
        """A weaker login later takes nothing back."""
        for first, second in ((EXPORTER, END_POINT), (EXPORTER, EXTERNAL), (SCRAM, PLAIN)):
            remembered = self.after(first, second)
            self.assertFalse(self.allows(remembered, PLAIN))
            self.assertEqual(self.allows(remembered, SCRAM), first is SCRAM)
            self.path.unlink()

    def test_binding_types(self):
        """A stronger type of binding is stored, and a weaker one later takes nothing back."""
        for first, second in ((END_POINT, UNIQUE), (UNIQUE, END_POINT), (END_POINT, EXPORTER)):
            remembered = self.after(first, second)
            self.assertFalse(self.allows(remembered, END_POINT, TLS_12))
            self.path.unlink()

    def test_in_this_process(self):
        """A type that this process used is required again, also where the file is lost."""
        remembered = self.after()
        remembered.got_login(JID, EXPORTER)
        self.path.unlink()
        self.assertFalse(self.allows(remembered, END_POINT))

    def test_words(self):
        """The refusal tells both types, and where the TLS version is the cause, that."""
        remembered = self.after(EXPORTER)
        problem = self.assertRaises(Downgrade, remembered.check, JID, END_POINT, TLS_13)
        self.assertIn(
            "offers only tls-server-end-point, where this account used SCRAM-SHA-1-PLUS with"
            " tls-exporter before",
            str(problem),
        )
        problem = self.assertRaises(Downgrade, remembered.check, JID, END_POINT, TLS_12)
        self.assertIn("on this connection older than TLS 1.3, where", str(problem))

    def test_accounts_are_apart(self):
        """One account's history says nothing of another's, and a resource makes no difference."""
        remembered = self.after(SCRAM)
        self.assertTrue(self.allows(remembered, PLAIN, jid=Jid.parse("other@example.org/bot")))
        self.assertFalse(self.allows(remembered, PLAIN, jid=Jid.parse("xbot@example.org/x")))
        remembered.got_login(Jid.parse("other@example.org"), EXPORTER)
        self.assertFalse(self.allows(DowngradeProtection(self.path), PLAIN))

    def test_the_file(self):
        """It is for us alone, holds no secret, and is written only when something is new."""
        remembered = self.after(SCRAM)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        remembered.got_login(JID, EXPORTER)
        self.assertEqual(
            json.loads(self.path.read_text()),
            {"xbot@example.org": {"mechanism": "SCRAM-SHA-1-PLUS", "binding": "tls-exporter"}},
        )
        self.path.unlink()
        for choice in EXPORTER, SCRAM, PLAIN, EXTERNAL:
            remembered.got_login(JID, choice)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def refuses(self, remembered, choice):
        """It is not known whether that is enough, and the operator reads what to do."""
        problem = self.assertRaises(MemoryUnreadable, remembered.check, JID, choice, TLS_13)
        self.assertIn(str(self.path), str(problem))
        self.assertIn("sasl = ...", str(problem))
        self.assertNotIn("\n", str(problem))
        return problem

    def test_broken_files(self):
        """While a file cannot be understood, only the best will do; then it is written anew."""
        self.path.parent.mkdir(parents=True)
        for content in (
            "", "{", "[]", "1", "[" * 50_000, '{"a": 1}', '{"a": {"mechanism": 1}}',
            '{"a": {"mechanism": "PLAIN", "binding": []}}', "\ud800",
        ):  # fmt: skip
            self.path.write_bytes(content.encode("utf-8", "surrogatepass"))
            del self.logged[:]
            remembered = DowngradeProtection(self.path)
            for choice in PLAIN, SCRAM, END_POINT:
                self.assertTrue(self.refuses(remembered, choice).is_broken, content[:40])
            self.assertEqual(self.logged, [])
            for choice in EXTERNAL, EXPORTER, UNIQUE:
                self.assertTrue(self.allows(remembered, choice))
            remembered.got_login(JID, EXPORTER)
            self.assertEqual([e["log_level"].name for e in self.logged], ["error"], content[:40])
            for known in remembered, DowngradeProtection(self.path):
                self.assertFalse(self.allows(known, SCRAM), content[:40])

    def test_files_that_cannot_be_read(self):
        """What stands there may be right: it is left alone, and read once it can be."""
        self.after(SCRAM)
        content = self.path.read_bytes()
        for spoil in (
            lambda: self.path.mkdir(),
            lambda: os.mkfifo(self.path),
            lambda: self.path.symlink_to(self.path),
            lambda: self.path.symlink_to(self.path.parent / "nothing"),
            lambda: self.path.write_bytes(content + b" " * MAX_SIZE),
        ):
            self.path.unlink()
            spoil()
            before = self.path.lstat()
            remembered = DowngradeProtection(self.path)
            for choice in PLAIN, SCRAM:
                self.assertFalse(self.refuses(remembered, choice).is_broken)
            remembered.got_login(JID, EXPORTER)
            self.assertEqual(self.path.lstat(), before)
            if stat.S_ISDIR(before.st_mode):
                self.path.rmdir()
            else:
                self.path.unlink()
            self.path.write_bytes(content)
            self.assertFalse(self.allows(remembered, PLAIN))
            self.assertTrue(self.allows(remembered, SCRAM))

    def test_a_moment_without_descriptors(self):
        """What cannot be read now is read at the next try."""
        self.after(SCRAM)
        remembered = DowngradeProtection(self.path)

        def no_more(*arguments):
            raise OSError(errno.EMFILE, "Too many open files")

        opened = self.patch(os, "open", no_more)
        self.refuses(remembered, PLAIN)
        opened.restore()
        self.assertFalse(self.allows(remembered, PLAIN))

    def test_a_state_folder_that_cannot_be_written(self):
        """It is a line in the log; what was used still counts in this process."""
        blocked = Path(self.mktemp())
        blocked.write_text("a file where the folder should be")
        self.path = blocked / "login.json"
        remembered = DowngradeProtection(self.path)
        self.assertTrue(self.allows(remembered, PLAIN))
        remembered.got_login(JID, SCRAM)
        remembered.got_login(JID, SCRAM)
        self.assertEqual(len([e for e in self.logged if "cannot store" in e["log_format"]]), 1)
        self.assertFalse(self.allows(remembered, PLAIN))

    def test_left_over(self):
        """What a crash left of a write is in nobody's way, and no link is followed."""
        self.path.parent.mkdir(parents=True)
        victim = self.path.parent / "victim"
        victim.write_text("untouched")
        os.symlink(victim, self.path.parent / ".login.json.new")
        self.after(SCRAM)
        self.assertEqual(victim.read_text(), "untouched")
        self.assertFalse(self.allows(DowngradeProtection(self.path), PLAIN))
