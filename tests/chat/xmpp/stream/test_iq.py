"""IQ: matching of replies, and answers to requests."""

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import JID, parse, session, shape
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.stream import iq as module
from xbot.chat.xmpp.stream.iq import IQ_TIMEOUT, Iq, IqRefused, IqTimeout
from xbot.chat.xmpp.wire import fast_elements, ns
from xbot.chat.xmpp.wire.elements import MAX_ELEMENTS
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN
from xbot.model.errors import NotConnected

UNAVAILABLE = (
    ns.CLIENT,
    "error",
    {"type": "cancel"},
    [(ns.STANZA_ERRORS, "service-unavailable", {}, [])],
)


def payload():
    return domish.Element(("urn:x", "query"))


class IqTestCase(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.iq = Iq(lambda: JID, self.clock)
        self.peer = session(self.iq, clock=self.clock)

    def ask(self, to):
        answer = self.iq.request("get", to, payload())
        return answer, self.peer.stanza()["id"]

    def reply(self, identity, sender=None, kind="result"):
        written = f" from='{sender}'" if sender is not None else ""
        self.peer.feed(f"<iq type='{kind}' id='{identity}'{written}/>")


class DroppedTests(IqTestCase):
    def test_too_long_to_answer(self):
        """A request whose id or sender no honest one has gets no answer that repeats them."""
        long = "x" * 3072
        for attributes in f"from='a@b' id='{long}'", f"from='{long}' id='1'":
            self.peer.feed(f"<iq type='get' {attributes}/>")
        self.assertEqual(self.peer.sent(), "")
        self.assertEqual(self.iq.dropped, {"too-long": 2})
        self.peer.feed(f"<iq type='get' from='a@b' id='{long[1:]}'/>")
        self.assertEqual(self.peer.stanza()["id"], long[1:])

    def test_longer_when_escaped(self):
        """An answer that what it repeats makes larger than the server takes is not given."""
        identity = "'" * module.MAX_ECHOED
        self.peer.feed(f'<iq type="get" from="a@b" id="{identity}"/>')
        self.assertEqual((self.peer.sent(), self.iq.dropped), ("", {"too-long": 1}))
        self.assertIsNone(self.peer.stream.problem)

    def test_counted(self):
        """Replies to nothing, and what is neither request nor reply, are dropped and counted."""
        for kind in "result", "error", "push", "":
            self.reply("guessed", "a@example.org/b", kind)
        self.peer.feed("<iq/>")
        self.assertEqual(self.peer.sent(), "")
        self.assertEqual(self.iq.dropped, {"unasked": 2, "no-type": 3})


class AskingTests(IqTestCase):
    def test_question(self):
        """A question is one IQ with an id that nobody can guess."""
        self.iq.request("set", "a@example.org/b", payload()).addErrback(lambda _: None)
        asked = self.peer.stanza()
        self.assertGreaterEqual(len(asked["id"]), 12)
        self.assertEqual(
            shape(asked),
            (
                ns.CLIENT,
                "iq",
                {"type": "set", "to": "a@example.org/b", "id": asked["id"]},
                [("urn:x", "query", {}, [])],
            ),
        )
        self.assertEqual(len({self.ask(None)[1] for _ in range(20)}), 20)

    def test_who_may_answer(self):
        """Only the one who was asked answers; for our account its server may, in four forms."""
        own = (None, "xbot@example.org", "xbot@example.org/bot", "example.org")
        room = "room@muc.example.org/alice"
        strangers = ("", "mallory@example.net", room, "xbot@example.org/other", "example.net")
        table = (
            (None, own, strangers),
            ("xbot@example.org", own, strangers),
            ("example.org", ("example.org",), (None, *own[1:3], *strangers)),
            (room, (room,), (*own, "room@muc.example.org", "room@muc.example.org/bob")),
            ("xbot@example.org/other", ("xbot@example.org/other",), own),
        )
        for asked, allowed, refused in table:
            for sender in allowed:
                answer, identity = self.ask(asked)
                for stranger in refused:
                    for kind in "result", "error":
                        self.reply(identity, stranger, kind)
                self.assertNoResult(answer)
                self.reply(identity, sender)
                self.assertEqual(self.successResultOf(answer)[ATTRIBUTES]["id"], identity)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_jid_of_our_own(self):
        """Before our own JID is known only the very one who was asked can answer."""
        self.iq._own_jid = lambda: None
        answer, identity = self.ask(None)
        self.reply(identity, "example.org")
        self.assertNoResult(answer)
        self.reply(identity)
        self.successResultOf(answer)

    def test_short_and_long(self):
        """By both parsers an answer is the same node, and who was not asked is not heard."""
        answers = []
        for make_elements in FastPathElementStream, DomishElementStream:
            iq = Iq(lambda: JID, self.clock)
            self.peer = session(iq, clock=self.clock, make_elements=make_elements)
            answer = iq.request("get", None, payload())
            identity = self.peer.stanza()["id"]
            reply = f"<iq type='result' id='{identity}' {{}}><a b='c'>d<e xmlns='f'/></a></iq>"
            self.peer.feed(reply.format("from='mallory@example.net'"))
            self.assertNoResult(answer)
            self.peer.feed(reply.format("") + reply.format(""))
            name, attributes, *children = self.successResultOf(answer)
            self.assertEqual(attributes, {"type": "result", "id": identity})
            self.assertEqual(iq.dropped, {"unasked": 2})
            answers.append((name, children))
        self.assertEqual(*answers)

    def test_parts(self):
        """A large answer comes in parts to the one who asked, if it is the one who was asked."""
        items = "<i/>" * (MAX_ELEMENTS + 10)
        for sender, taken in (("", True), (f"from='{JID.bare}' to='{JID}'", True),
                              ("from='mallory@example.net'", False)):  # fmt: skip
            parts = []
            self.setUp()
            answer = self.iq.request("get", None, payload(), take_item=parts.append)
            identity = self.peer.stanza()["id"]
            reply = f"<iq type='result' id='{identity}' {sender}><q>{{}}</q></iq>"
            for data in reply.format(items).partition("<i/>"):
                self.peer.feed(data)
            self.assertEqual(bool(parts), taken)
            if taken:
                _, _, query = self.successResultOf(answer)
                self.assertEqual(len(query) - CHILDREN + len(parts), MAX_ELEMENTS + 10)
            else:
                self.assertNoResult(answer)

    def test_no_elements(self):
        """Of a result, which may be large, no element is made, whoever sends it."""

        def element(node):
            self.fail(f"an element was made of {node}")

        answer, identity = self.ask(None)
        self.patch(fast_elements, "element_of", element)
        self.reply("guessed", "mallory@example.net")
        self.reply(identity)
        self.successResultOf(answer)

    def test_unknown_and_second_replies(self):
        """A reply to nothing, a second reply and one without an id are no matter."""
        answer, identity = self.ask("a@example.org")
        self.reply("H_0", "a@example.org")
        self.peer.feed("<iq type='result' from='a@example.org'/><iq type='error'/><iq/>")
        self.peer.feed(f"<iq type='odd' id='{identity}' from='a@example.org'/>")
        self.assertNoResult(answer)
        self.reply(identity, "a@example.org")
        self.reply(identity, "a@example.org")
        self.reply(identity, "a@example.org", "error")
        self.successResultOf(answer)
        self.assertEqual(self.peer.sent(), "")

    def test_error(self):
        """An error is told by its condition; one that names none, or is odd, as undefined."""
        xmlns = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
        table = {
            f"<error><text {xmlns}/><item-not-found {xmlns}/></error>": "item-not-found",
            "<error code='9999'/>": "undefined-condition",
            "": "undefined-condition",
            f"<error xmlns='urn:x'><conflict {xmlns}/></error>": "undefined-condition",
        }
        for content, condition in table.items():
            answer, identity = self.ask("a@example.org")
            self.peer.feed(f"<iq type='error' id='{identity}' from='a@example.org'>{content}</iq>")
            refused = self.failureResultOf(answer, IqRefused).value
            self.assertEqual(refused.condition, condition)

    def test_timeout(self):
        """No question is unanswered for ever; a late answer is no matter."""
        answer, identity = self.ask("a@example.org")
        self.clock.advance(IQ_TIMEOUT - 0.1)
        self.assertNoResult(answer)
        self.clock.advance(0.1)
        self.assertIn("a@example.org", str(self.failureResultOf(answer, IqTimeout).value))
        self.reply(identity, "a@example.org")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self):
        """A question that is taken back leaves nothing behind."""
        answer, identity = self.ask("a@example.org")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.reply(identity, "a@example.org")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self):
        """The end of the connection fails every question with its reason."""
        answers = [self.ask(to)[0] for to in ("a@example.org", None, "example.org")]
        self.peer.lose()
        for answer in answers:
            self.failureResultOf(answer, ConnectionProblem)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failureResultOf(self.iq.request("get", None, payload()), NotConnected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self):
        """Beyond so many open questions no more are asked."""
        self.patch(module, "MAX_PENDING", 3)
        answers = [self.ask(None)[0] for _ in range(3)]
        self.failureResultOf(self.iq.request("get", None, payload()), NotConnected)
        self.assertEqual(self.peer.sent(), "")
        self.peer.lose()
        for answer in answers:
            self.failureResultOf(answer, ConnectionProblem)


