"""``standup``: what everybody is at today, told to the room every hour."""

from xbot import Failed, Jid, Message, brain, every, respond, say


class Standup:
    """What everybody is at today: ``room`` is told every hour, and hears of ``most`` people."""

    def __init__(self, *, room: Jid, most: int = 20) -> None:
        self.room = room
        self.most = most

    @respond(
        r"today (?P<plan>.+)",
        usage="today PLAN",
        help="say what you are at today",
        example=("today tests", "Noted: "),
    )
    async def today(self, message: Message, plan: str) -> str:
        """Note it until tomorrow."""
        if message.speaker not in brain and len(brain) >= self.most:
            raise Failed("There are too many of us.")
        brain.set(message.speaker, plan, ttl=86400)
        return f"Noted: {message.speaker} is at {plan}."

    @respond("standup", help="what everybody is at", effect=False)
    async def standup(self, message: Message) -> str:
        """All that was noted."""
        return self.report() or "Nobody has said anything yet."

    @every("1h")
    async def tell(self) -> None:
        """Tell the room, if there is anything to tell."""
        if report := self.report():
            say(self.room, report)

    def report(self) -> str:
        return "\n".join(f"{who}: {plan}" for who, plan in sorted(brain.items()))
