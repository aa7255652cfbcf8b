"""Tests of :mod:`xbot.config.reader` and the modules below it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import ROOT
from xbot.config import line_of, load
from xbot.config.credentials import MAX_PASSWORD, exposure, is_protected
from xbot.config.options import BUNDLED, KINDS
from xbot.config.places import MAX_SIZE
from xbot.config.settings import EMBEDDED, Config, HttpSettings, Listen, Secret
from xbot.config.values import MAX_DURATION
from xbot.model.access import EVERYONE, Access, AccessList
from xbot.model.errors import InvalidConfig
from xbot.model.jid import Jid
from xbot.model.people import NOBODY, People
from xbot.model.token_bucket import Rate
from xbot.process import file_trust

MINIMAL = "[xmpp]\nserver = embedded\n"
ACCOUNT = "[xmpp]\njid = bot@example.org\npassword = secret\n"
REAL = "[xmpp]\njid = bot@example.org\npassword-file = good\n"
SHIPPED = ROOT / "etc" / "xbot.ini"

ONE_OF = "exactly one of reply, run and use must be set"
BAD_NAME = "a responder's name has only letters, digits, _ and -"
NO_PASSWORD = (
    "is missing: write the account's password into a file that only you can read "
    "(chmod 600) and name it here"
)

#: What stands after ``[xmpp] server = embedded``, and what is said of it, ``FILE:`` left out.
MISTAKES: tuple[tuple[str, str], ...] = (
    # names of sections and options
    ("[rom a@b]", "3: [rom a@b]: there is no such kind of section; did you mean room?"),
    ("[qqq]", "3: [qqq]: there is no such kind of section"),
    ("[group admins]", "3: [group admins]: members is missing: who belongs to it"),
    (
        "[group a b]\nmembers = a@b",
        "3: [group a b]: a group's name has only letters, digits, _ and -",
    ),
    ("[group a]\nmembers = b", "4: [group a] members: 'b' is neither NAME@DOMAIN nor @DOMAIN"),
    (
        "[group room-owners]\nmembers = a@b",
        "3: [group room-owners]: room-owners means people of a room already; choose another name",
    ),
    ("[http]", "3: [http]: listen is missing: where to listen, as in 127.0.0.1:8088"),
    *(
        (
            f"[http]\nlisten = {value}",
            f"4: [http] listen: {value!r} is neither ADDRESS:PORT (127.0.0.1:8088)"
            " nor the path of a socket",
        )
        for value in ("example.org:80", "127.0.0.1:0", "1.2.3.4:x")
    ),
    *(
        (
            f"[http]\nlisten = {value}",
            f"4: [http] listen: {value!r} has no port: write {meant}, with the port that you want",
        )
        for value, meant in (
            ("0.0.0.0", "0.0.0.0:8088"),
            ("localhost", "127.0.0.1:8088"),
            ("::1", "[::1]:8088"),
            ("[::]", "[::]:8088"),
        )
    ),
    *(
        (
            f"[http]\nlisten = {value}",
            f"4: [http] listen: {value!r} has no address: write 127.0.0.1:80 to serve this machine"
            " only, or 0.0.0.0:80 to serve every machine that can reach it",
        )
        for value in ("80", ":80", "*:80")
    ),
    (f"[http]\nlisten = /{'x' * 107}", "4: [http] listen: a socket's path has at most 107 bytes"),
    (
        "[http]\nlisten = [::1]:1\nhosts = a_b.example x..y",
        "5: [http] hosts: 'x..y' is neither a host name nor an IP address",
    ),
    ("[DEFAULT]", "3: [DEFAULT]: there is no such kind of section"),
    ("[xbot foo]", "3: [xbot foo]: takes no name: it is written [xbot]"),
    ("[room]", "3: [room]: needs a name: it is written [room JID]"),
    (
        "[responder]\nhear=a\nreply=b",
        "3: [responder]: needs a name: it is written [responder NAME]",
    ),
    ("[xmpp]\nserver = embedded", "3: [xmpp]: is already there in line 1"),
    ("[xbot]\nnam = x", "4: [xbot] nam: there is no such option; did you mean name?"),
    (
        "[responder a]\nmatch = a\nreply = a\nbogus = 3",
        "6: [responder a] bogus: there is no such option",
    ),
    ("[xbot]\nqqq = x", "4: [xbot] qqq: there is no such option"),
    ("[xbot]\nname = a\nName = b", "5: [xbot] name: is already set in line 4"),
    ("[xbot]\nname =", "4: [xbot] name: has no value"),
    ("[xbot]\nname", "4: [xbot]: an option is written name = value"),
    # [xbot]
    ("[xbot]\nprefix = a b", "4: [xbot] prefix: a prefix has no blanks in it"),
    (
        "[xbot]\nname = a\n b",
        "4: [xbot] name: a nick is one line; a line that begins with a blank continues the one"
        " before",
    ),
    ("[xbot]\nstate = a\n b", "4: [xbot] state: a path is one line"),
    ("[xbot]\nstate = good", "4: [xbot] state: DIR/good is no folder"),
    (
        "[xbot]\njournal-keep = 3651d",
        "4: [xbot] journal-keep: '3651d' is out of range: more than nothing, and at most 3650d",
    ),
    (
        "[responder x]\nhear = a\nreply = b\neffect = maybe",
        "6: [responder x] effect: 'maybe' is neither yes nor no",
    ),
    # [xmpp], which goes on
    (
        "accept-invites = bob",
        "3: [xmpp] accept-invites: 'bob' is not NAME@DOMAIN, @DOMAIN or a [group]",
    ),
    (
        "accept-invites = a@b/c @d",
        "3: [xmpp] accept-invites: 'a@b/c' has a resource; people are named by NAME@DOMAIN",
    ),
    (
        "subscriptions = acept a@b",
        "3: [xmpp] subscriptions: 'acept' is not one of accept, ask, refuse, roster, NAME@DOMAIN,"
        " @DOMAIN or a [group]; did you mean accept?",
    ),
    (
        "subscriptions = accept refuse",
        "3: [xmpp] subscriptions: accept and refuse contradict each other",
    ),
    (
        "ping-interval = 30",
        "3: [xmpp] ping-interval: the unit is missing: 30s is seconds, 30m minutes, 30h hours",
    ),
    (
        "ping-interval = 3 weeks",
        "3: [xmpp] ping-interval: '3 weeks' is no duration: write it like 500ms, 30s, 5m, 2h or 1d",
    ),
    ("ping-interval = 500ms", "3: [xmpp] ping-interval: '500ms' is too often: at least 1s"),
    (
        "ping-timeout = 0s",
        "3: [xmpp] ping-timeout: '0s' is out of range: more than nothing, and at most 7d",
    ),
    (
        "ping-timeout = 8d",
        "3: [xmpp] ping-timeout: '8d' is out of range: more than nothing, and at most 7d",
    ),
    ("port = 0", "3: [xmpp] port: '0' is no port: a number from 1 to 65535"),
    ("port = 65536", "3: [xmpp] port: '65536' is no port: a number from 1 to 65535"),
    ("port = five", "3: [xmpp] port: 'five' is no port: a number from 1 to 65535"),
    ("host = example.org", "3: [xmpp] host: makes no sense with server = embedded"),
    ("password = hunter2", "3: [xmpp] password: makes no sense with server = embedded"),
    ("password-file = good", "3: [xmpp] password-file: makes no sense with server = embedded"),
    ("ca-file = good", "3: [xmpp] ca-file: makes no sense with server = embedded"),
    ("tls = direct", "3: [xmpp] tls: makes no sense with server = embedded"),
    ("sasl = PLAIN", "3: [xmpp] sasl: makes no sense with server = embedded"),
    (
        f"pin-sha256 = {'A' * 43}=",
        "3: [xmpp] pin-sha256: makes no sense with server = embedded",
    ),
    (
        "certificate-file = good",
        "3: [xmpp] certificate-file: makes no sense with server = embedded",
    ),
    ("key-file = good", "3: [xmpp] key-file: makes no sense with server = embedded"),
    (
        "jid = example.org",
        "3: [xmpp] jid: 'example.org' has no local part: an account is NAME@DOMAIN",
    ),
    ("jid = a@b@c", "3: [xmpp] jid: 'a@b@c' is no JID: it has more than one @"),
    # [room]
    ("[room a@b@c]", "3: [room a@b@c]: 'a@b@c' is no JID: it has more than one @"),
    ("[room b.c]", "3: [room b.c]: b.c is no room: a room's JID is ROOM@SERVICE"),
    ("[room a@b/c]", "3: [room a@b/c]: a room's JID has no resource; nick = c sets the nick"),
    ("[room a@b]\n[room A@B]", "4: [room A@B]: is already there in line 3"),
    (
        "[room a@b]\nresponders = png ping",
        "4: [room a@b] responders: there is no responder 'png'; did you mean ping?",
    ),
    ("[room a@b]\nresponders = ,", "4: [room a@b] responders: names nothing"),
    ("[room a@b]\npassword-file = none", "4: [room a@b] password-file: there is no file DIR/none"),
    # [responder]
    ("[responder a b]\nhear=a\nreply=b", f"3: [responder a b]: {BAD_NAME}"),
    (
        "[responder a]\nhear=a\nreply=b\n[responder a]\nhear=a\nreply=b",
        "6: [responder a]: is already there in line 3",
    ),
    ("[responder ping]\nhear = a", f"3: [responder ping]: {ONE_OF}"),
    ("[responder a]\nhear = a\nreply = b\nrun = true", f"6: [responder a] run: {ONE_OF}"),
    (
        "[responder a]\nreply = b",
        "3: [responder a]: neither match nor hear is set: it would never answer",
    ),
    (
        "[responder a]\nhear = a(b\nreply = {c}",
        "4: [responder a] hear: is no regular expression: "
        "missing ), unterminated subpattern (character 2)",
    ),
    (
        "[responder a]\nhear = (?P<1a>b)\nreply = c",
        "4: [responder a] hear: is no regular expression: "
        "bad character in group name '1a' (character 5)",
    ),
    (
        "[responder a]\nhear = a{99999999999}\nreply = b",
        "4: [responder a] hear: is too complex a regular expression",
    ),
    (
        "[responder a]\nmatch = (?P<nick>b)\nreply = c",
        "4: [responder a] match: the group 'nick' hides the field {nick}: rename it",
    ),
    (
        "[responder a]\nmatch = (?P<app>b)\nreply = {ap}",
        "5: [responder a] reply: there is no field {ap}; did you mean app?",
    ),
    (
        "[responder a]\nhear = b\nrun = true {nik}",
        "5: [responder a] run: there is no field {nik}; did you mean nick?",
    ),
    (
        "[responder a]\nhear = b\nreply = {nick.x}",
        "5: [responder a] reply: {nick.x} is no field; "
        "write {{nick.x}} to mean the braces (character 1)",
    ),
    (
        "[responder a]\nhear = b\nrun = true x {",
        "5: [responder a] run: argument 2: a lone {; write {{ to mean it (character 1)",
    ),
    (
        "[responder a]\nhear = b\nrun = true 'x",
        "5: [responder a] run: cannot be split into arguments: No closing quotation",
    ),
    ("[responder a]\nhear = b\nrun = ''", "5: [responder a] run: names no program"),
    (
        "[responder a]\nhear = b\nrun = {nick} x",
        "5: [responder a] run: the program must be named literally, without { and }",
    ),
    (
        "[responder a]\nhear = b\nrun = no-such-program",
        "5: [responder a] run: there is no program 'no-such-program' that we may run",
    ),
    (
        "[responder a]\nhear = b\nrun = ./good",
        "5: [responder a] run: there is no program './good' that we may run",
    ),
    ("[responder a]\nuse = a-b", "4: [responder a] use: 'a-b' is not written module:object"),
    ("[responder a]\nuse = a..b:c", "4: [responder a] use: 'a..b:c' is not written module:object"),
    (
        "[responder a]\nhear = a\nreply = b\ntimout = 5s",
        "6: [responder a] timout: there is no such option; did you mean timeout?",
    ),
    (
        "[responder a]\nuse = a:b\nallow = admin\n[group admins]\nmembers = c@d",
        "5: [responder a] allow: 'admin' is not NAME@DOMAIN, @DOMAIN or a [group]; did you mean"
        " admins?",
    ),
    # A room's people are others than those of a group, and never suggested.
    *(
        (
            f"[responder a]\nuse = a:b\n{option} = {name}",
            f"5: [responder a] {option}: {name!r} is not NAME@DOMAIN, @DOMAIN or a [group]",
        )
        for option in ("allow", "deny")
        for name in ("admins", "owners", "members", "room_admins", "roomadmins")
    ),
    (
        "[responder a]\nuse = a:b\nallow = room-admin",
        "5: [responder a] allow: 'room-admin' is not one of room-admins, room-members, room-owners,"
        " NAME@DOMAIN, @DOMAIN or a [group]",
    ),
    (
        "[responder a]\nuse = a:b\nconfirm = admins",
        "5: [responder a] confirm: 'admins' is neither yes nor no; the sender confirms, and allow"
        " says who that may be",
    ),
    (
        "[responder a]\nuse = a:b\napprove = admins",
        "5: [responder a] approve: 'admins' is no number from 0 to 9; allow says who may approve",
    ),
    # quotes and comments that led to a mistake
    (
        "ping-interval = 5m # why",
        "3: [xmpp] ping-interval: '5m # why' is no duration: write it like 500ms, 30s, 5m, 2h or 1d"
        " (# begins a comment only at the start of a line: write ; for it)",
    ),
    (
        'ping-interval = "30s"',
        "3: [xmpp] ping-interval: '\"30s\"' is no duration: write it like 500ms, 30s, 5m, 2h or 1d"
        " (the quotes are part of the value: leave them out)",
    ),
    (
        "[responder a]\nuse = a:b\nallow = 'admins'",
        "5: [responder a] allow: \"'admins'\" is not NAME@DOMAIN, @DOMAIN or a [group]"
        " (the quotes are part of the value: leave them out)",
    ),
    (
        "[responder a]\nmatch = a\nrun = 'uptime -p'",
        "5: [responder a] run: there is no program 'uptime -p' that we may run"
        " (the quotes make it one word: leave them out)",
    ),
    (
        "[responder a]\nmatch = a\nrun = uptime\n  'a ; b'",
        "5: [responder a] run: cannot be split into arguments: No closing quotation"
        " (a comment in line 6 cuts the value: \\; is no comment)",
    ),
    (
        "[responder a]\nmatch = a\nreply = ;)",
        "5: [responder a] reply: has no value (a comment in line 5 cuts the value: \\; is no"
        " comment)",
    ),
    (
        "[room a@b]\npassword = ;hunter2",
        "4: [room a@b] password: has no value (a comment in line 4 cuts the value: \\; is no"
        " comment)",
    ),
    (
        "[responder a]\nuse = a:b\ndeny = c@d/e",
        "5: [responder a] deny: 'c@d/e' has a resource; people are named by NAME@DOMAIN",
    ),
    (
        "[responder a]\nuse = a:b\ndeny = *@d",
        "5: [responder a] deny: '*@d': there are no patterns; @DOMAIN is everyone there",
    ),
    (
        "[responder a]\nmatch = (?P<x>.*)\nrun = sh -c 'echo {x}' sh {x}",
        "5: [responder a] run: what people say would be run as code: no {x} within a script; hand"
        """ it on behind it, as in sh -c 'echo "$1"' sh {x}""",
    ),
    (
        "[responder a]\nuse = a:b\nrooms = d",
        "5: [responder a] rooms: 'd' is no room: a room's JID is ROOM@SERVICE",
    ),
    (
        "[responder a]\nuse = a:b\napprove = 10",
        "5: [responder a] approve: '10' is no number from 0 to 9",
    ),
    ("[responder a]\nuse = a:b\ndirect = x", "5: [responder a] direct: 'x' is neither yes nor no"),
)

#: Other whole files, and what is said of them.
OTHERS: tuple[tuple[str, str], ...] = (
    ("", ": [xmpp]: this section is missing: it names the bot's account"),
    (
        "[xmpp]\nserver = x",
        "2: [xmpp] server: only embedded is possible; the JID names any other server (or host)",
    ),
    (
        "[xmpp]\npassword-file = good",
        "1: [xmpp] jid: is missing: the bot's account (or set server = embedded)",
    ),
    ("[xmpp]\njid = a@b", f"1: [xmpp] password-file: {NO_PASSWORD}"),
    (
        REAL + "port = 5222",
        "4: [xmpp] port: is used only together with host; the SRV look-up names the port",
    ),
    (REAL + "host = a b", "4: [xmpp] host: 'a b' is neither a host name nor an IP address"),
    (
        REAL + "host = 1.2.3.999",
        "4: [xmpp] host: '1.2.3.999' is neither a host name nor an IP address",
    ),
    (REAL + "ca-file = none", "4: [xmpp] ca-file: there is no file DIR/none"),
    (
        REAL + "password = hunter2",
        "3: [xmpp] password-file: password is set as well; only one of them can be",
    ),
    (REAL.replace("good", "none"), "3: [xmpp] password-file: there is no file DIR/none"),
    (
        REAL.replace("good", "empty"),
        "3: [xmpp] password-file: DIR/empty is empty: write the password into it",
    ),
    (
        REAL.replace("good", "open"),
        "3: [xmpp] password-file: DIR/open is open to other users: chmod 600 DIR/open",
    ),
    (REAL.replace("good", "binary"), "3: [xmpp] password-file: DIR/binary is not UTF-8"),
    (
        REAL.replace("good", "lines"),
        "3: [xmpp] password-file: DIR/lines must hold the password alone, on one line",
    ),
    (
        REAL.replace("good", "large"),
        f"3: [xmpp] password-file: DIR/large is too large: more than {MAX_PASSWORD} bytes",
    ),
    (
        REAL.replace("good", "unprepared"),
        "3: [xmpp] password-file: cannot be used to log in:"
        " it has a character that SASLprep prohibits (RFC 4013)",
    ),
    (
        "[xmpp]\njid = bot@example.org\npassword = hunter2\u0627\n",
        "3: [xmpp] password: cannot be used to log in: it has text of both directions (RFC 4013)",
    ),
    (
        REAL + "tls = direct",
        "4: [xmpp] tls: is used only together with host; the SRV look-up tells it",
    ),
    (REAL + "parser = lxml", "4: [xmpp] parser: 'lxml' is none of fast, domish"),
    (
        REAL + "[xbot]\nsender-rate = 4\n",
        "5: [xbot] sender-rate: '4' is no rate: write it like 4/4s (4 in 4 seconds), or off",
    ),
    (
        REAL + "[xbot]\nroom-rate = 0/4s\n",
        "5: [xbot] room-rate: '0/4s' is no rate: write it like 4/4s (4 in 4 seconds), or off",
    ),
    (
        REAL + "[xbot]\nroom-rate = 5/4\n",
        "5: [xbot] room-rate: the unit is missing: 4s is seconds, 4m minutes, 4h hours",
    ),
    (
        REAL + "[responder x]\nmatch = x\nreply = x\nruns = 33\n",
        "7: [responder x] runs: '33' is no number from 1 to 32",
    ),
    (
        REAL + "[responder x]\nmatch = x\nreply = x\noutput = 99\n",
        "7: [responder x] output: '99' is no number from 100 to 65536",
    ),
    (REAL + "host = a\ntls = ssl", "5: [xmpp] tls: 'ssl' is neither direct nor starttls"),
    (
        REAL + "sasl = SCRAM-SHA-265",
        "4: [xmpp] sasl: SCRAM-SHA-265 is no mechanism of xbot's; did you mean SCRAM-SHA-256?",
    ),
    (
        REAL + "sasl = DIGEST-MD5",
        "4: [xmpp] sasl: DIGEST-MD5 is no mechanism of xbot's: one of EXTERNAL, "
        + ", ".join(f"SCRAM-SHA-{size}-PLUS" for size in (512, 256, 1))
        + ", SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN",
    ),
    (REAL + "sasl = EXTERNAL", "4: [xmpp] sasl: EXTERNAL needs certificate-file and key-file"),
    (
        REAL + "pin-sha256 = AAAA",
        "4: [xmpp] pin-sha256: 'AAAA' is no SHA-256 in base64 (44 characters)",
    ),
    (
        REAL + f"pin-sha256 = {'A' * 42}\u00e4=",
        f"4: [xmpp] pin-sha256: '{'A' * 42}\u00e4=' is no SHA-256 in base64 (44 characters)",
    ),
    (REAL + "certificate-file = good", "4: [xmpp] certificate-file: is of no use without key-file"),
    (REAL + "key-file = good", "4: [xmpp] key-file: is of no use without certificate-file"),
    (
        REAL + "key-file = good\ncertificate-file = none",
        "5: [xmpp] certificate-file: there is no file DIR/none",
    ),
    (
        REAL + "certificate-file = good\nkey-file = none",
        "5: [xmpp] key-file: there is no file DIR/none",
    ),
    (
        REAL + "certificate-file = good\nkey-file = open",
        "5: [xmpp] key-file: DIR/open is open to other users: chmod 600 DIR/open",
    ),
    (
        "[xmpp]\njid = a@b\ncertificate-file = good\nkey-file = good\nsasl = PLAIN",
        "5: [xmpp] sasl: none of these works without a password: allow EXTERNAL, or set one",
    ),
    (
        "[xmpp]\njid = bot@example.org\npassword = \u00ad\n",
        "3: [xmpp] password: cannot be used to log in:"
        " it has nothing but characters that SASLprep drops (RFC 4013)",
    ),
    (REAL.replace("good", "pipe"), "3: [xmpp] password-file: DIR/pipe is no regular file"),
    (REAL.replace("good", "."), "3: [xmpp] password-file: DIR is a directory, not a file"),
)


def pretend_others_own(test: SynchronousTestCase, folder: Path) -> None:
    """Until the end of the test, what is below ``folder`` belongs to a user whom we do not know."""
    lstat = os.lstat

    def stand_in(path: Path) -> os.stat_result:
        found = lstat(path)
        is_below = Path(path).is_relative_to(folder)
        return os.stat_result((*found[:4], 54321, *found[5:])) if is_below else found

    test.patch(file_trust, "os", Stub(os, lstat=stand_in))


class Stub:
    """A module with some of its names replaced."""

    def __init__(self, module: object, **names: object) -> None:
        self._module = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


class Folder(SynchronousTestCase):
    """A folder with an ini that only its owner can read."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.path = self.folder / "xbot.ini"
        self.environ = {"PATH": os.environ["PATH"], "HOME": "/home/me"}

    def write(self, text: str | bytes, name: str = "xbot.ini", mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def load(self, text: str | bytes, mode: int = 0o600) -> Config:
        return load(self.write(text, mode=mode), self.environ)

    def problems(self, text: str | bytes, mode: int = 0o600) -> list[str]:
        """What is said of a file, with ``FILE:`` left out and its folder called DIR."""
        self.write(text, mode=mode)
        error = self.assertRaises(InvalidConfig, load, self.path, self.environ)
        return [
            str(problem).removeprefix(f"{self.path}:").replace(str(self.folder), "DIR")
            for problem in error.problems
        ]


class WorkingFolderTests(SynchronousTestCase):
    def test_gone(self) -> None:
        """An ini named from a working folder that was removed is not found, and not a traceback."""

        def gone() -> str:
            raise FileNotFoundError(2, "No such file or directory")

        self.patch(os, "getcwd", gone)
        with self.assertRaises(InvalidConfig) as caught:
            load(Path("xbot.ini"))
        self.assertIn("working directory", str(caught.exception))


class DeprecatedTests(Folder):
    def test_parser(self) -> None:
        """The option ``parser`` is accepted without effect, and warned of with its line."""
        ini = "[xmpp]\njid = bot@example.org\npassword = x\n"
        self.assertEqual(self.load(ini).warnings, ())
        for value in "fast", "domish":
            config = self.load(f"{ini}parser = {value}\n")
            (warning,) = config.warnings
            self.assertEqual((warning.line, warning.option), (4, "parser"))
            self.assertEqual(config.xmpp, self.load(ini).xmpp)


class LoginTests(Folder):
    """How the account may log in."""

    def setUp(self) -> None:
        super().setUp()
        self.write("hunter2\n", "good")

    def test_certificate_instead_of_password(self) -> None:
        """With a certificate and its key a password is not needed."""
        text = "[xmpp]\njid = a@b\ncertificate-file = good\nkey-file = good\n"
        for more in "", "sasl = EXTERNAL", "sasl = external PLAIN":
            found = self.load(text + more).xmpp
            self.assertIsNone(found.password)
            self.assertEqual(found.certificate_file, self.folder / "good")
            self.assertEqual(found.key_file, self.folder / "good")
        self.assertEqual(self.load(text + "password-file = good").xmpp.password, Secret("hunter2"))

    def test_key_from_systemd(self) -> None:
        """A key that systemd hands over is protected by it, whatever its mode says."""
        self.write("key", "key", 0o640)
        self.environ["CREDENTIALS_DIRECTORY"] = str(self.folder)
        text = "[xmpp]\njid = a@b\ncertificate-file = good\nkey-file = key\n"
        self.assertEqual(self.load(text).xmpp.key_file, self.folder / "key")

    def test_secrets_from_systemd(self) -> None:
        """What systemd hands over under the name that the ini gives goes before one beside it."""
        handed = self.folder / "handed"
        handed.mkdir()
        self.environ["CREDENTIALS_DIRECTORY"] = str(handed)
        for name in ("room", "hook", "key", "good"):
            self.write("beside", name, 0o644)
            self.write("handed", f"handed/{name}", 0o440)
        found = self.load(
            "[xmpp]\njid = a@b\npassword-file = good\ncertificate-file = good\nkey-file = key\n"
            "[room r@b]\npassword-file = room\n[http]\nlisten = 127.0.0.1:1\n"
            "[webhook w]\nroom = r@b\ntemplate = {x}\nsecret-file = hook\n"
        )
        secret = Secret("handed")
        self.assertEqual(found.xmpp.password, secret)
        self.assertEqual(found.xmpp.certificate_file, self.folder / "good")
        self.assertEqual(found.xmpp.key_file, handed / "key")
        self.assertEqual(found.rooms[0].password, secret)
        self.assertEqual(found.webhooks[0].secret, secret)
        # Not what is named with its folder, nor what is not handed over.
        (self.folder / "room").chmod(0o600)
        self.write("alone", "alone")
        for name, told in ((f"{self.folder}/room", "beside"), ("./alone", "alone")):
            text = MINIMAL + f"[room r@b]\npassword-file = {name}\n"
            self.assertEqual(self.load(text).rooms[0].password, Secret(told))

    def test_mechanisms(self) -> None:
        """Mechanisms may be named in any order and case; the best of them still comes first."""
        self.assertIsNone(self.load(REAL).xmpp.sasl)
        self.assertEqual(
            self.load(REAL + "sasl = plain, scram-sha-1\n SCRAM-SHA-512-PLUS").xmpp.sasl,
            ("SCRAM-SHA-512-PLUS", "SCRAM-SHA-1", "PLAIN"),
        )

    def test_pins(self) -> None:
        """Several pins are several keys, one of which must be there."""
        self.assertEqual(self.load(REAL).xmpp.pins, frozenset())
        pins = f"pin-sha256 = {'A' * 43}=\n  {'/' * 42}8="
        self.assertEqual(self.load(REAL + pins).xmpp.pins, frozenset({bytes(32), b"\xff" * 32}))

    def test_direct_tls(self) -> None:
        """Direct TLS has a port of its own, which may be named."""
        for more, direct, port in (
            ("", False, 5222),
            ("tls = starttls", False, 5222),
            ("tls = direct", True, 5223),
            ("tls = direct\nport = 443", True, 443),
        ):
            found = self.load(f"{REAL}host = a\n{more}").xmpp
            self.assertEqual((found.direct_tls, found.port), (direct, port))


class MistakesTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.write("hunter2\n", "good")
        self.write("\n", "empty")
        self.write("hunter2", "open", 0o640)
        self.write(b"hunter2\xff", "binary")
        self.write("hunter2\ue000", "unprepared")
        self.write("hunter2\nhunter2\n", "lines")
        self.write("hunter2" * MAX_PASSWORD, "large")
        os.mkfifo(self.folder / "pipe", 0o600)

    def test_each(self) -> None:
        """Each kind of mistake is told alone, in its place and in its own words."""
        table = [(MINIMAL + text, expected) for text, expected in MISTAKES]
        for text, expected in [*table, *OTHERS]:
            with self.subTest(text):
                found = self.problems(text)
                self.assertEqual([line.strip() for line in found], [expected.removeprefix(": ")])
                self.assertNotIn("hunter2", repr(found))

    def test_the_whole_line(self) -> None:
        """A problem begins with the file, as it was named, and the line."""
        self.write(MINIMAL + "pot = 1\n")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        error = self.assertRaises(InvalidConfig, load, Path("xbot.ini"), self.environ)
        self.assertEqual(
            str(error), "xbot.ini:3: [xmpp] pot: there is no such option; did you mean port?"
        )

    def test_all_at_once(self) -> None:
        """Several mistakes are all told, in the file's order."""
        self.assertEqual(
            self.problems(
                "[room a@b/c]\nnik = x\n[responder x]\nrun = 'a\nreply = {\n[xmpp]\n"
                "?\nping-timeout = 5\nport = 1\n[group y]\n[responder x]\nuse = y-\n"
            ),
            [
                "1: [room a@b/c]: a room's JID has no resource; nick = c sets the nick",
                "2: [room a@b/c] nik: there is no such option; did you mean nick?",
                "3: [responder x]: neither match nor hear is set: it would never answer",
                "4: [responder x] run: cannot be split into arguments: No closing quotation",
                "5: [responder x] reply: a lone {; write {{ to mean it (character 1)",
                f"5: [responder x] reply: {ONE_OF}",
                "6: [xmpp] jid: is missing: the bot's account (or set server = embedded)",
                f"6: [xmpp] password-file: {NO_PASSWORD}",
                "7: [xmpp]: an option is written name = value",
                "8: [xmpp] ping-timeout: the unit is missing: 5s is seconds, 5m minutes, 5h hours",
                "9: [xmpp] port: is used only together with host; the SRV look-up names the port",
                "10: [group y]: members is missing: who belongs to it",
                "11: [responder x]: is already there in line 3",
                "12: [responder x] use: 'y-' is not written module:object",
            ],
        )

    def test_file(self) -> None:
        """A file that cannot be read is one problem, which names it."""
        (self.folder / "folder").mkdir()
        self.write(b";" * (MAX_SIZE + 1), "big")
        for name, reason in (
            ("none", "there is no file {}"),
            ("folder", "{} is a directory, not a file"),
            ("pipe", "{} is no regular file"),
            ("good/x", "cannot read {}: Not a directory"),
            ("big", "{} is too large: more than 1048576 bytes"),
        ):
            with self.subTest(name):
                path = self.folder / name
                error = self.assertRaises(InvalidConfig, load, path, self.environ)
                self.assertEqual([p.reason for p in error.problems], [reason.format(path)])
                self.assertEqual(error.problems[0].path, path)

    def test_file_from_here(self) -> None:
        """A file that is named from the folder that we are in is told with the whole path."""
        error = self.assertRaises(InvalidConfig, load, Path("none.ini"), self.environ)
        self.assertEqual(str(error), f"none.ini: there is no file {Path.cwd()}/none.ini")

    def test_utf_16(self) -> None:
        """What an editor saved as UTF-16 is one problem, and not one for each line."""
        for encoding in ("utf-16-le", "utf-16-be"):
            data = ("\ufeff" + MINIMAL).encode(encoding)
            self.assertEqual(self.problems(data), ["1: this is UTF-16: save the file as UTF-8"])

    def test_no_ini(self) -> None:
        """Of a file without any section nobody is told what is missing in it."""
        self.assertEqual(self.problems("hello\n"), ["1: this stands before the first [section]"])

    def test_world_writable(self) -> None:
        """An ini that anyone can write to is refused, for it names programs to run."""
        self.write(MINIMAL, mode=0o646)
        error = self.assertRaises(InvalidConfig, load, self.path, self.environ)
        self.assertEqual(
            [(problem.line, problem.reason) for problem in error.problems],
            [(0, f"anyone can write to it: chmod o-w {self.path}")],
        )

    def test_another_owner(self) -> None:
        """An ini of another user's is refused by the bot; tools only warn (a CI's checkout)."""
        self.write(MINIMAL)
        pretend_others_own(self, self.path)
        reason = f"{self.path} belongs to another user (54321), who could change it: look through"
        error = self.assertRaises(InvalidConfig, load, self.path, self.environ)
        [problem] = error.problems
        cure = f"{reason} it, then chown {os.geteuid()} {self.path}"
        self.assertEqual((problem.line, problem.reason), (0, cure))
        found = load(self.path, self.environ, connects=False)
        self.assertIn(cure, [warning.reason for warning in found.warnings])

    def test_replaceable(self) -> None:
        """An ini in a folder that anyone can write to is refused; far above it is a warning."""
        folder = self.folder / "a/b"
        folder.mkdir(parents=True)
        self.write(MINIMAL, "a/b/xbot.ini")
        folder.chmod(0o777)
        error = self.assertRaises(InvalidConfig, load, folder / "xbot.ini", self.environ)
        self.assertEqual(
            [problem.reason for problem in error.problems],
            [f"anyone can write to it: chmod o-w {folder}"],
        )
        folder.chmod(0o755)
        folder.parent.chmod(0o777)
        found = load(folder / "xbot.ini", self.environ)
        self.assertIn(f"chmod o-w {folder.parent}", "\n".join(map(str, found.warnings)))

    def test_umask_002(self) -> None:
        """An ini that our own group may write to is fine (the umask of many systems)."""
        self.patch(file_trust, "_is_private", lambda group, us: True)
        self.load(MINIMAL, 0o664)
        self.patch(file_trust, "_is_private", lambda group, us: False)
        self.assertIn("chmod g-w DIR/xbot.ini", self.problems(MINIMAL, 0o664)[0])

    def test_password_in_readable_ini(self) -> None:
        """A password in an ini that others can read is refused; the rest of such an ini is not."""
        text = "[xmpp]\njid = a@b\npassword = hunter2\n[room a@b]\npassword = hunter2\n"
        cure = "DIR/xbot.ini is open to other users: chmod 600 DIR/xbot.ini"
        more = "or move the password to a password-file"
        for mode in (0o640, 0o604, 0o620, 0o610):
            self.assertEqual(
                self.problems(text, mode),
                [
                    f"3: [xmpp] password: {cure}; {more}",
                    f"5: [room a@b] password: {cure}; {more}",
                ],
            )
        self.load(REAL, 0o644)

    def test_no_password_is_ever_told(self) -> None:
        """Wherever a password is put by mistake, no problem repeats it."""
        for line in (
            "password: hunter2",
            "password hunter2",
            "pasword = hunter2",
            "password = hunter2\npassword = hunter2",
            "password = hunter2\n hunter2",
            "password = hunter2\0",
            "password = hunter2\npassword-file = good",
        ):
            for head in ("[xmpp]\njid = a@b\n", "[xbot]\n", MINIMAL, MINIMAL + "[room a@b]\n"):
                with self.subTest(head + line):
                    self.assertNotIn("hunter2", repr(self.problems(head + line)))


class SettingsTests(Folder):
    def test_shipped(self) -> None:
        """The ini that comes with xbot has nothing wrong in it."""
        # The checkout may belong to another user, as in many a CI.
        found = load(SHIPPED, self.environ, connects=False)
        self.assertEqual(found.xmpp.server, EMBEDDED)
        self.assertEqual(str(found.rooms[0].jid), "demo@conference.localhost")
        self.assertEqual([r.name for r in found.responders], ["hello", "uptime"])

    def test_minimal(self) -> None:
        """Two lines are a configuration."""
        found = self.load(MINIMAL)
        self.assertEqual(found.path, self.path)
        self.assertEqual((found.bot.name, found.bot.prefix), ("xbot", ""))
        self.assertEqual(found.bot.state, Path("/home/me/.local/state/xbot"))
        self.assertEqual(found.xmpp.jid, Jid.parse("xbot@localhost/bot"))
        self.assertEqual((found.xmpp.port, found.xmpp.password), (5222, None))
        self.assertEqual((found.rooms, found.responders), ((), ()))

    def test_everything(self) -> None:
        """Each option ends up, typed, in its setting."""
        self.write("hunter2\n", "good")
        self.write("", "ca.pem")
        program = self.write("", "tool", 0o700)
        found = self.load(
            "[xbot]\nname = Robo\nprefix = !\nstate = var\njournal-keep = 365d\n"
            "[xmpp]\njid = Bot@Example.org/x\npassword-file = good\nhost = ::1\nport = 5223\n"
            "ca-file = ca.pem\nping-interval = 5m\nping-timeout = 500ms\n"
            "[room Ops@conf.example.org]\n"
            "[room b@c]\nnick = robo\npassword = pa%ss:wo;rd#\nresponders = ping,\n  a b\n"
            "[responder a]\nmatch = (?P<app>\\w+)( to (?P<env>\\w+))?\nhear = 50%\n"
            "usage = a\n  APP\nhelp = does a\nrun = ./tool '{app} {env}' {{}} \"\"\n"
            "timeout = 1d\neffect = NO\n"
            "[responder b]\nuse = ours.b:c.d\ntracker = https://ci.example.org ; ours\n"
        )
        self.assertEqual(
            (found.bot.name, found.bot.prefix, found.bot.state), ("Robo", "!", self.folder / "var")
        )
        self.assertEqual(found.bot.journal_keep, 365 * 86400.0)
        xmpp = found.xmpp
        self.assertEqual(str(xmpp.jid), "bot@example.org/x")
        self.assertEqual(xmpp.password, Secret("hunter2"))
        self.assertEqual((xmpp.server, xmpp.host, xmpp.port), (None, "::1", 5223))
        self.assertEqual(xmpp.ca_file, self.folder / "ca.pem")
        self.assertEqual((xmpp.ping_interval, xmpp.ping_timeout), (300.0, 0.5))
        first, second = found.rooms
        self.assertEqual((str(first.jid), first.nick), ("ops@conf.example.org", "Robo"))
        self.assertEqual((first.password, first.responders), (None, None))
        self.assertEqual((second.nick, second.password), ("robo", Secret("pa%ss:wo;rd#")))
        self.assertEqual(second.responders, frozenset({"ping", "a", "b"}))
        a, b = found.responders
        self.assertEqual(a.run, (str(program), "{app} {env}", "{{}}", ""))
        self.assertEqual((a.match, a.hear), ("(?P<app>\\w+)( to (?P<env>\\w+))?", "50%"))
        self.assertEqual((a.usage, a.help, a.timeout), ("a APP", "does a", 86400.0))
        self.assertEqual((a.reply, a.use, a.settings), (None, None, {}))
        self.assertEqual((a.path, a.line), (self.path, 20))
        self.assertEqual((a.effect, b.effect), (False, None))
        self.assertEqual((b.use, b.settings), ("ours.b:c.d", {"tracker": "https://ci.example.org"}))
        self.assertNotIn("hunter2", repr(found) + str(found))
        self.assertNotIn("pa%ss", repr(found) + str(found))

    def test_people(self) -> None:
        """Who may invite and see us are people and domains; the rule stands among them."""
        found = self.load(
            MINIMAL + "accept-invites = A@Example.org, @b\nsubscriptions = @b roster c@d\n"
        ).xmpp
        self.assertEqual(found.accept_invites, People.parse(["a@example.org", "@b"]))
        self.assertEqual(found.subscriptions, "roster")
        self.assertEqual(found.subscribers, People.parse(["@b", "c@d"]))
        found = self.load(MINIMAL + "subscriptions = c@d\n").xmpp
        self.assertEqual((found.subscriptions, found.accept_invites), ("refuse", NOBODY))

    def test_http(self) -> None:
        """The status server listens at an address, or at a socket seen from the ini's folder."""
        # Not below trial's folder: a socket's path has 107 bytes.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        for text, told in (
            ("127.0.0.1:8088", Listen("127.0.0.1", 8088)),
            ("localhost:1", Listen("127.0.0.1", 1)),
            ("[::1]:80", Listen("::1", 80)),
            ("0.0.0.0:80", Listen("0.0.0.0", 80)),
            ("./http", Listen(path=self.folder / "http")),
            ("/run/xbot/http", Listen(path=Path("/run/xbot/http"))),
        ):
            http = self.load(f"{MINIMAL}[http]\nlisten = {text}\nhosts = A.example b").http
            self.assertEqual(http, HttpSettings(told, frozenset({"a.example", "b"})))
        self.assertIsNone(self.load(MINIMAL).http)
        loopback = [Listen("127.0.0.1"), Listen("::1"), Listen("10.0.0.1"), Listen(path=Path("/x"))]
        self.assertEqual([each.is_loopback for each in loopback], [True, True, False, False])
        self.assertEqual(str(Listen("::1", 80)), "[::1]:80")

    def test_line_of(self) -> None:
        """Where an option stands can be asked for later."""
        self.load(MINIMAL + "[xbot]\n\nname = x\n")
        lines = self.path.read_text().splitlines()
        self.assertEqual(line_of(self.path, "xbot", "name"), lines.index("name = x") + 1)
        self.assertEqual(line_of(self.path, "xbot", "state"), 0)
        self.assertEqual(line_of(self.folder / "nowhere", "xbot", "name"), 0)

    def test_bundled(self) -> None:
        """A room may name the responders that come with xbot, whichever these are."""
        text = MINIMAL + "[room a@b]\nresponders = ping help whoami\n"
        self.assertEqual(self.load(text).rooms[0].responders, {"ping", "help", "whoami"})
        self.assertRaises(InvalidConfig, load, self.path, self.environ, ("ping",))

    def test_bundled_name_can_be_taken(self) -> None:
        """A responder may have a bundled one's name."""
        found = self.load(MINIMAL + "[responder ping]\nmatch = ping\nreply = PONG\n")
        self.assertEqual(found.responders[0].reply, "PONG")

    def test_bundled_can_be_set(self) -> None:
        """A section without an answer of its own is about the bundled one of that name."""
        own = "[responder jobs]\nallow = @example.org\ntimezone = Europe/Berlin\n"
        jobs, ping = self.load(MINIMAL + own + "[responder ping]\nenabled = no\n").responders
        self.assertEqual(jobs.use, BUNDLED["jobs"])
        self.assertEqual(jobs.settings, {"timezone": "Europe/Berlin"})
        self.assertEqual((jobs.enabled, ping.enabled), (True, False))

    def test_closed_needs_people(self) -> None:
        """What is closed without the ini is not opened by forgetting for whom."""
        self.path.write_text(MINIMAL + "[responder rooms]\ntimeout = 5s\n")
        with self.assertRaises(InvalidConfig) as caught:
            load(self.path, self.environ)
        (problem,) = caught.exception.problems
        self.assertIn("allow is missing", problem.reason)

    def test_program_is_found(self) -> None:
        """A program is looked for in PATH, and its place is settled once."""
        program = self.write("", "tool", 0o755)
        self.environ["PATH"] = str(self.folder)
        found = self.load(MINIMAL + "[responder a]\nhear = a\nrun = tool {body}\n")
        self.assertEqual(found.responders[0].run, (str(program), "{body}"))

    def test_hosts(self) -> None:
        """A host is a name or an address of either kind."""
        self.write("hunter2", "good")
        for host in ("localhost", "xmpp.example.org.", "127.0.0.1", "::1", "fe80::1%eth0", "a_b"):
            with self.subTest(host):
                self.assertEqual(self.load(f"{REAL}host = {host}\n").xmpp.host, host)

    def test_embedded_port(self) -> None:
        """The embedded server's port can be chosen."""
        self.assertEqual(self.load(MINIMAL + "port = 15222\n").xmpp.port, 15222)

    def test_state(self) -> None:
        """The ini, systemd, the desktop and the home name the state's folder, in this order."""
        for environ, option, expected in (
            ({}, "~/x", "/home/me/x"),
            ({"STATE_DIRECTORY": "/s"}, "/x", "/x"),
            ({"STATE_DIRECTORY": "/s:/t", "XDG_STATE_HOME": "/d"}, "", "/s"),
            ({"XDG_STATE_HOME": "/d"}, "", "/d/xbot"),
        ):
            with self.subTest(environ):
                line = f"[xbot]\nstate = {option}\n" if option else ""
                path = self.write(MINIMAL + line)
                found = load(path, {**self.environ, **environ})
                self.assertEqual(found.bot.state, Path(expected))

    def test_access(self) -> None:
        """Who may use a responder: people, groups of them, and, by these words, a room's."""
        found = self.load(
            MINIMAL + "subscriptions = roster ops\naccept-invites = ops\n"
            "[responder a]\nuse = a:b\nallow = c@D ops room-admins\ndeny = @x\n"
            "rooms = Ops@rooms.d\ndirect = no\nconfirm = yes\napprove = 2\n"
            "[responder b]\nuse = a:b\n[group ops]\nmembers = e@f, g@h\n"
        )
        ops = ["e@f", "g@h"]
        a, b = found.responders
        self.assertEqual(
            a.access,
            Access(
                AccessList(People.parse(["c@d", *ops]), frozenset({"owner", "admin"})),
                AccessList(People.parse(["@x"])),
                frozenset({"ops@rooms.d"}),
                direct=False,
            ),
        )
        self.assertEqual((a.confirm, a.approve), (True, 2))
        self.assertEqual((b.access, b.confirm, b.approve), (EVERYONE, False, 0))
        self.assertEqual(found.xmpp.accept_invites, People.parse(ops))
        self.assertEqual(
            (found.xmpp.subscriptions, found.xmpp.subscribers), ("roster", People.parse(ops))
        )

    def test_limits(self) -> None:
        """How much is answered: as it is declared, as it is set, or without a limit."""
        found = self.load(ACCOUNT + "[responder a]\nuse = a:b\n")
        self.assertEqual(
            (found.bot.sender_rate, found.bot.room_rate), (Rate(10, 20.0), Rate(20, 10.0))
        )
        (a,) = found.responders
        self.assertEqual((a.rate, a.runs, a.output), (None, 4, 65_536))
        found = self.load(
            "[xbot]\nsender-rate = off\nroom-rate = 5 / 1m\n"
            + MINIMAL
            + "[responder a]\nuse = a:b\nrate = 1/1h\nruns = 1\noutput = 1000\n"
        )
        self.assertEqual((found.bot.sender_rate, found.bot.room_rate), (None, Rate(5, 60.0)))
        (a,) = found.responders
        self.assertEqual((a.rate, a.runs, a.output), (Rate(1, 3600.0), 1, 1000))

    def test_embedded_rate(self) -> None:
        """With the embedded server one sender has no limit, unless the ini sets one."""
        self.assertIsNone(self.load(MINIMAL).bot.sender_rate)
        self.assertEqual(self.load(MINIMAL).bot.room_rate, Rate(20, 10.0))
        found = self.load("[xbot]\nsender-rate = 3/1m\n" + MINIMAL)
        self.assertEqual(found.bot.sender_rate, Rate(3, 60.0))

    def test_declared_defaults(self) -> None:
        """Every option is documented, and no name is declared twice."""
        for kind in KINDS:
            names = [option.name for option in kind.options]
            self.assertEqual(len(names), len(set(names)))
            for option in kind.options:
                self.assertTrue(option.help.endswith("."), option.name)


