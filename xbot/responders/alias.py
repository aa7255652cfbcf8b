"""``alias``: short names for commands, which run with the rights of the person who uses them."""

from xbot import Failed, Message, bot, brain, fallback, respond

#: Maximum number of aliases, and of characters of a name and of a command.
MAX_ALIASES, MAX_NAME, MAX_COMMAND = 200, 40, 400


class Alias:
    """Stored in the brain as ``{name: [name as written, command]}``.

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
        brain[name.casefold()] = [name, command]
        return f"{name!r} means: {command}"

    @respond("alias list", help="all of them", effect=False)
    async def show(self, message: Message) -> str:
        """List all aliases, sorted by name."""
        return "\n".join(f"{name} = {command}" for name, command in sorted(brain.values())) or (
            "There are none."
        )

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
                bot.obey(message, " ".join([found[1], *words[count:]]))
                return
