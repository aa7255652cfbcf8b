"""``remember``: small notes of a room, or, in private, of a person."""

import re

from xbot import Failed, Message, brain, fallback, respond

from ._notes import domain_of, notes_of, told

#: Notes in one room or of one person, and characters of a name and of what it is.
MAX_NOTES, MAX_NAME, MAX_TEXT = 100, 60, 400

#: Rooms and people that have notes; those of one domain have half of them.
MAX_PLACES = 2000


class Remember:
    """Each place has a memory of its own: ``{name: [as it was written, what it is]}``."""

    # Who says more than a little too much is told so. Without any bound, regex would be
    # imported at the start for this pattern alone (xbot.matching.cost).
    @respond(
        r"remember (?P<name>\S.{0,200}?) is (?P<text>\S.{0,1000})",
        usage="remember X is Y",
        help="note something here",
        example=("remember the wiki is at https://wiki.example", "I will: the wiki is at"),
        effect=False,
    )
    async def remember(self, message: Message, name: str, text: str) -> str:
        """Replaces what was there."""
        place, notes = notes_of(message)
        if len(name) > MAX_NAME or len(text) > MAX_TEXT:
            raise Failed(f"Too long: {MAX_NAME} characters for what, {MAX_TEXT} for what it is.")
        if len(notes) >= MAX_NOTES and name.casefold() not in notes:
            raise Failed(f"I remember {MAX_NOTES} things here already; have me forget one.")
        # Those of one domain leave places to others: anybody can have any number of accounts.
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
        """As it was said."""
        return told(message, name) or f"I remember nothing of {name!r}."

    @fallback
    async def what_is(self, message: Message) -> str | None:
        """A question that nobody else answers; if we do not know, others may."""
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
        """For good."""
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
        """The names alone."""
        _, notes = notes_of(message)
        return ", ".join(sorted(name for name, _ in notes.values())) or "I remember nothing here."
