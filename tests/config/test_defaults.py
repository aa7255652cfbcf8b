"""Tests of the defaults: each stands once, and all that tells it follows or is held here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import ROOT
from xbot.config import load
from xbot.config.options import KINDS, OptionKind, SectionKind
from xbot.config.settings import Config

#: A section of each kind, with no option that has a default.
SECTIONS = {
    "xbot": "[xbot]",
    "xmpp": "[xmpp]\njid = bot@example.org\npassword = x\nhost = example.org",
    "http": "[http]\nlisten = 127.0.0.1:8088",
    "webhook": "[webhook w]\nroom = r@example.org\ntemplate = {a}\nsecret = none",
    "room": "[room r@example.org]",
    "responder": "[responder x]\nmatch = x\nreply = x",
    "group": "[group g]\nmembers = @example.org",
}

#: Options whose default is told in words, which no ini can say.
IN_WORDS = {
    "xbot": {"state", "may-write-to"},
    "xmpp": {"password-file", "host", "port", "ca-file", "sasl", "accept-invites"},
    "http": {"hosts"},
    "webhook": {"path", "secret-file", "dedupe-key"},
    "room": {"nick", "responders"},
    "responder": {"usage", "effect", "allow", "deny", "rooms"},
    "group": set(),
}


def literal(kind: SectionKind) -> Iterator[OptionKind]:
    """The options of ``kind`` whose default an ini can say."""
    for option in kind.options:
        if option.default and option.name not in IN_WORDS[kind.name]:
            yield option


class DefaultsTests(SynchronousTestCase):
    def load(self, sections: dict[str, str]) -> Config:
        """The settings of an ini with these sections."""
        path = Path(self.mktemp())
        path.write_text("\n".join(sections.values()))
        path.chmod(0o600)
        return load(path, {"HOME": "/home/x"})

    def test_every_section_is_tried(self) -> None:
        """There is a section of each declared kind here, so that no default is missed."""
        self.assertEqual(set(SECTIONS), {kind.name for kind in KINDS})
        for kind in KINDS:
            self.assertLessEqual(IN_WORDS[kind.name], {option.name for option in kind.options})
        self.assertGreater(sum(1 for kind in KINDS for _ in literal(kind)), 20)

    def test_declared(self) -> None:
        """An ini that sets every option to the default that is told means the same as without."""
        written = {
            kind.name: "\n".join(
                [SECTIONS[kind.name], *(f"{each.name} = {each.default}" for each in literal(kind))]
            )
            for kind in KINDS
        }
        said, unsaid = self.load(written), self.load(SECTIONS)
        for name in ("bot", "xmpp", "http", "webhooks", "rooms"):
            self.assertEqual(getattr(said, name), getattr(unsaid, name))
        for one, other in zip(said.responders, unsaid.responders, strict=True):
            self.assertEqual(one, evolve(other, path=one.path, line=one.line))

    def test_in_words(self) -> None:
        """The defaults that depend on something else are as they are told."""
        found = self.load(SECTIONS)
        direct = self.load(SECTIONS | {"xmpp": SECTIONS["xmpp"] + "\ntls = direct"})
        told = {
            (kind.name, option.name): option.default for kind in KINDS for option in kind.options
        }
        ports = f"{found.xmpp.port}; {direct.xmpp.port} with tls = direct"
        self.assertEqual(told["xmpp", "port"], ports)
        self.assertEqual(told["webhook", "path"].replace("NAME", "w"), found.webhooks[0].path)
        self.assertEqual(told["room", "nick"].replace("[xbot] name", "xbot"), found.rooms[0].nick)
        state = told["xbot", "state"].replace("~", "/home/x")
        self.assertEqual(state, f"$STATE_DIRECTORY, else {found.bot.state}")


class PageTests(SynchronousTestCase):
    def test_tables(self) -> None:
        """docs/configuration.md tells for each option the default that the code declares."""
        text = (ROOT / "docs" / "configuration.md").read_text()
        for kind in KINDS:
            part = text.split(f"## {kind.heading}", 1)[1].split("\n## ", 1)[0]
            rows = re.findall(r"^\| (`[^|]+) \| ([^|]*) ?\|", part, re.MULTILINE)
            told = {
                name: default.replace("`", "").strip()
                for names, default in rows
                for name in re.findall(r"`([\w-]+)`", names)
            }
            for option in kind.options:
                expected = [option.default] if option.default else ["", "none", "(needed)"]
                if kind.name == "room" and option.name == "password-file":
                    expected = ["none"]
                self.assertIn(told[option.name], expected, f"[{kind.name}] {option.name}")


class ShippedTests(SynchronousTestCase):
    def test_comments(self) -> None:
        """The shipped ini tells the default of each option in a comment that has one."""
        kinds = {kind.name: kind for kind in KINDS}
        kind, told = kinds["xbot"], 0
        for line in (ROOT / "etc" / "xbot.ini").read_text().splitlines():
            if heading := re.match(r"(?:; )?\[(\w+)( .*)?\]$", line):
                kind = kinds[heading[1]]
            found = re.match(r"; ([a-z-]+) = \S.*?(?: +; (.*))?$", line)
            option = kind.option(found[1]) if found else None
            if found is None or option is None:
                continue
            if option.default and option.name not in ("usage", "password-file"):
                self.assertRegex(found[2] or "", f"^default: {re.escape(option.default)}($|; )")
                told += 1
            else:
                self.assertNotIn("default", found[2] or "")
        self.assertGreater(told, 8)
