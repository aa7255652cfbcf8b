"""Choice of the SASL mechanism and channel-binding type."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import mechanisms, parse
from xbot.chat.xmpp.security.mechanisms import (
    Choice,
    Offer,
    allowed_mechanisms,
    choose,
    read_offer,
    second_try,
)
from xbot.chat.xmpp.wire.errors import ProtocolViolation
from xbot.config.settings import SASL_MECHANISMS

ALL = frozenset(SASL_MECHANISMS)
WITH_PASSWORD = ALL - {"EXTERNAL"}
NO_PLUS = frozenset({"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"})
TLS_13 = {"tls-exporter": b"E", "tls-server-end-point": b"P"}
TLS_12 = {"tls-unique": b"U", "tls-server-end-point": b"P"}
EDDSA_13 = {"tls-exporter": b"E"}


def offer(*names, types=None):
    return Offer(frozenset(names), None if types is None else frozenset(types))


class ChoiceTests(unittest.TestCase):
    def test_best_first(self):
        """Each is taken where no better one is offered: bound, then strong, then PLAIN."""
        self.assertEqual(
            SASL_MECHANISMS,
            (
                "EXTERNAL", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
                "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN",
            ),
        )  # fmt: skip
        for number, name in enumerate(SASL_MECHANISMS):
            offered = (*reversed(SASL_MECHANISMS[number:]), "DIGEST-MD5", "ANONYMOUS", "X")
            self.assertEqual(choose(offer(*offered), ALL, TLS_13).mechanism, name)

    def test_none_of_ours(self):
        """Where none is ours nothing is chosen, and the first few names are told."""
        for offered in (
            (),
            ("DIGEST-MD5",),
            ("plain",),
            ("EXTERNAL",),
            [f"X-{n}" for n in range(60)],
        ):
            with self.assertRaises(ProtocolViolation) as caught:
                choose(offer(*offered), WITH_PASSWORD, TLS_13)
            self.assertLess(len(str(caught.exception)), 300)

    def test_allowed(self):
        """What the ini does not allow, or we have no means for, is not used."""
        table = (
            (None, True, False, WITH_PASSWORD),
            (None, False, True, {"EXTERNAL"}),
            (None, True, True, ALL),
            (None, False, False, set()),
            (("PLAIN", "EXTERNAL"), True, False, {"PLAIN"}),
        )
        for asked_for, password, certificate, allowed in table:
            self.assertEqual(
                allowed_mechanisms(asked_for, has_password=password, has_certificate=certificate),
                allowed,
            )
        self.assertEqual(choose(offer(*SASL_MECHANISMS), {"PLAIN"}, TLS_13), Choice("PLAIN"))


class BindingTests(unittest.TestCase):
    def test_flags(self):
        """RFC 5802 6: the flag tells what we saw, in each case."""
        both = ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS")
        exporter = ("p=tls-exporter,,", "tls-exporter", b"E")
        unique = ("p=tls-unique,,", "tls-unique", b"U")
        end_point = ("p=tls-server-end-point,,", "tls-server-end-point", b"P")
        yes, no = ("y,,", None, b""), ("n,,", None, b"")
        table = {
            "1.3, no XEP-0440": (offer(*both), WITH_PASSWORD, TLS_13, exporter),
            "1.2, no XEP-0440": (offer(*both), WITH_PASSWORD, TLS_12, unique),
            "1.3, both types": (
                offer(*both, types=["tls-server-end-point", "tls-exporter"]),
                WITH_PASSWORD, TLS_13, exporter,
            ),
            "1.3, end point only": (
                offer(*both, types=["tls-server-end-point", "tls-unique"]),
                WITH_PASSWORD, TLS_13, end_point,
            ),
            "1.2, exporter and end point": (
                offer(*both, types=["tls-server-end-point", "tls-exporter"]),
                WITH_PASSWORD, TLS_12, end_point,
            ),
            "no -PLUS": (offer("SCRAM-SHA-1"), WITH_PASSWORD, TLS_13, yes),
            "-PLUS of something else": (
                offer("SCRAM-SHA-1", "X-PLUS", "GS2-KRB5-PLUS"), WITH_PASSWORD, TLS_13, yes,
            ),
            "no TLS data": (offer(*both), WITH_PASSWORD, {}, no),
            "no TLS data, no -PLUS": (offer("SCRAM-SHA-1"), WITH_PASSWORD, {}, no),
            "not allowed": (offer(*both), NO_PLUS, TLS_13, no),
            "none of ours": (
                offer(*both, types=["tls-server-end-point", "x"]), WITH_PASSWORD, EDDSA_13, no,
            ),
        }  # fmt: skip
        for what, (offered, allowed, bindings, expected) in table.items():
            choice = choose(offered, allowed, bindings)
            found = (choice.gs2_header, choice.binding_type, choice.binding_data)
            self.assertEqual(found, expected, what)
            self.assertEqual(choice.mechanism.endswith("-PLUS"), expected[1] is not None, what)
            self.assertNotIn("binding_data", repr(choice))

    def test_stripped(self):
        """XEP-0440, rules 5 and 6: types or -PLUS taken out of the list end it, with a way out."""
        both = ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "PLAIN")
        table = {
            "types without -PLUS": offer("SCRAM-SHA-1", types=["tls-exporter"]),
            "strange types": offer(*both, types=["x"]),
            "no types in the list": offer(*both, types=[]),
            "another version's type": offer(*both, types=["tls-unique"]),
        }
        for what, offered in table.items():
            with self.assertRaises(ProtocolViolation, msg=what) as caught:
                choose(offered, WITH_PASSWORD, TLS_13)
            self.assertIn("sasl = ", str(caught.exception))
            # The operator may know better.
            self.assertEqual(choose(offered, NO_PLUS, TLS_13), Choice("SCRAM-SHA-1"), what)

    def test_types_without_scram(self):
        """A server that announces types and has PLAIN alone contradicts nothing."""
        offered = offer("PLAIN", types=["tls-exporter"])
        self.assertEqual(choose(offered, WITH_PASSWORD, TLS_13).mechanism, "PLAIN")


class SecondTryTests(unittest.TestCase):
    def test_second_try(self):
        """Where no type is announced tls-unique may follow tls-exporter; nothing unbound does."""
        first = Choice("SCRAM-SHA-1-PLUS", "p=tls-exporter,,", "tls-exporter", b"E")
        second = Choice("SCRAM-SHA-1-PLUS", "p=tls-unique,,", "tls-unique", b"F")
        self.assertEqual(second_try(offer("SCRAM-SHA-1-PLUS"), first, b"F"), second)
        self.assertIsNone(second_try(offer(types=["tls-exporter"]), first, b"F"))
        self.assertIsNone(second_try(offer(), first, None))
        self.assertIsNone(second_try(offer(), second, b"F"))
        self.assertIsNone(second_try(offer(), Choice("SCRAM-SHA-1", "y,,"), b"F"))


class OfferTests(unittest.TestCase):
    def read(self, content):
        return read_offer(parse(f"<features>{content}</features>"))

    def test_read(self):
        """Mechanisms and types are read from their own namespaces, blanks around them left out."""
        announced = (
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='a'/>"
            "<channel-binding/><x type='b'/></sasl-channel-binding>"
        )
        self.assertEqual(self.read(mechanisms(" A\n", "B")), offer("A", "B"))
        self.assertEqual(self.read(mechanisms("A") + announced), offer("A", types=["a", ""]))
        other = announced.replace("sasl-cb:0", "sasl-cb:1")
        self.assertEqual(self.read(mechanisms("A") + other), offer("A"))

    def test_refused(self):
        """Features without SASL, and endless lists, end the login."""
        for content in "", "<mechanisms/>", mechanisms(*map(str, range(65))):
            with self.assertRaises(ProtocolViolation):
                self.read(content)
