"""A loopback XMPP server: for tests, for ``xbot demo`` and for ``server = embedded``."""

from xbot.embedded_server.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
