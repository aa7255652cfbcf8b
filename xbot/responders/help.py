"""``help``: list the commands that the sender may use here."""

from xbot import Message, bot, respond

#: Maximum width of the usage column, in characters; longer usages overflow it.
WIDEST = 32


@respond(
    r"help(\s++(?P<word>\S.*))?",
    usage="help [WORD]",
    help="what I can do",
    example=("help whoami", "whoami"),
    effect=False,
)
async def help(message: Message, word: str = "") -> str:
    """List the commands that contain ``word``, one per line, in the order of the ini."""
    found = [
        (each.usage, each.help)
        for each in bot.commands(message)
        if word.casefold() in f"{each.responder}\n{each.usage}\n{each.help}".casefold()
    ]
    if not found:
        return f"I know nothing about {word!r}." if word else "I can do nothing here."
    width = max((len(usage) for usage, _ in found if len(usage) <= WIDEST), default=0)
    return "\n".join(f"{usage:{width}}  {help}".rstrip() for usage, help in found)