class PasswordTests(Folder):
    def test_one_newline_is_removed(self) -> None:
        """An editor's newline is not the password's, a blank is."""
        for written, password in (
            ("x\n", "x"),
            ("x", "x"),
            ("x\r\n", "x"),
            (" x \n", " x "),
            ("ü%", "ü%"),
        ):
            with self.subTest(written):
                self.write(written, "good")
                self.assertEqual(self.load(REAL).xmpp.password, Secret(password))

    def test_from_systemd(self) -> None:
        """The account's password comes from systemd's credentials when none is named."""
        credentials = self.folder / "credentials"
        credentials.mkdir()
        self.write("hunter2\n", "credentials/xmpp.password", 0o440)
        self.environ["CREDENTIALS_DIRECTORY"] = str(credentials)
        text = "[xmpp]\njid = a@b\n"
        self.assertEqual(self.load(text).xmpp.password, Secret("hunter2"))
        self.assertIsNone(self.load(MINIMAL).xmpp.password)
        self.write("mine", "good")
        self.assertEqual(self.load(REAL).xmpp.password, Secret("mine"))
        (credentials / "xmpp.password").unlink()
        self.assertEqual(self.problems(text), [f"1: [xmpp] password-file: {NO_PASSWORD}"])

    def test_exposure(self) -> None:
        """A secret's file belongs to us or root, and nobody else may touch it."""
        path = Path("/p")
        for mode, owner, us, expected in (
            (0o100600, 7, 7, None),
            (0o100400, 0, 7, None),
            (0o100700, 0, 0, None),
            (0o100600, 8, 7, "/p belongs to user 8; it must belong to the bot's user (7) or root"),
            (0o100600, 8, 0, "/p belongs to user 8; it must belong to the bot's user (0) or root"),
            (0o100640, 7, 7, "/p is open to other users: chmod 600 /p"),
            (0o100604, 7, 7, "/p is open to other users: chmod 600 /p"),
            (0o100660, 0, 7, "/p is open to other users: chmod 600 /p"),
        ):
            with self.subTest(mode=mode, owner=owner, us=us):
                self.assertEqual(exposure(path, mode, owner, us), expected)

    def test_protected(self) -> None:
        """Only what really is in systemd's folder counts as protected by it."""
        self.write("x", "x")
        (self.folder / "c").mkdir()
        (self.folder / "c" / "link").symlink_to("../x")
        environ = {"CREDENTIALS_DIRECTORY": str(self.folder / "c")}
        for name, expected in (
            ("c/p", True),
            ("c/../p", False),
            ("c/link", False),
            ("cc/p", False),
        ):
            with self.subTest(name):
                self.assertEqual(is_protected(self.folder / name, environ), expected)
        self.assertFalse(is_protected(self.folder / "p", {}))
        self.assertFalse(is_protected(self.folder / "p", {"CREDENTIALS_DIRECTORY": ""}))


