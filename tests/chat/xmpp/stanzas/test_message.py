"""Parsing of message stanzas."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import parse_node
from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.chat.xmpp.stanzas.message import MessageStanza, NotAMessage, read_message

ACCOUNT, SERVER = "xbot@example.org", "example.org"
ALICE = read_address("alice@example.org/pda")
FROM = "from='alice@example.org/pda'"


def stanza(**changes):
    facts = {"kind": "chat", "sender": ALICE, "id": None, "body": "hi", "is_subject": False}
    return MessageStanza(**{**facts, "delayed": False, **changes})


class ReadingTests(unittest.TestCase):
    def test_stanza(self):
        """A message's facts are these."""
        delay = "<delay xmlns='urn:xmpp:delay' stamp='x'/>"
        legacy = "<x xmlns='jabber:x:delay'/>"
        body = "<body>hi</body>"
        occupant_id = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='a'/>"
        table = (
            (f"<message type='chat' {FROM}>{body}</message>", stanza()),
            (f"<message type='chat' id='7' {FROM}>{body}</message>", stanza(id="7")),
            (f"<message {FROM}>{body}</message>", stanza(kind="normal")),
            (f"<message type='odd' {FROM}>{body}</message>", stanza(kind="normal")),
            (f"<message type='' {FROM}>{body}</message>", stanza(kind="normal")),
            (f"<message type='groupchat' {FROM}>{body}</message>", stanza(kind="groupchat")),
            (f"<message type='chat'>{body}</message>", stanza(sender=read_address(SERVER))),
            (f"<message type='chat' {FROM}>{body}{delay}</message>", stanza(delayed=True)),
            (f"<message type='chat' {FROM}>{legacy}{body}</message>", stanza(delayed=True)),
            (f"<message type='chat' {FROM}><body/></message>", stanza(body="")),
            (
                f"<message type='chat' {FROM}>{body}<body xml:lang='de'>hi</body></message>",
                stanza(),
            ),
            (
                f"<message type='chat' {FROM}>{body}"
                "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
                "<body xmlns='http://www.w3.org/1999/xhtml'>!quit</body></html></message>",
                stanza(),
            ),
            (
                f"<message type='chat' {FROM}><body>a<![CDATA[<b>]]>&amp;</body></message>",
                stanza(body="a<b>&"),
            ),
            (
                f"<message type='groupchat' {FROM}><subject>!quit</subject></message>",
                stanza(kind="groupchat", body="", is_subject=True),
            ),
            (
                f"<message type='groupchat' {FROM}><subject>!quit</subject>"
                "<body>hi</body></message>",
                stanza(kind="groupchat"),
            ),
            (f"<message {FROM}><body>hi</body><subject/></message>", stanza(kind="normal")),
            (
                f"<message type='groupchat' {FROM}><subject/>{delay}</message>",
                stanza(kind="groupchat", body="", is_subject=True, delayed=True),
            ),
            (
                f"<message type='groupchat' {FROM}>{body}{occupant_id}</message>",
                stanza(kind="groupchat", occupant_id="a"),
            ),
            (
                f"<message type='groupchat' {FROM}>{occupant_id}{body}{occupant_id}</message>",
                stanza(kind="groupchat"),
            ),
        )  # fmt: skip
        for xml, facts in table:
            self.assertEqual(read_message(parse_node(xml), ACCOUNT, SERVER), facts, xml)

    def test_not_a_message(self):
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
            "<message {}><body>hi</body>"
            "<replace xmlns='urn:xmpp:message-correct:0' id='1'/></message>": "correction",
        }
        for xml, reason in table.items():
            with self.assertRaises(NotAMessage, msg=xml) as caught:
                read_message(parse_node(xml.format(FROM)), ACCOUNT, SERVER)
            self.assertEqual(caught.exception.reason, reason, xml)

    def test_bad_senders(self):
        """A sender that is no JID has said nothing, however long it is."""
        for sender in "@", "a@b@c/d", "a@example.org/", "x" * 200_000, "a@example.org/&#10;", "@b":
            with self.assertRaises(NotAMessage, msg=sender[:20]) as caught:
                read_message(
                    parse_node(f"<message from='{sender}'><body>hi</body></message>"),
                    ACCOUNT,
                    SERVER,
                )
            self.assertEqual(caught.exception.reason, "bad-sender")
