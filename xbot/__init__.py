"""xbot: the chat-bot daemon for XMPP. This is the public face for people who write responders.

>>> from xbot import Message, hear, respond
"""

__version__ = "0.1.0"