NAMES = st.sampled_from(
    [option.name for kind in KINDS for option in kind.options] + ["allow", "own", "a:b"]
)
HEADINGS = st.sampled_from(
    ["[xbot]", "[xmpp]", "[room a@b]", "[room x]", "[responder a]", "[responder b]", "[group a]"]
)
VALUES = st.text(max_size=20) | st.sampled_from(
    ["5s", "a@b", "embedded", "(?P<x>a)", "{x}", "true {x}", "a.b:c", "1" * 5000, "~", "."]
)
LINES = HEADINGS | st.builds("{} = {}".format, NAMES, VALUES) | VALUES
MANY = st.lists(LINES, max_size=12).map("\n".join)
GOOD = st.builds(
    "{}[responder {}]\nhear = x\nreply = x\nhelp = {}\n".format,
    st.just(MINIMAL),
    st.text("ab-_", min_size=1),
    VALUES,
)
ANYTHING = MANY | MANY.map(MINIMAL.__add__) | GOOD | st.text()


class AnyTextTests(Folder):
    @given(ANYTHING)
    def test_any_text(self, text: str) -> None:
        """Whatever is in the file, nothing but InvalidConfig comes of it, one line a problem."""
        data = text.encode("utf-8", "surrogatepass")
        try:
            self.load(data)
        except InvalidConfig as error:
            self.assertTrue(error.problems)
            self.assertEqual(len(str(error).split("\n")), len(error.problems))
            lines = [problem.line for problem in error.problems]
            self.assertEqual(lines, sorted(lines))

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        """Not even bytes that are no text make it raise anything else."""
        self.assertRaises(InvalidConfig, self.load, b"[xmpp]\nserver = x\n" + data)

    @given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h", "d"]))
    def test_any_duration(self, number: int, unit: str) -> None:
        """A duration is a positive number of seconds within bounds, or refused."""
        seconds = number * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
        text = f"{MINIMAL}ping-timeout = {number}{unit}\n"
        if 0 < seconds <= MAX_DURATION:
            self.assertAlmostEqual(self.load(text).xmpp.ping_timeout, seconds)
        else:
            self.assertRaises(InvalidConfig, self.load, text)
