"""One XML stream: connection, login, stream management (XEP-0198), iq, reconnect policy."""
