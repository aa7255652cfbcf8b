"""Test kit for responder authors: a whole bot without a server. See docs/testing.md.

>>> from xbot.testing import Bot

:mod:`xbot.embedded_server` is a loopback XMPP server.
"""

from xbot.testing.bot import Bot, NotAnswered, Reply

__all__ = ["Bot", "NotAnswered", "Reply"]
