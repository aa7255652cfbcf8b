"""Embedded XMPP server on loopback: for tests, ``xbot demo`` and ``server = embedded``."""

from xbot.embedded_server.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
