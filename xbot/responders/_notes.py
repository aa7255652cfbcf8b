"""The notes of one place, in the brain: ``{name: [as it was written, what it is]}``."""

from xbot import Failed, Message, brain


def notes_of(message: Message) -> tuple[str, dict[str, list[str]]]:
    """Where these notes are kept, and what they are. Privately nobody's but the person's."""
    if message.is_public and message.room:
        place = f"room {message.room}"
    elif message.identity is None:
        raise Failed("I cannot see who you are; ask me in the room, or directly.")
    else:
        place = f"person {message.identity}"
    return place, brain.get(place, {})


def told(message: Message, name: str) -> str | None:
    """What a note says, as it was said; None when there is none."""
    _, notes = notes_of(message)
    if (note := notes.get(name.casefold())) is None:
        return None
    return f"{note[0]} is {note[1]}"


def domain_of(place: str) -> str:
    """Where the room is, or the person's account."""
    return place.rpartition("@")[2]
