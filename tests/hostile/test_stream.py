"""Catalogue rows X (XML): malformed or excessive XML, from the server or relayed by it."""

from tests.chat.xmpp.harness import HEADER, PROCEED, STARTTLS, features
from tests.hostile.bot import ROOM, STAMP, HostileCase, present, said, told
from xbot.chat.xmpp.wire import elements, ns

LOL = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
LONG = "x" * 100_000


class XmlTests(HostileCase):
    def violates(self, data, reason=""):
        """Whether it comes in the clear, over TLS or after the login, it ends the stream."""
        for reach in (
            lambda bot, peer: peer.feed(HEADER),
            lambda bot, peer: (peer.start_tls(), peer.feed(HEADER)),
            lambda bot, peer: (bot.log_in(peer), bot.enter(peer)),
        ):
            bot = self.bot()
            peer = bot.accept()
            reach(bot, peer)
            peer.feed(data)
            self.closes(bot, peer, reason)

    def never_begins(self, data, reason=""):
        """As the first thing on a connection it ends it."""
        bot = self.bot()
        peer = bot.accept()
        peer.feed(data)
        self.closes(bot, peer, reason, credentials=False)

    def dropped(self, *stanzas):
        """Each is dropped, whole or in pieces; the next stanza is heard."""
        for stanza in stanzas:
            bot = self.bot()
            peer = bot.online()
            self.drops(bot, peer, stanza)
            data = stanza if isinstance(stanza, bytes) else stanza.encode()
            before = bot.counted
            for start in range(0, len(data), 65_536):
                peer.feed(data[start : start + 65_536])
            self.assertGreater(bot.counted, before)
            self.is_well(bot, peer)

    def test_X01(self):
        """A billion laughs are not laughed."""
        text = f"<!DOCTYPE x [<!ENTITY l0 'lol'>{LOL}]><x>&l9;</x>"
        self.never_begins(text, "a document type declaration")
        self.violates(text)

    def test_X02(self):
        """Nor is a long one, many times."""
        text = f"<!DOCTYPE x [<!ENTITY a '{LONG}'>]><x>{'&a;' * 1000}</x>"
        self.never_begins(text, "a document type declaration")
        self.violates(text)

    def test_X03(self):
        """A document type ends the stream though it declares nothing."""
        self.never_begins("<!DOCTYPE stream><x/>", "a document type declaration")
        self.violates("<!DOCTYPE x>")

    def test_X04(self):
        """No file is opened and nobody is asked."""
        for kind in "SYSTEM 'file:///etc/passwd'", "PUBLIC 'x' 'http://192.0.2.1/x'":
            text = f"<!DOCTYPE x [<!ENTITY e {kind}>]><x>&e;</x>"
            self.never_begins(text, "a document type declaration")
            self.violates(text)

    def test_X05(self):
        """No processing instruction is processed."""
        self.never_begins("<?php x?><x/>", "a processing instruction")
        self.violates("<?x y?>", "a processing instruction")
        self.violates(said("<?x y?>"), "a processing instruction")

    def test_X06(self):
        """RFC 6120 11.1 has no comments."""
        self.never_begins("<!-- x --><x/>", "a comment")
        self.violates("<!-- x -->", "a comment")
        self.violates(said("bot: dep<!-- x -->loy"), "a comment")

    def test_X07(self):
        """Depth costs that stanza only."""
        self.dropped(f"<message>{'<a>' * 99_000}{'</a>' * 99_000}</message>")
        deep = "<a>" * elements.MAX_DEPTH + "</a>" * elements.MAX_DEPTH
        self.dropped(said("bot: deploy", more=deep))

    def test_X08(self):
        """Width costs that stanza only."""
        self.dropped(said("bot: deploy", more="<a/>" * 100_000))

    def test_X09(self):
        """So do attributes, and namespaces; of a tag that never ends there is an end."""
        attributes = " ".join(f"a{n}=''" for n in range(50_000))
        namespaces = " ".join(f"xmlns:a{n}='u'" for n in range(25_000))
        self.dropped(
            *(said("bot: deploy").replace(" ", f" {more} ", 1) for more in (attributes, namespaces))
        )
        bot = self.bot()
        peer = bot.online()
        for start in range(0, 48):
            peer.feed("<message " * (not start))
            peer.feed(" ".join(f"a{start}b{n}=''" for n in range(10_000)) + " ")
        self.closes(bot, peer, "a stanza that does not end")

    def test_X10(self):
        """An attribute of nine mebibytes is not waited for."""
        bot = self.bot()
        peer = bot.online()
        peer.feed("<message a='")
        for _ in range(9 * 16):
            peer.feed("x" * 65_536)
        self.closes(bot, peer, "a stanza that does not end")

    def test_X11(self):
        """A text of 512 KiB is heard, and is no command; of more than a mebibyte none is heard."""
        self.dropped(said("x" * 512 * 1024), said("bot: deploy" + "x" * elements.MAX_STANZA_BYTES))

    def test_X12(self):
        """Line feeds are one text, however many they are."""
        self.dropped(said("\n" * 256 * 1024))

    def test_X13(self):
        """A stanza that never ends, ends the stream at a bound."""
        bot = self.bot()
        peer = bot.online()
        peer.feed("<message><body>")
        fed = 0
        while peer.stream.problem is None:
            peer.feed("x" * 65_536)
            fed += 65_536
            self.assertLessEqual(fed, 4 * 1024 * 1024 + 65_536)
        self.closes(bot, peer, "a stanza that does not end")

    def test_X14(self):
        """White space keeps a connection alive, however much of it comes."""
        bot = self.bot()
        peer = bot.online()
        for _ in range(100):
            peer.feed(" \n\t\r" * 16_384)
        self.goes_on(bot, peer)

    def test_X15(self):
        """Bytes that are no UTF-8 are no XML."""
        for data in b"\xff", b"\xc0\xbc", b"\xed\xa0\x80", b"\xf5\x80\x80\x80":
            self.violates(b"<message><body>" + data + b"</body></message>")

    def test_X16(self):
        """A reference to a control character is no XML."""
        for number in "8", "x0", "27", "xD800", "xFFFE":
            self.violates(said(f"&#{number};"))

    def test_X17(self):
        """U+FFFE is no XML."""
        self.violates(said("\ufffe"))

    def test_X18(self):
        """White space in a namespace costs that stanza only: a room's history repeats it."""
        for uri in "a b", "a&#9;b", "a&#10;b", "a\u00a0b":
            self.dropped(
                said("bot: deploy", more=f"<x xmlns='{uri}'/>"), f"<message xmlns:p='{uri}'/>"
            )
        bot = self.bot()
        peer = bot.await_try()
        bot.log_in(peer)
        peer.feed(said("bot: deploy", more="<x xmlns='a b'/>") * 20)
        bot.enter(peer)
        self.assertEqual(bot.adapter.nick_in(ROOM), "bot")
        self.is_well(bot, peer)

    def test_X19(self):
        """Markup in a namespace, or in anything else of a request, is not answered with."""
        markup = "&apos;/&gt;&lt;message/&gt;&lt;x a=&apos;&amp;lt;"
        in_namespace = markup.replace(" ", "/")
        for xml in (
            f"<iq type='get' id='1' from='m@example.net/x'><q xmlns='{in_namespace}'/></iq>",
            f"<iq type='set' id='{markup}' from='m@example.net/x'><q xmlns='x'>{markup}</q></iq>",
            f"<iq type='get' id='1' from='m@example.net/{markup}'><q xmlns='x' a='{markup}'/></iq>",
        ):
            bot = self.bot()
            self.errs(bot, bot.online(), xml)

    def test_X20(self):
        """What is no XMPP stream is left."""
        self.violates("<p:message/>")
        for data in ("<html><body/></html>", "HTTP/1.1 400 Bad Request\r\n\r\n", "<p:stream/>"):
            self.never_begins(data)

    def test_X21(self):
        """A stanza of another namespace is none."""
        self.dropped(
            said("bot: deploy").replace("<message", "<message xmlns='jabber:server'"),
            said("bot: deploy").replace("<message", "<message xmlns=''"),
            said("bot: deploy").replace("message", "stream:features"),
            said("bot: deploy").replace("<body", "<body xmlns='u'"),
        )

    def test_X22(self):
        """A stream begins once, and stanzas come after the login."""
        self.violates(HEADER.partition("?>")[2], "a second stream header")
        bot = self.bot()
        peer = bot.online()
        peer.feed(HEADER)
        self.closes(bot, peer)
        for reach in (
            lambda peer: peer.feed(HEADER),
            lambda peer: peer.feed(features(STARTTLS)),
            lambda peer: (peer.feed(features(STARTTLS)), peer.feed(PROCEED), peer.feed(HEADER)),
        ):
            bot = self.bot()
            peer = bot.accept()
            reach(peer)
            peer.feed(said("bot: deploy"))
            self.closes(bot, peer, "the server ", credentials=False)

    def test_X23(self):
        """A JID of 200 KiB is not looked at."""
        long = f"{'x' * 200 * 1024}@example.org"
        self.dropped(
            told("deploy", long),
            told("deploy", f"a@{long}"),
            f"<iq type='get' id='1' from='{long}'><ping xmlns='{ns.PING}'/></iq>",
            said("bot: deploy", more=f"<delay xmlns='{ns.DELAY}' from='{long}' stamp='{STAMP}'/>"),
        )
        bot = self.bot()
        peer = bot.online()
        peer.feed(present("mallory", f"role='participant' jid='{long}'"))
        self.drops(bot, peer, f"<presence from='{long}'/>")
        self.drops(bot, peer, f"<presence type='subscribe' from='{long}'/>")
        (room,) = bot.adapter.rooms
        self.assertIsNone(room.occupants.get("mallory").address)
        self.is_well(bot, peer)
