"""xbot: the chat-bot daemon for XMPP. This is the public face for people who write responders.

>>> from xbot import Message, fallback, hear, respond

``respond``, ``hear`` and ``fallback`` say what a function answers to,
``Message`` is what it gets, ``Failed`` is how it says that it cannot, and
``Responder`` is what it becomes.
"""

from xbot.message import Message
from xbot.responder import Failed, Responder, fallback, hear, respond

__all__ = ["Failed", "Message", "Responder", "fallback", "hear", "respond"]
__version__ = "0.1.0"
