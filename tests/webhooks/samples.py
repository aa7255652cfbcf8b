"""Sample payloads of the vendors, with all documented fields."""

from pathlib import Path

from xbot.webhooks.payload import Part, parse

FOLDER = Path(__file__).parent / "payloads"


def sample(name: str) -> bytes:
    """The body of one post."""
    return (FOLDER / f"{name}.json").read_bytes()


def part(name: str) -> Part:
    """The same, as it is read."""
    return parse(sample(name))
