"""``rooms``: list, join and leave rooms. Needs ``allow`` in the ini."""

from xbot import Failed, Message, bot, respond

#: Maximum number of rooms that are listed.
MAX_LISTED = 100


class Rooms:
    """The commands for rooms."""

    @respond("rooms", help="where I am", effect=False)
    async def show(self, message: Message) -> str:
        """List the rooms with their nick, and why the bot is not there, or may not speak."""
        rooms = bot.overview().rooms
        lines = [
            f"{room.jid} as {room.nick}" + (f": {room.problem}" if room.problem else "")
            for room in rooms[:MAX_LISTED]
        ]
        if len(rooms) > MAX_LISTED:
            lines.append(f"and {len(rooms) - MAX_LISTED} more")
        return "\n".join(lines) or "I am in no room."

    @respond(
        r"join (?P<room>\S+)( as (?P<nick>\S.*))?",
        usage="join ROOM [as NICK]",
        help="have me enter a room, and come back into it",
        example=("join tea@rooms.example.org as robo", "I am on my way to tea@"),
    )
    async def join(self, message: Message, room: str, nick: str | None = None) -> str:
        """Join a room, and stay until ``leave``, or until the room refuses the bot for good."""
        if message.identity is None:
            raise Failed(
                "I cannot see who you are, and I note who sends me somewhere; ask me directly."
            )
        bot.join(room, nick, by=message.identity)
        return f"I am on my way to {room}; 'rooms' tells how that goes."

    @respond(
        r"leave (?P<room>\S+)",
        usage="leave ROOM",
        help="have me leave a room, unless it is in my ini",
        example=("leave tea@rooms.example.org", "I am not in tea@"),
    )
    async def leave(self, message: Message, room: str) -> str:
        """Leave a room; refused for rooms of the ini, which a reload would join again."""
        bot.leave(room)
        return f"I left {room}."