class AnsweringTests(IqTestCase):
    def test_nobody_answers(self):
        """A request that nobody here knows gets one minimal error, with nothing of it in it."""
        table = (
            "<query xmlns='urn:x'><secret/></query>",
            '<x xmlns="u\'/&gt;&lt;/iq&gt;&lt;message/&gt;&lt;iq&gt;&lt;x"/>',
            "",
            "text",
            "<query xmlns='jabber:iq:roster'><item jid='mallory@example.net'/></query>",
        )
        for kind in "get", "set":
            for content in table:
                self.peer.feed(
                    f"<iq type='{kind}' id='&lt;1&apos;' from='a@example.org/&apos;&gt;'>"
                    f"{content}</iq>"
                )
                self.assertEqual(
                    shape(self.peer.stanza()),
                    (
                        ns.CLIENT,
                        "iq",
                        {"type": "error", "to": "a@example.org/'>", "id": "<1'"},
                        [UNAVAILABLE],
                    ),
                )
        self.peer.feed("<iq type='get'/>")
        self.assertEqual(
            shape(self.peer.stanza()), (ns.CLIENT, "iq", {"type": "error"}, [UNAVAILABLE])
        )

    def test_errors_are_not_answered(self):
        """Results, errors and types that are none get no answer: no two bots talk for ever."""
        for kind in "result", "error", "odd", "":
            self.peer.feed(f"<iq type='{kind}' id='1' from='a@example.org'/>")
        self.assertEqual(self.peer.sent(), "")

    def test_answered(self):
        """A request that is known gets its result; the same child in the other type does not."""
        self.iq.answer("get", "urn:x", "query", lambda request: parse("<y xmlns='urn:y'/>"))
        self.peer.feed("<iq type='get' id='1' from='a@example.org'><query xmlns='urn:x'/></iq>")
        self.assertEqual(
            shape(self.peer.stanza()),
            (
                ns.CLIENT,
                "iq",
                {"type": "result", "to": "a@example.org", "id": "1"},
                [("urn:y", "y", {}, [])],
            ),
        )
        self.peer.feed("<iq type='set' id='1'><query xmlns='urn:x'/></iq>")
        self.assertEqual(self.peer.stanza()["type"], "error")

    def test_refused(self):
        """An answerer refuses with a condition."""

        def refuse(request):
            raise IqRefused("forbidden")

        self.iq.answer("set", "urn:x", "query", refuse)
        self.peer.feed("<iq type='set' id='1' from='a@example.org'><query xmlns='urn:x'/></iq>")
        self.assertEqual(self.peer.stanza().error.firstChildElement().name, "forbidden")

    def test_an_answerer_that_fails(self):
        """An answerer's fault is logged, and the asker hears of it instead of waiting."""
        self.iq.answer("get", "urn:x", "query", lambda request: 1 / 0)
        self.peer.feed("<iq type='get' id='1' from='a@example.org'><query xmlns='urn:x'/></iq>")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        error = self.peer.stanza().error
        self.assertEqual(error.firstChildElement().name, "internal-server-error")
        self.assertIsNone(self.peer.stream.problem)
