"""``rooms``: where the bot is, and telling it where to be. For those whom the ini names."""

from xbot import Failed, Message, bot, respond

#: No more rooms are listed.
MAX_LISTED = 100


class Rooms:
    """The rooms that the bot wants to be in."""

    @respond("rooms", help="where I am", effect=False)
    async def show(self, message: Message) -> str:
        """Each with its state, and why where we are not in it."""
        rooms = bot.overview().rooms
        lines = [
            f"{room.jid} as {room.nick}" + ("" if room.is_joined else f": {room.reason}")
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
        """Remembered until ``leave``, or until the room refuses the bot for good."""
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
        """Rooms of the ini are not left: a reload would lead back into them."""
        bot.leave(room)
        return f"I left {room}."
