"""``status``: connection, number of rooms, uptime and versions."""

import platform

import twisted
from xbot import Message, __version__, bot, respond


@respond("status", help="how I am", example=("status", "I am"), effect=False)
async def status(message: Message) -> str:
    """Show the status. Room names are left out; ``rooms`` shows them to permitted people."""
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
    """Format a duration in its two largest units: ``3 d 4 h``."""
    rest = int(seconds)
    parts = []
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, length)
        parts.append((count, unit))
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"
