"""A module of responders, for the tests of the kit."""

from xbot import Message, respond


@respond(r"price (?P<count>\d+)")
def price(message: Message, count: int) -> str:
    return str(2 * count)
