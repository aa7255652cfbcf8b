"""XMPP chat network: adapter, stream, rooms (MUC), security, stanzas, wire."""
