"""xbot: the chat-bot daemon for XMPP. This is the public face for people who write responders.

>>> from xbot import Message, code, fallback, hear, respond, table

``respond``, ``hear`` and ``fallback`` say what a function answers to,
``Message`` is what it gets, ``Failed`` is how it says that it cannot, and
``Responder`` is what it becomes. ``code`` and ``table`` make preformatted texts.
"""

from xbot.message import Message
from xbot.responder import Failed, Responder, fallback, hear, respond
from xbot.texts import code, table

__all__ = [
    "Failed",
    "Message",
    "Responder",
    "code",
    "fallback",
    "hear",
    "respond",
    "table",
]
__version__ = "0.1.0"
