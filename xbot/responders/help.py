"""``help``: everything that the bot answers to, here and to this asker."""

from xbot import Message, bot, respond

#: Usages that are longer do not push all the help lines to the right.
WIDEST = 32


@respond(
    r"help(\s++(?P<word>\S.*))?",
    usage="help [WORD]",
    help="what I can do",
    example=("help whoami", "whoami"),
    effect=False,
)
async def help(message: Message, word: str = "") -> str:
    """Lists what the asker may use here, one per line, in the order in which it is asked."""
    found = [
        (each.usage, each.help)
        for each in bot.commands(message)
        if word.casefold() in f"{each.responder}\n{each.usage}\n{each.help}".casefold()
    ]
    if not found:
        return f"I know nothing about {word!r}." if word else "I can do nothing here."
    width = max((len(usage) for usage, _ in found if len(usage) <= WIDEST), default=0)
    return "\n".join(f"{usage:{width}}  {help}".rstrip() for usage, help in found)
