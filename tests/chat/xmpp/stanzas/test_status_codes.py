"""Status codes of rooms by name."""

from twisted.trial import unittest

from xbot.chat.xmpp.stanzas import status_codes
from xbot.chat.xmpp.wire import _wokkel


class StatusCodeTests(unittest.SynchronousTestCase):
    def test_as_in_wokkel(self):
        """Each code has the name and the number that wokkel gives it; of one, it has none."""
        ours = {name: code for name, code in vars(status_codes).items() if name.isupper()}
        self.assertEqual(ours.pop("REMOVED_ERROR"), "333")
        wokkels = {
            constant.name: str(constant.value)
            for constant in _wokkel.muc.STATUS_CODE.iterconstants()
        }
        self.assertEqual({name: wokkels.get(name) for name in ours}, ours)
        self.assertNotIn("333", wokkels.values())
