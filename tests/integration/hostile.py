"""What a real server relays of a hostile account's stanzas, and what becomes of it."""

from __future__ import annotations

import contextlib

from tests.integration.attacker import Attacker
from tests.integration.contract import Scene

DELAY = "<delay xmlns='urn:xmpp:delay' from='{}' stamp='2020-01-01T00:00:00Z'/>"
MARKUP = "&apos;/&gt;&lt;message/&gt;&lt;x a=&apos;"

#: A command in another's name.
_MESSAGE = (
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='alice@xbot.test/x'>"
    "<body>do {n}</body></message></forwarded>"
)
_ATTRIBUTES = " ".join(f"a{number}=''" for number in range(300))
_EVENT = (
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:bookmarks:1'>"
    "<item id='evil@conference.xbot.test'/></items></event>"
)

#: Said in the room, by rows of tests/hostile/catalogue.py. {room} is the room; {n} makes each
#: command another one.
TO_THE_ROOM = {
    "I18": "<body>xbot: do {n}</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>",
    "I19": "<body xml:lang='en'>hi</body><body xml:lang='de'>xbot: do {n}</body>",
    "I20": "<body>xbot: <b xmlns='u'>do not</b> do {n}</body>",
    "I21": "<subject>hello</subject><body>xbot: do {n}</body>",
    "T02 room": "<body>xbot: do {n}</body>" + DELAY.format("{room}"),
    "T02 server": "<body>xbot: do {n}</body>" + DELAY.format("xbot.test"),
    "T08": "<body>xbot: do {n}</body><x xmlns='jabber:x:delay' stamp='20200101T00:00:00'/>",
    "T06": "<body>xbot: do {n}</body>" + DELAY.format("{room}").replace("2020", "9" * 5000),
    "X07": "<body>xbot: do {n}</body><x xmlns='u'>" + "<a>" * 100 + "</a>" * 100 + "</x>",
    "X08": "<body>xbot: do {n}</body><x xmlns='u'>" + "<a/>" * 8100 + "</x>",
    "X09": f"<body>xbot: do {{n}}</body><a xmlns='u' {_ATTRIBUTES}/>",
    "X12": "<body>xbot: do {n}" + "\n" * 10_000 + "</body>",
}

#: Whole stanzas for the bot alone: {to} is it in the room, {jid} its account, {full} its session.
TO_THE_BOT = {
    "I01": "<iq type='result' id='1' to='{full}'/>",
    "I03": "<iq type='error' id='1' to='{full}'><error type='cancel'/></iq>",
    "I05": "<iq type='set' id='1' to='{full}'><query xmlns='jabber:iq:roster'>"
    "<item jid='mallory@xbot.test' subscription='both'/></query></iq>",
    "I06": "<message to='{jid}' type='chat'><received xmlns='urn:xmpp:carbons:2'>"
    f"{_MESSAGE}</received></message>",
    "I07": f"<message to='{{jid}}'><result xmlns='urn:xmpp:mam:2' id='1'>{_MESSAGE}</result>"
    "</message>",
    "I09": f"<message to='{{jid}}' type='headline'>{_EVENT}</message>",
    "I12": "<message to='{to}' type='chat'><body>do {n}</body></message>",
    "I17": "<message to='{jid}'>"
    "<x xmlns='jabber:x:conference' jid='evil@conference.xbot.test'/></message>",
    "I22": "<message to='{full}' type='error'><body>do {n}</body></message>",
    "I23": "<message to='{jid}' type='headline'><body>do {n}</body></message>",
    "I23 without a type": "<message to='{jid}'><body>do {n}</body></message>",
    "T05": "<message to='{jid}' type='chat'><body>do {n}</body>"
    + DELAY.format("xbot.test")
    + "</message>",
    "X19": f"<iq type='get' id='1' to='{{full}}'><q xmlns='{MARKUP}'/></iq>",
    "X19 in a text": f"<iq type='set' id='1' to='{{full}}'><q xmlns='u' a='{MARKUP}'>{MARKUP}</q>"
    "</iq>",
}

