"""Parsing and building of message stanzas."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import build, parse, shape
from xbot.chat.xmpp.stanzas.stanza import (
    NotSpoken,
    Spoken,
    error_reply,
    message_element,
    read_message,
)
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.model.jid import Jid
from xbot.model.message import Message

SERVER = Jid.parse("example.org")
ALICE = Jid.parse("alice@example.org/pda")
FROM = "from='alice@example.org/pda'"


def spoken(**changes):
    facts = {"kind": "chat", "sender": ALICE, "id": None, "body": "hi", "is_subject": False}
    return Spoken(**{**facts, "delayed": False, **changes})


class ReadingTests(unittest.TestCase):
    def test_spoken(self):
        """A message's facts are these."""
        delay = "<delay xmlns='urn:xmpp:delay' stamp='x'/>"
        legacy = "<x xmlns='jabber:x:delay'/>"
        body = "<body>hi</body>"
        table = (
            (f"<message type='chat' {FROM}>{body}</message>", spoken()),
            (f"<message type='chat' id='7' {FROM}>{body}</message>", spoken(id="7")),
            (f"<message {FROM}>{body}</message>", spoken(kind="normal")),
            (f"<message type='odd' {FROM}>{body}</message>", spoken(kind="normal")),
            (f"<message type='' {FROM}>{body}</message>", spoken(kind="normal")),
            (f"<message type='groupchat' {FROM}>{body}</message>", spoken(kind="groupchat")),
            (f"<message type='chat'>{body}</message>", spoken(sender=SERVER)),
            (f"<message type='chat' {FROM}>{body}{delay}</message>", spoken(delayed=True)),
            (f"<message type='chat' {FROM}>{legacy}{body}</message>", spoken(delayed=True)),
            (f"<message type='chat' {FROM}><body/></message>", spoken(body="")),
            (
                f"<message type='chat' {FROM}>{body}<body xml:lang='de'>hi</body></message>",
                spoken(),
            ),
            (
                f"<message type='chat' {FROM}>{body}"
                "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
                "<body xmlns='http://www.w3.org/1999/xhtml'>!quit</body></html></message>",
                spoken(),
            ),
            (
                f"<message type='chat' {FROM}><body>a<![CDATA[<b>]]>&amp;</body></message>",
                spoken(body="a<b>&"),
            ),
            (
                f"<message type='groupchat' {FROM}><subject>!quit</subject></message>",
                spoken(kind="groupchat", body="", is_subject=True),
            ),
            (
                f"<message type='groupchat' {FROM}><subject/>{delay}</message>",
                spoken(kind="groupchat", body="", is_subject=True, delayed=True),
            ),
        )  # fmt: skip
        for xml, facts in table:
            self.assertEqual(read_message(parse(xml), SERVER), facts, xml)

    def test_not_spoken(self):
        """What people may see otherwise than we do, or nobody says, reaches no responder."""
        table = {
            "<message type='error' {}><body>hi</body></message>": "error",
            "<message type='headline' {}><body>hi</body></message>": "headline",
            "<message {}/>": "no-body",
            "<message {}><body xmlns='urn:x'>hi</body></message>": "no-body",
            "<message {}><forwarded xmlns='urn:xmpp:forward:0'>"
            "<message><body>hi</body></message></forwarded></message>": "no-body",
            "<message {}><received xmlns='urn:xmpp:carbons:2'/></message>": "no-body",
            "<message {}><body>hi</body><body xml:lang='de'>!quit</body></message>": (
                "differing-bodies"
            ),
            "<message {}><body>hi</body><body/></message>": "differing-bodies",
            "<message {}><body>hi<b>!quit</b></body></message>": "markup-in-body",
            "<message {}><body>hi</body><body><x xmlns='urn:x'/></body></message>": (
                "markup-in-body"
            ),
            "<message {}><subject>x</subject><body>hi</body></message>": "subject-with-body",
            "<message {}><subject/><body>hi</body></message>": "subject-with-body",
            "<message {}><body>hi</body>"
            "<replace xmlns='urn:xmpp:message-correct:0' id='1'/></message>": "correction",
        }
        for xml, reason in table.items():
            with self.assertRaises(NotSpoken, msg=xml) as caught:
                read_message(parse(xml.format(FROM)), SERVER)
            self.assertEqual(caught.exception.reason, reason, xml)

    def test_bad_senders(self):
        """A sender that is no JID has said nothing, however long it is."""
        for sender in "@", "a@b@c/d", "a@example.org/", "x" * 200_000, "a@example.org/&#10;", "@b":
            with self.assertRaises(NotSpoken, msg=sender[:20]) as caught:
                read_message(parse(f"<message from='{sender}'><body>hi</body></message>"), SERVER)
            self.assertEqual(caught.exception.reason, "bad-sender")


class WritingTests(unittest.TestCase):
    def test_message_element(self):
        """A message is one stanza with its body, type and id, and no other fact in it."""
        table = (
            ({"type": "groupchat", "id": "7"}, {"type": "groupchat", "id": "7"}),
            ({"other": "x"}, {"type": "chat"}),
        )
        for payload, attributes in table:
            message = Message("xbot@example.org/bot", "room@muc.example.org", "hi\n", payload)
            self.assertEqual(
                shape(message_element(message)),
                (
                    ns.CLIENT,
                    "message",
                    {"to": "room@muc.example.org", **attributes},
                    [(ns.CLIENT, "body", {}, ["hi\n"])],
                ),
            )

    def test_control_characters(self):
        """Characters that XML forbids go out as U+FFFD, one for one."""
        message = Message("a@b", "c@d", "\x00a\x0b\x1b[0m\ud800\ufffe\t\r\n<&>")
        sent = parse(serialize(message_element(message), ns.CLIENT).decode())
        self.assertEqual(str(sent.body), "\ufffda\ufffd\ufffd[0m\ufffd\ufffd\t\r\n<&>")

    def test_error_reply(self):
        """An error goes back to whom it concerns, with nothing of the offence in it."""
        stanza = build(ns.CLIENT, "message", {"from": "a@b", "id": "1", "to": "c@d"}, ["text"])
        stanza.addElement(("urn:x", "x"))
        self.assertEqual(
            shape(error_reply(stanza, "not-acceptable", "modify")),
            (
                ns.CLIENT,
                "message",
                {"type": "error", "to": "a@b", "id": "1"},
                [(ns.CLIENT, "error", {"type": "modify"}, [
                    (ns.STANZA_ERRORS, "not-acceptable", {}, [])])],
            ),
        )  # fmt: skip
