"""``status``: whether the bot is well, and how long it has been there."""

import platform

import twisted
from xbot import Message, __version__, bot, respond


@respond("status", help="how I am", example=("status", "I am"), effect=False)
async def status(message: Message) -> str:
    """How many rooms, and none of their names: those who may know them ask ``rooms``."""
    overview = bot.overview()
    refused = sum(room.state == "refused" for room in overview.rooms)
    where = f"in {overview.joined} of {len(overview.rooms)} rooms"
    lines = [
        f"I am {overview.link.state}, {where}{f' ({refused} refuse me)' if refused else ''}.",
        f"Up for {age(bot.uptime())}, connected for {age(overview.link.seconds)}.",
        f"xbot {__version__}, Twisted {twisted.__version__}, Python {platform.python_version()}",
    ]
    return "\n".join(lines)


def age(seconds: float) -> str:
    """A length of time in its two largest units: ``3 d 4 h``."""
    rest = int(seconds)
    parts = []
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, length)
        parts.append((count, unit))
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"
