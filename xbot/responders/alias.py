"""``alias``: short names for commands, which run with the rights of the person who uses them.

What has effects runs only if the author of the alias may use it, too.
"""

from xbot import Failed, Message, bot, brain, fallback, respond

#: Maximum number of aliases, and of characters of a name and of a command.
MAX_ALIASES, MAX_NAME, MAX_COMMAND = 200, 40, 400


class Alias:
    """Stored in the brain as ``{name: [name as written, command, author's real address]}``.

    The author is None where the real address is hidden, and missing in aliases of before
    there was one; these run only what has no effects.

    ``allow`` in the ini names who may change aliases; everyone may use them. Aliases
    are a fallback, so that none can hide a command.
    """

    @respond(
        r"alias add (?P<name>\S(.*?\S)?)\s*=\s*(?P<command>\S.*)",
        usage="alias add NAME = COMMAND",
        help="have NAME mean COMMAND",
        example=("alias add hi = ping", "'hi' means: ping"),
    )
    async def add(self, message: Message, name: str, command: str) -> str:
        """Add an alias, or replace the one of that name."""
        if len(name) > MAX_NAME or len(command) > MAX_COMMAND:
            raise Failed(f"Too long: {MAX_NAME} characters for the name, {MAX_COMMAND} after it.")
        if len(brain) >= MAX_ALIASES and name.casefold() not in brain:
            raise Failed(f"There are {MAX_ALIASES} aliases; remove one first.")
        brain[name.casefold()] = [name, command, message.identity]
        return f"{name!r} means: {command}{_note(brain[name.casefold()])}"

    @respond("alias list", help="all of them", effect=False)
    async def show(self, message: Message) -> str:
        """List all aliases, sorted by name."""
        kept = sorted(brain.values(), key=lambda alias: alias[:2])
        lines = [f"{alias[0]} = {alias[1]}{_note(alias)}" for alias in kept]
        return "\n".join(lines) or "There are none."

    @respond(
        r"alias remove (?P<name>\S.*)",
        usage="alias remove NAME",
        help="NAME means nothing any more",
        example=("alias remove bye", "There is no alias 'bye'."),
    )
    async def remove(self, message: Message, name: str) -> str:
        """Remove an alias, also one that another person added."""
        if brain.pop(name.casefold(), None) is None:
            return f"There is no alias {name!r}."
        return f"{name!r} means nothing any more."

    @fallback(for_everyone=True)
    async def use(self, message: Message) -> None:
        """Run the longest alias that the text begins with; further words follow its command."""
        addressed = bot.addressed(message.body, message.room)
        words = (message.body if addressed is None else addressed).split()
        # A name of MAX_NAME characters has at most that many words.
        for count in range(min(len(words), MAX_NAME), 0, -1):
            if found := brain.get(" ".join(words[:count]).casefold()):
                text, author = " ".join([found[1], *words[count:]]), _author(found)
                bot.obey(message, text, author=author, effects=author is not None)
                return


def _author(alias: list[str | None]) -> str | None:
    return alias[2] if len(alias) > 2 else None


def _note(alias: list[str | None]) -> str:
    """How to renew an alias whose author is not known."""
    if _author(alias) is not None:
        return ""
    return " (by an unknown author, so for nothing that has effects; to renew it, add it again)"
