"""Tests of :mod:`xbot.model.jid`."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.protocols.jabber.xmpp_stringprep import nameprep, nodeprep

from xbot.model.errors import InvalidJid
from xbot.model.jid import _PREPARED, MAX_PART, Jid

PART = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
NEAR_JIDS = st.builds("{}@{}/{}".format, PART, PART, PART) | st.builds("{}@{}".format, PART, PART)


class JidTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """A JID is a local part, a domain and a resource; two of them may be absent."""
        for text, parts in (
            ("alice@example.org/home", ("alice", "example.org", "home")),
            ("alice@example.org", ("alice", "example.org", None)),
            ("example.org", (None, "example.org", None)),
            ("example.org/a@b/c", (None, "example.org", "a@b/c")),
            ("a@b/ c ", ("a", "b", " c ")),
        ):
            with self.subTest(text):
                jid = Jid.parse(text)
                self.assertEqual((jid.local, jid.domain, jid.resource), parts)
                self.assertEqual(str(jid), text)

    def test_comparison(self) -> None:
        """Case does not matter before the slash, and does after it."""
        self.assertEqual(Jid.parse("Alice@Example.ORG/x"), Jid.parse("alice@example.org/x"))
        self.assertNotEqual(Jid.parse("a@b/x"), Jid.parse("a@b/X"))
        self.assertEqual(Jid.parse("a@example.org."), Jid.parse("a@example.org"))

    def test_bare_and_with_resource(self) -> None:
        """A resource can be taken off and put on."""
        jid = Jid.parse("a@b/c")
        self.assertEqual(jid.bare, Jid.parse("a@b"))
        self.assertEqual(jid.bare.bare, jid.bare)
        self.assertEqual(jid.with_resource("d/e"), Jid.parse("a@b/d/e"))

    def test_new_emoji_is_a_resource(self) -> None:
        """A nick that stringprep's Unicode 3.2 does not know is a nick."""
        self.assertEqual(Jid.parse("a@b/\U0001fae0").resource, "\U0001fae0")

    def test_refused(self) -> None:
        """What is no JID is refused with the reason."""
        for text, reason in (
            ("", "it has no domain"),
            ("a@", "it has no domain"),
            ("@b", "nothing stands before the @"),
            ("a@b@c", "it has more than one @"),
            ("a@b/", "nothing follows the slash"),
            ("/x", "it has no domain"),
            ("a b@c", "it has a character that a JID cannot have"),
            ("a@b c", "it has a character that a JID cannot have"),
            ("a@b/\x00", "its resource has a control character"),
            ("a@b/\x9f", "its resource has a control character"),
            ("a@b/\ud800", "its resource has a control character"),
        ):
            with self.subTest(text):
                error = self.assertRaises(InvalidJid, Jid.parse, text)
                self.assertEqual(error.reason, reason)
                self.assertRaises(ValueError, Jid.parse, text)

    def test_parts_of_nothing(self) -> None:
        """A part that preparing leaves nothing of is no part, and takes no other's place."""
        for text in ("\u00ad@b", "a@\u00ad", "a@\u00ad.b", "a@.", "a@b..c", "a@.b", "."):
            with self.subTest(text):
                self.assertRaises(InvalidJid, Jid.parse, text)

    def test_with_resource_is_checked(self) -> None:
        """A resource that is put on obeys the same rules."""
        for resource in ("", "\n", "x" * (MAX_PART + 1)):
            with self.subTest(resource):
                self.assertRaises(InvalidJid, Jid.parse("a@b").with_resource, resource)

    def test_lengths(self) -> None:
        """RFC 7622's 1023 bytes are kept, in every part, and errors do not repeat much."""
        long = "x" * (MAX_PART + 1)
        for text in (f"{long}@b", f"a@{long}", f"a@b/{long}", f"a@b/{'é' * 600}", "x" * 200_000):
            with self.subTest(text[:4]):
                error = self.assertRaises(InvalidJid, Jid.parse, text)
                self.assertLess(len(str(error)), 200)
        self.assertEqual(len(Jid.parse(f"a@b/{long[1:]}").resource or ""), MAX_PART)

    @given(NEAR_JIDS | st.text())
    @example("\u00ad@b")
    @example("a@b\uff0fc")
    @example("a@\u3002")
    def test_any_text(self, text: str) -> None:
        """Any text is a JID that survives being written out, or raises InvalidJid."""
        try:
            jid = Jid.parse(text)
        except InvalidJid:
            return
        self.assertEqual(Jid.parse(str(jid)), jid)
        self.assertEqual(Jid.parse(str(jid.bare)), jid.bare)

    @given(st.text(alphabet=st.characters()))
    def test_any_surrogates(self, text: str) -> None:
        """Not even half characters raise anything else."""
        for attempt in (text, f"{text}@b", f"a@{text}", f"a@b/{text}"):
            try:
                Jid.parse(attempt)
            except InvalidJid:
                continue

    @given(
        st.one_of(
            st.from_regex(_PREPARED, fullmatch=True),
            st.text("aB0.-_@\u00df/", max_size=9),
        )
    )
    @example("a@1.2.3.4")
    @example("xn--a")
    @example("a@b--c.d")
    @example("a@b.")
    @example("a@-b")
    def test_plain_names(self, bare: str) -> None:
        """What is taken for prepared already is what stringprep makes of it."""
        if _PREPARED.fullmatch(bare):
            local, _, domain = bare.rpartition("@")
            self.assertEqual(nodeprep.prepare(local), local)
            self.assertEqual(nameprep.prepare(domain), domain)
