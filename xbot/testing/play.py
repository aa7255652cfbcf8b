"""Transcripts, played to a bot: what it says is held against what it should."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from xbot.testing.bot import Bot, Reply
from xbot.testing.transcript import Person, Scene, Step


@frozen
class Difference:
    """What the bot said at a step was not what it should have. ``why``: what else is known."""

    step: Step
    said: tuple[Reply, ...]
    why: tuple[str, ...]


def play(scenes: Iterable[Scene], new_bot: Callable[[bool], Bot]) -> Iterator[Difference]:
    """Play each scene to a new bot, which ``new_bot(limits)`` makes; gives what was wrong."""
    for scene in scenes:
        bot = new_bot(scene.limits)
        try:
            for step in scene.steps:
                if (difference := _play(step, bot)) is not None:
                    yield difference
        finally:
            bot.close()


def _play(step: Step, bot: Bot) -> Difference | None:
    logged = len(bot.log)
    why: list[str] = []
    if step.person is None:
        bot.clock.advance(step.wait)
    else:
        how = _how(step, step.person)
        # Before it is said, for that changes what would become of it.
        why = bot.explain(step.text, **how).verdict()
        bot.say(step.text, **how)
    said = bot.replies
    if _is_right(step, said):
        return None
    return Difference(step, tuple(said), tuple(bot.log[logged:] or why))


def _how(step: Step, person: Person) -> dict[str, Any]:
    """Who says it, and where, as a bot's ``say`` takes it."""
    if step.room is None:
        return {"sender": person.jid}
    return {
        "sender": person.jid,
        "room": step.room,
        "nick": person.nick,
        "affiliation": person.affiliation,
        "private": step.private,
    }


def _is_right(step: Step, said: Sequence[Reply]) -> bool:
    if len(said) < len(step.expected) or (len(said) > len(step.expected) and not step.and_more):
        return False
    return all(
        expected.fits(reply, reply.to) for expected, reply in zip(step.expected, said, strict=False)
    )
