"""Refused joins and removals: reason, and whether to retry."""

from twisted.trial import unittest

from xbot.chat.xmpp.rooms.refusals import refusal, removal
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.stanzas.stanza import StanzaError

FINAL, PASSING = True, False


class RefusalTests(unittest.TestCase):
    def test_table(self):
        """Every condition that a service is known to refuse us with (XEP-0045 7.2, RFC 6120)."""
        for condition, is_final, word in (
            ("forbidden", FINAL, "banned"),
            ("registration-required", FINAL, "members only"),
            ("not-authorized", FINAL, "password"),
            ("not-allowed", FINAL, "may not create"),
            ("jid-malformed", FINAL, "does not accept this nick"),
            ("gone", FINAL, "gone"),
            ("conflict", PASSING, "taken"),
            ("not-acceptable", PASSING, "another nick"),
            ("item-not-found", PASSING, "not there"),
            ("service-unavailable", PASSING, "full"),
            ("resource-constraint", PASSING, "full"),
            ("recipient-unavailable", PASSING, "service is away"),
            ("remote-server-not-found", PASSING, "no such server"),
            ("remote-server-timeout", PASSING, "does not answer"),
            ("internal-server-error", PASSING, "internal-server-error"),
            ("undefined-condition", PASSING, "undefined-condition"),
            ("x" * 64, PASSING, "xxx"),
        ):
            exclusion = refusal(StanzaError("cancel", condition))
            self.assertEqual(exclusion.is_final, is_final, condition)
            self.assertIn(word, exclusion.reason)

    def test_what_the_service_says(self):
        """Its text is told, and so is the address of a room that moved."""
        for error, told in (
            (StanzaError("auth", "forbidden", "spam"), "we are banned (spam)"),
            (StanzaError("wait", "resource-constraint", "100 rooms"), "it is full"),
            (StanzaError("cancel", "gone", "", "xmpp:new@x"), "it is gone; it moved to xmpp:new@x"),
            (
                StanzaError("cancel", "odd", "Read https://x/captcha"),
                "odd (Read https://x/captcha)",
            ),
        ):
            self.assertIn(told, refusal(error).reason)
        self.assertIn("(100 rooms)", refusal(StanzaError("wait", "odd", "100 rooms")).reason)


class RemovalTests(unittest.TestCase):
    def test_table(self):
        """Every status code that ends a stay (XEP-0045 15.6.2), alone and with others."""
        for codes, is_final, reason in (
            ("301", FINAL, "we were banned"),
            ("321", FINAL, "we are no longer a member"),
            ("322", FINAL, "it is now for members only"),
            ("332", PASSING, "the room service shuts down"),
            ("333", PASSING, "the service had a problem"),
            ("307", PASSING, "we were kicked"),
            ("301 307", FINAL, "we were banned"),
            ("307 321", FINAL, "we are no longer a member"),
            ("307 333", PASSING, "the service had a problem"),
            ("307 332", PASSING, "the room service shuts down"),
            ("", PASSING, "we were removed"),
            ("999 x", PASSING, "we were removed"),
        ):
            presence = RoomPresence("bot", False, codes=frozenset(["110", *codes.split()]))
            exclusion = removal(presence)
            self.assertEqual((exclusion.is_final, exclusion.reason), (is_final, reason), codes)

    def test_destroyed(self):
        """A destroyed room is left for good; where it moved to is told, with the reason."""
        for alternative, reason, told in (
            (None, "", "the room was destroyed"),
            ("b@c", "", "the room was destroyed; it moved to b@c"),
            ("b@c", "full", "the room was destroyed; it moved to b@c (full)"),
        ):
            presence = RoomPresence(
                "bot", False, codes=frozenset(["110", "332"]),
                destroyed=True, alternative=alternative, reason=reason,
            )  # fmt: skip
            exclusion = removal(presence)
            self.assertEqual((exclusion.is_final, exclusion.reason), (True, told))