#: Said in the room; some cost their sender the stream, on one server or on both.
LAST_WORDS = {
    "X18": "<body>xbot: do {n}</body><x xmlns='a b'/>",
    "X17": "<body>xbot: do {n}\ufffe</body>",
    "X06": "<body>xbot: <!-- not -->do {n}</body>",
    "X03": "<!DOCTYPE x><body>xbot: do {n}</body>",
    "X16": "<body>xbot: do {n}&#8;</body>",
    "X12": "<body>xbot: do {n}" + "\n" * 250_000 + "</body>",
}


class HostileContract(Scene):
    """An account without rights, and with every freedom that a server leaves it."""

    def attacker(self, name: str = "bob") -> Attacker:
        """Somebody on a bare socket."""
        attacker = Attacker(self.server, name)
        self.addCleanup(attacker.close)
        return attacker

    def test_a_hostile_account(self) -> None:
        """Nothing that it sends runs, ends the stream, or is said in the bot's name."""
        open_room, anonymous = self.room(), self.room()
        alice = self.person()
        alice.create(open_room, whois="anyone")
        alice.create(anonymous)
        bot = self.bot(
            [open_room, anonymous],
            extra=(
                "[responder do]\nuse = tests.integration.deeds:do\n"
                f"allow = alice@{self.server.domain}\n"
            ),
        )
        bot.start_and_join()
        bob = self.attacker()
        bob.join(open_room, "bob")
        number = 0
        for stanza in [*map(self.in_room, TO_THE_ROOM.values()), *TO_THE_BOT.values()]:
            number += 1
            bob.write(self.filled(stanza, open_room, number))
        # A server may let him speak no faster than it likes.
        bob.write(self.filled(self.in_room("<body>echo settled</body>"), open_room, 0))
        alice.expect(f"{open_room}/xbot", "echo settled", within=120)
        self.assertGreater(bot.text().count("dropped"), 15)
        # The nick of somebody who may, where nobody can see who is who.
        alice.appear(f"{anonymous}/alice", "unavailable")
        alice.expect_presence(f"{anonymous}/alice", "unavailable")
        bob.join(anonymous, "alice")
        bob.write(self.filled(self.in_room("<body>xbot: do 77</body>"), anonymous, 77))
        bob.read("do is not for everyone")
        for content in LAST_WORDS.values():
            number += 1
            last = self.attacker()
            last.join(open_room, "bob2")
            with contextlib.suppress(OSError):
                last.write(self.filled(self.in_room(content), open_room, number))
            with contextlib.suppress(AssertionError, OSError):
                last.read("</stream:stream>", within=0.3)
            last.close()
        # A flood of what it has to answer.
        flood = self.attacker()
        request = self.filled(TO_THE_BOT["X19 in a text"], open_room, 0)
        with contextlib.suppress(OSError):
            flood.write(request * 500)
        # Outside a conversation nothing is done, whoever says it.
        alice.tell(f"xbot@{self.server.domain}", "do 998", "normal")
        alice.say(open_room, "xbot: do 999")
        alice.expect(f"{open_room}/xbot", "done 999")
        alice.expect(
            f"xbot@{self.server.domain}",
            "do is not for messages outside a conversation; say it again as a chat message.",
            "normal",
        )
        self.assertEqual((bot.folder / "deeds").read_text().split(), ["999"])
        text = bot.text()
        self.assertEqual(text.count("logged in as"), 1, text)
        self.assertNotIn("Traceback", text)
        self.assertNotIn("resumed the session", text)
        # What came back is text, where it is there at all.
        for heard in bob.heard, flood.heard:
            self.assertNotIn("<message/>", heard)

    def in_room(self, content: str) -> str:
        """The stanza that says this in the room."""
        return f"<message to='{{room}}' type='groupchat' id='{{n}}'>{content}</message>"

    def filled(self, stanza: str, room: str, number: int) -> str:
        """The stanza with all its names."""
        jid = f"xbot@{self.server.domain}"
        for name, value in (
            ("{room}", room),
            ("{to}", f"{room}/xbot"),
            ("{jid}", jid),
            ("{full}", f"{jid}/bot"),
            ("{n}", str(number)),
        ):
            stanza = stanza.replace(name, value)
        return stanza
