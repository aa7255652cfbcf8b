"""XMPP: the adapter and its parts."""
