"""``ping``: answer pong, in the capitalisation of the sender."""

from xbot import Message, respond


@respond(
    r"(?P<word>ping)",
    usage="ping",
    help="see whether I am there",
    example=("Ping", "Pong"),
    effect=False,
)
async def ping(message: Message, word: str) -> str:
    """ping is answered pong, Ping Pong, and PING PONG."""
    if word.isupper():
        return "PONG"
    return "Pong" if word[0].isupper() else "pong"
