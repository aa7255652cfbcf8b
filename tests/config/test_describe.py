"""Tests of :mod:`xbot.config.describe`."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xbot.config.describe import describe
from xbot.config.options import OPEN
from xbot.config.permissions import permissions
from xbot.config.settings import (
    EMBEDDED,
    BotSettings,
    Config,
    ResponderSettings,
    RoomSettings,
    Secret,
    XmppSettings,
)
from xbot.model.jid import Jid

CONFIG = Config(
    Path("/etc/xbot/xbot.ini"),
    BotSettings("xbot", "!", Path("/var/lib/xbot")),
    XmppSettings(Jid.parse("xbot@example.org/bot"), Secret("hunter2"), ca_file=Path("/ca.pem")),
    (
        RoomSettings(Jid.parse("ops@conference.example.org"), "xbot"),
        RoomSettings(
            Jid.parse("lounge@conference.example.org"),
            "robo",
            Secret("hunter2"),
            frozenset({"ping", "hello"}),
        ),
    ),
    (
        ResponderSettings("hello", hear="hi", reply="Hello {nick}!"),
        ResponderSettings("ping", match="ping", run=("/bin/ping", "hunter2"), timeout=5.0),
        ResponderSettings("deploy", use="ours.deploy:deploy", settings={"token": "hunter2"}),
    ),
)

DESCRIPTION = """\
ini        /etc/xbot/xbot.ini
account    xbot@example.org/bot
server     wherever the SRV records of example.org say
CA         /ca.pem
pings      every 30s, answered within 10s
commands   "xbot: ping" or "!ping"
state      /var/lib/xbot

rooms
  ops@conference.example.org as xbot, all responders
  lounge@conference.example.org as robo, responders hello, ping, with a password

permissions
PERMISSIONS
responders
  hello: on hearing hi, replies
  ping: on command ping, runs /bin/ping (at most 5s)
  deploy: calls ours.deploy:deploy (at most 30s), with its own token
"""
# One of the ini's has the name of a bundled one, which it replaces.
DESCRIPTION = DESCRIPTION.replace(
    "PERMISSIONS\n", "".join(f"  {line}\n" for line in permissions(CONFIG, OPEN)) + "\n"
)
DESCRIPTION += "".join(f"  {name}: bundled\n" for name in OPEN if name != "ping")


class DescribeTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """Account, server, rooms and responders are told, and no secret is."""
        self.assertEqual(describe(CONFIG), DESCRIPTION)
        self.assertNotIn("hunter2", describe(CONFIG))

    def test_little(self) -> None:
        """An embedded server, no rooms and no responders are said to be so."""
        xmpp = XmppSettings(Jid.parse("xbot@localhost/bot"), server=EMBEDDED)
        text = describe(Config(Path("/x.ini"), BotSettings(), xmpp), bundled=())
        self.assertIn("server     embedded in this process, port 5222\n", text)
        self.assertIn('commands   "xbot: ping"\n', text)
        self.assertIn("\nno rooms\n", text)
        self.assertTrue(text.endswith("\nresponders\n"))

    def test_host(self) -> None:
        """A host that replaces the SRV look-up is shown with its port."""
        xmpp = XmppSettings(Jid.parse("a@b/c"), host="::1", port=5223)
        text = describe(Config(Path("/x.ini"), BotSettings(), xmpp))
        self.assertIn("server     ::1, port 5223\n", text)
        for more in "pins", "our own", "login by":
            self.assertNotIn(more, text)

    def test_login(self) -> None:
        """How we log in, and what is asked of the server, is shown where the ini says it."""
        xmpp = XmppSettings(
            Jid.parse("a@b/c"),
            host="h",
            direct_tls=True,
            pins=frozenset({b"1", b"2"}),
            certificate_file=Path("cert"),
            sasl=("EXTERNAL", "PLAIN"),
        )
        text = describe(Config(Path("xbot.ini"), BotSettings(), xmpp))
        self.assertIn("server     h, port 5222, direct TLS\n", text)
        self.assertIn("pins       2, one of which the server must have\n", text)
        self.assertIn("our own    cert\n", text)
        self.assertIn("login by   EXTERNAL, PLAIN\n", text)
