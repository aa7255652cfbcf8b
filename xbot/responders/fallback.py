"""``fallback``: something was said to the bot that it does not know."""

import re
from difflib import get_close_matches

from xbot import Jid, Message, bot, fallback

#: As many commands are looked at, and as many of them named.
MAX_LOOKED_AT, MAX_NAMED = 500, 3

#: How alike a command has to be, from 0 to 1, and how much of a text is looked at:
#: for what was meant, and for who says it.
NEAR, LONGEST, LONGEST_SAID = 0.7, 60, 1000

#: What bots say to what they do not know; this one among them.
_OTHER_BOT = re.compile(
    r"(?i)did you mean|\b(do not|don'?t) (know|understand)\b|(unknown|no such) command|say 'help'"
)

#: Whoever says a name and goes on talks about the bot as likely as to it.
_CALLED = re.compile(r"@?\S+\s*[:,]")


@fallback(example=("pign", "I do not know 'pign'. Did you mean: ping?"))
async def suggest(message: Message) -> str | None:
    """The commands that are nearest to it, of those that the asker may use here."""
    addressed = bot.addressed(message.body, message.room)
    text = (message.body if addressed is None else addressed).strip()[:LONGEST]
    said = message.body[:LONGEST_SAID]
    if not text or _OTHER_BOT.search(said) or _is_a_service(message):
        return None
    usages: dict[str, list[str]] = {}
    for each in list(bot.commands(message))[:MAX_LOOKED_AT]:
        usages.setdefault(_beginning(each.usage), []).append(each.usage)
    words = text.casefold().split()
    near: list[str] = []
    for count in (3, 2, 1):
        alike = [each for each in usages if len(each.split()) == count]
        for found in get_close_matches(" ".join(words[:count]), alike, MAX_NAMED, NEAR):
            near += [usage for usage in usages[found] if usage not in near]
    if near:
        return f"I do not know {text!r}. Did you mean: {', or '.join(near[:MAX_NAMED])}?"
    if message.is_public and not _CALLED.match(said):
        return None
    return f"I do not know {text!r}. Say 'help' to see what I can do."


def _beginning(usage: str) -> str:
    """The words of a usage that are said as they stand: ``deploy`` of ``deploy APP``."""
    words = []
    for word in usage.split()[:3]:
        if not re.fullmatch(r"[^\W\d_A-Z][^A-Z\[\]\"<>|]*", word):
            break
        words.append(word)
    return " ".join(words).casefold()


def _is_a_service(message: Message) -> bool:
    """Servers and gateways announce things; they ask nothing."""
    return not message.room and Jid.parse(message.sender).local is None
