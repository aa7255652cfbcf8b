"""What people test their responders with: a whole bot without a server. See docs/testing.md.

>>> from xbot.testing import Bot

The loopback XMPP server of ``server = embedded`` lives here as well.
"""

from xbot.testing.bot import Bot, NotAnswered, Reply

__all__ = ["Bot", "NotAnswered", "Reply"]
