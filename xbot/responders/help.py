"""``help``: everything that the bot answers to, here and to this asker."""

from collections.abc import Callable, Sequence

from xbot import Message, Responder, respond

#: Usages that are longer do not push all the help lines to the right.
WIDEST = 32


@respond(
    r"help(\s+(?P<word>\S.*))?",
    usage="help [WORD]",
    help="what I can do",
    example=("help ping", "ping"),
)
class Help:
    """Lists responders, one per line, in the order in which they are asked.

    ``listed`` gives those who may answer where a message was said.
    """

    def __init__(self, listed: Callable[[Message], Sequence[Responder]]) -> None:
        self._listed = listed

    async def __call__(self, message: Message, word: str = "") -> str:
        found = [
            (route.usage, route.help)
            for responder in self._listed(message)
            for route in responder.routes
            if route.usage
            and word.casefold() in f"{responder.name}\n{route.usage}\n{route.help}".casefold()
        ]
        if not found:
            return f"I know nothing about {word!r}." if word else "I can do nothing here."
        width = max((len(usage) for usage, _ in found if len(usage) <= WIDEST), default=0)
        return "\n".join(f"{usage:{width}}  {help}".rstrip() for usage, help in found)
