"""``whoami``: what the bot knows of the asker, which is what rights are decided by."""

from xbot import Message, respond


@respond(
    r"who ?am ?i\??",
    usage="whoami",
    help="what I know of you",
    example=("whoami", "You"),
    effect=False,
)
async def whoami(message: Message) -> str:
    """Nick, address, and real address. The last is not told to a whole room."""
    lines = [f"You are {message.nick}."] if message.nick else []
    lines.append(f"You write from {message.sender}.")
    if message.identity is None:
        lines.append("I cannot see your real address.")
    elif message.is_public:
        lines.append("I can see your real address; ask me in private which it is.")
    else:
        lines.append(f"Your real address is {message.identity}.")
    return "\n".join(lines)
