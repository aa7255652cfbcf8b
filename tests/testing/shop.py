"""Fixture: a module of responders, for the tests of the test kit."""

from xbot import Message, brain, respond, say


@respond(r"price (?P<count>\d+)")
def price(message: Message, count: int) -> str:
    return str(2 * count)


@respond("count")
def count(message: Message) -> str:
    return str(brain.increment("count"))


@respond("tell")
async def tell(message: Message) -> None:
    say("ops@conference.example.org", "news")
