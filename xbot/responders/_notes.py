"""Storage of notes in the brain, per room or person: ``{name: [name as written, text]}``."""

from xbot import Failed, Message, brain


def notes_of(message: Message) -> tuple[str, dict[str, list[str]]]:
    """The brain key and the notes of the room, or, for a private message, of the sender."""
    if message.is_public and message.room:
        place = f"room {message.room}"
    elif message.identity is None:
        raise Failed("I cannot see who you are; ask me in the room, or directly.")
    else:
        place = f"person {message.identity}"
    return place, brain.get(place, {})


def told(message: Message, name: str) -> str | None:
    """The note called ``name`` as a sentence, or None."""
    _, notes = notes_of(message)
    if (note := notes.get(name.casefold())) is None:
        return None
    return f"{note[0]} is {note[1]}"


def domain_of(place: str) -> str:
    """The domain of a brain key's address: the room's service, or the person's server."""
    return place.rpartition("@")[2]
