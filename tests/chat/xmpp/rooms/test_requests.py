"""Stanzas sent to a room."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import shape
from xbot.chat.xmpp.rooms.requests import default_configuration, join_presence
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.config.settings import Secret
from xbot.model.jid import Jid

ADDRESS = Jid.parse("ops@rooms.example.org/xbot")
HISTORY = (ns.MUC, "history", {"maxchars": "0", "maxstanzas": "0"}, [])


class RequestTests(unittest.SynchronousTestCase):
    def test_join(self):
        """A join asks for no history, and leaves in the namespace of stanzas."""
        self.assertEqual(
            shape(join_presence(ADDRESS, None)),
            (ns.CLIENT, "presence", {"to": str(ADDRESS)}, [(ns.MUC, "x", {}, [HISTORY])]),
        )

    def test_password(self):
        """The password is sent as it is, escaped."""
        sent = serialize(join_presence(ADDRESS, Secret("a<b")), ns.CLIENT).decode()
        self.assertEqual(
            sent,
            f"<presence to='{ADDRESS}'><x xmlns='{ns.MUC}'><password>a&lt;b</password>"
            "<history maxchars='0' maxstanzas='0'/></x></presence>",
        )

    def test_any_nick(self):
        """A nick that no address of Twisted's may have joins all the same."""
        for nick in ("🦩", "'\"]/x[", "x" * 1023):
            address = ADDRESS.with_resource(nick)
            self.assertEqual(join_presence(address, None)["to"], str(address))

    def test_default_configuration(self):
        """A new room is unlocked with an empty form (XEP-0045, section 10.1.2)."""
        iq = default_configuration(ADDRESS.bare)
        form = (ns.DATA_FORM, "x", {"type": "submit"}, [])
        self.assertEqual(
            shape(iq),
            (
                ns.CLIENT,
                "iq",
                {"type": "set", "to": str(ADDRESS.bare), "id": iq["id"]},
                [(ns.MUC_OWNER, "query", {}, [form])],
            ),
        )
