"""xbot: the chat-bot daemon for XMPP. This is the public face for people who write responders.

>>> from xbot import Message, bot, brain, code, every, fallback, hear, on_close, respond, say
>>> from xbot import table, webhook

``respond``, ``hear`` and ``fallback`` say what a function answers to, ``every``
how often it is called by itself, and ``webhook`` which posts it takes.
``Message`` is what it gets. ``say`` says something elsewhere, ``brain``
remembers, ``bot`` is asked about the bot itself, ``on_close`` cleans up.
``Failed`` is how it says that it cannot, and ``Misused`` that it was asked in a
wrong way. ``NoAnswer`` is what ``message.ask`` raises. ``code`` and ``table``
make preformatted texts. ``Jid`` is an address, and ``Responder`` what all of it
becomes. The manual is docs/responders.md.
"""

from xbot.api.bot import bot
from xbot.api.context import brain, on_close, say
from xbot.api.decorators import every, fallback, hear, respond, webhook
from xbot.model.jid import Jid
from xbot.model.markup import code, table
from xbot.model.message import Message
from xbot.runtime.failures import Failed, Misused, NoAnswer
from xbot.runtime.responder import Responder

__all__ = [
    "Failed",
    "Jid",
    "Message",
    "Misused",
    "NoAnswer",
    "Responder",
    "bot",
    "brain",
    "code",
    "every",
    "fallback",
    "hear",
    "on_close",
    "respond",
    "say",
    "table",
    "webhook",
]
__version__ = "0.1.0"
