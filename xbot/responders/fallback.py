"""``fallback``: answer unknown commands with the most similar ones ("did you mean")."""

import re
from difflib import get_close_matches

from xbot import Jid, Message, bot, fallback

#: Maximum number of commands that are compared, and that are suggested.
MAX_LOOKED_AT, MAX_NAMED = 500, 3

#: Minimum similarity, from 0 to 1. Maximum number of characters that are examined: to find
#: similar commands, and to recognise another bot.
NEAR, LONGEST, LONGEST_SAID = 0.7, 60, 1000

#: Answers of bots, this one included, to unknown commands. Ignored, against loops between bots.
_OTHER_BOT = re.compile(
    r"(?i)did you mean|\b(do not|don'?t) (know|understand)\b|(unknown|no such) command|say 'help'"
)

#: A message that is clearly addressed: "xbot: ..." or "xbot, ...". A mere name at the
#: beginning may also talk about the bot.
_CALLED = re.compile(r"@?[^\s:,;\uff1a\uff0c\uff1b\u3001]+\s*[:,;\uff1a\uff0c\uff1b\u3001]")


@fallback(example=("pign", "I do not know 'pign'. Did you mean: ping?"))
async def suggest(message: Message) -> str | None:
    """Suggest the most similar commands that the sender may use here."""
    addressed = bot.addressed(message.body, message.room)
    text = (message.body if addressed is None else addressed).strip()[:LONGEST]
    said = message.body[:LONGEST_SAID]
    if not text or _OTHER_BOT.search(said) or _is_a_service(message):
        return None
    usages: dict[str, list[str]] = {}
    commands = [each for each in bot.commands(message) if not each.heard]
    for each in commands[:MAX_LOOKED_AT]:
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
    """The literal words that a usage begins with: ``deploy`` of ``deploy APP``."""
    words = []
    for word in usage.split()[:3]:
        if not re.fullmatch(r"[^\W\d_A-Z][^A-Z\[\]\"<>|]*", word):
            break
        words.append(word)
    return " ".join(words).casefold()


def _is_a_service(message: Message) -> bool:
    """Whether the sender is a server or gateway: these send announcements, not commands."""
    return not message.room and Jid.parse(message.sender).local is None
