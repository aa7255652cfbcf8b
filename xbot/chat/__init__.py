"""Chat networks: their contract with the engine (``interfaces``), back-off, XMPP, terminal."""
