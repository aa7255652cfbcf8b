"""``help``: list the commands that the sender may use here."""

from xbot import Message, bot, respond

#: Maximum width of the usage column, in characters; longer usages overflow it.
WIDEST = 32

#: Maximum number of commands that are shown in a room with their help.
MOST_IN_ROOM = 5

#: Heading of what is no command, but found in anything said in a room.
HEARD = "Said in a room, without my name:"


@respond(
    r"help(\s++(?P<word>\S.*))?",
    usage="help [WORD]",
    help="what I can do",
    example=("help whoami", "whoami"),
    effect=False,
)
async def help(message: Message, word: str = "") -> str:
    """List the commands that contain ``word``: in private with their help, in a room without."""
    known = bot.commands(message)
    found = [each for each in known if word.casefold() in "\n".join(each[:3]).casefold()]
    if not found:
        return f"I know nothing about {word!r}." if word else "I can do nothing here."
    commands = [(each.usage, each.help) for each in found if not each.heard]
    heard = [(each.usage, each.help) for each in found if each.heard]
    if message.is_public and not (word and len(found) <= MOST_IN_ROOM):
        return _short(commands or heard)
    shown = [_table(commands)] if commands else []
    if heard:
        shown += [HEARD, _table(heard)]
    return "\n".join(shown)


def _table(rows: list[tuple[str, str]]) -> str:
    """One line for each usage and its help, in two columns."""
    width = max((len(usage) for usage, _ in rows if len(usage) <= WIDEST), default=0)
    return "\n".join(f"{usage:{width}}  {help}".rstrip() for usage, help in rows)


def _short(rows: list[tuple[str, str]]) -> str:
    """The usages alone, in one line, and how to learn more."""
    usages = ", ".join(usage for usage, _ in rows)
    return f"{usages}. More: 'help WORD', or 'help' to me in private."
