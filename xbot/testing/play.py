"""Play transcripts to a bot, and compare what it says with what is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from xbot.testing.bot import Bot, Reply
from xbot.testing.transcript import Person, Scene, Step


@frozen
class Difference:
    """A step at which the bot did not say what is expected.

    ``why`` are the log lines of the step, or the explanation of the routing.
    """

    step: Step
    said: tuple[Reply, ...]
    why: tuple[str, ...]


def play(
    scenes: Iterable[Scene],
    new_bot: Callable[[bool], Bot],
    got_unfinished: Callable[[Step, list[str]], object] = lambda step, names: None,
) -> Iterator[Difference]:
    """Play each scene to a new bot, made by ``new_bot(limits)``; yields the differences.

    If responders still run at the end of a scene, ``got_unfinished`` is called with the
    scene's last step and their names.
    """
    for scene in scenes:
        bot = new_bot(scene.limits)
        try:
            for step in scene.steps:
                if (difference := _play(step, bot)) is not None:
                    yield difference
            if names := bot.running:
                got_unfinished(scene.steps[-1], names)
        finally:
            bot.close()


def _play(step: Step, bot: Bot) -> Difference | None:
    logged = len(bot.log)
    why: list[str] = []
    if step.person is None:
        bot.clock.advance(step.wait)
    else:
        how = _how(step, step.person)
        # Before it is said: saying it can change the state that the explanation is about.
        why = bot.explain(step.text, **how).verdict()
        bot.say(step.text, **how)
    said = bot.replies
    if _is_right(step, said):
        return None
    return Difference(step, tuple(said), tuple(bot.log[logged:] or why))


def _how(step: Step, person: Person) -> dict[str, Any]:
    """The step's sender and place as keyword arguments of :meth:`Bot.say`."""
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
