"""``coffee``: overheard, wherever somebody says it."""

from xbot import Message, hear


@hear(r"\bcoffee\b", example=("I need coffee", "Coffee for "), effect=False)
async def coffee(message: Message) -> str:
    return f"Coffee for {message.speaker}!"
