"""``remember``: short notes, per room, or, in private, per person."""

import re

from xbot import Failed, Message, brain, fallback, respond

from ._notes import domain_of, notes_of, told

#: Maximum number of notes per room or person, and of characters of a name and of a text.
MAX_NOTES, MAX_NAME, MAX_TEXT = 100, 60, 400

#: Maximum number of rooms and people that have notes; those of one domain have half of them.
MAX_PLACES = 2000


class Remember:
    """Notes in the brain: each room or person has ``{name: [name as written, text]}``."""

    # The pattern's bounds are above MAX_NAME and MAX_TEXT, so that longer texts get an error
    # answer. Without bounds, this pattern alone would need regex at start-up
    # (xbot.matching.cost).
    @respond(
        r"remember (?P<name>\S.{0,200}?) is (?P<text>\S.{0,1000})",
        usage="remember X is Y",
        help="note something here",
        example=("remember the wiki is at https://wiki.example", "I will: the wiki is at"),
        effect=False,
    )
    async def remember(self, message: Message, name: str, text: str) -> str:
        """Add a note, or replace the one of that name."""
        place, notes = notes_of(message)
        if len(name) > MAX_NAME or len(text) > MAX_TEXT:
            raise Failed(f"Too long: {MAX_NAME} characters for what, {MAX_TEXT} for what it is.")
        if len(notes) >= MAX_NOTES and name.casefold() not in notes:
            raise Failed(f"I remember {MAX_NOTES} things here already; have me forget one.")
        # One domain gets only a part of the places: anyone can register many accounts there.
        there = sum(domain_of(each) == domain_of(place) for each in brain) if not notes else 0
        if not notes and there >= MAX_PLACES - len(brain):
            raise Failed("I cannot remember any more.")
        brain[place] = {**notes, name.casefold(): [name, text]}
        return f"I will: {name} is {text}"

    @respond(
        r"recall (?P<name>\S.*?)\??",
        usage="recall X",
        help="what I remember of X; or ask: what is X?",
        example=("recall tea", "I remember nothing of 'tea'."),
        effect=False,
    )
    async def recall(self, message: Message, name: str) -> str:
        """Show a note."""
        return told(message, name) or f"I remember nothing of {name!r}."

    @fallback
    async def what_is(self, message: Message) -> str | None:
        """Answer "what is X?" with a note; without one, pass to the next fallback."""
        asked = re.search(r"(?i)\bwhat('s| is) (?P<name>\S.*?)\s*\?*\s*\Z", message.body)
        return told(message, asked["name"]) if asked else None

    @respond(
        r"forget (?P<name>\S.*)",
        usage="forget X",
        help="remember X no more",
        example=("forget tea", "I remember nothing of 'tea'."),
        effect=False,
    )
    async def forget(self, message: Message, name: str) -> str:
        """Delete a note."""
        place, notes = notes_of(message)
        if notes.pop(name.casefold(), None) is None:
            return f"I remember nothing of {name!r}."
        if notes:
            brain[place] = notes
        else:
            del brain[place]
        return f"I forgot {name}."

    @respond("memories", help="all that I remember here", effect=False)
    async def memories(self, message: Message) -> str:
        """List the names of all notes."""
        _, notes = notes_of(message)
        return ", ".join(sorted(name for name, _ in notes.values())) or "I remember nothing here."
