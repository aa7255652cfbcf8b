"""``whoami``: show the sender's nick and addresses, by which access rules decide."""

from xbot import Message, respond


@respond(
    r"who ?am ?i\??",
    usage="whoami",
    help="what I know of you",
    example=("whoami", "You"),
    effect=False,
)
async def whoami(message: Message) -> str:
    """Show nick, address and real address; the real address only in private."""
    lines = [f"You are {message.nick}."] if message.nick else []
    lines.append(f"You write from {message.sender}.")
    if message.identity is None:
        lines.append("I cannot see your real address.")
    elif message.is_public:
        lines.append("I can see your real address; ask me in private which it is.")
    else:
        lines.append(f"Your real address is {message.identity}.")
    return "\n".join(lines)
