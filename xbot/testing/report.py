"""Report the results of played transcripts as text for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from xbot.testing.play import Difference
from xbot.testing.transcript import ANYTHING, Scene, Step
from xbot.text.durations import written
from xbot.text.terminal import indented, safe

#: Columns before a text.
_MARGIN = 12


def as_text(path: Path, difference: Difference) -> str:
    """The difference as text: file and line, what was expected, and what was said."""
    step = difference.step
    event = f"{step.person.nick}> {step.text}" if step.person else f"wait {written(step.wait)}"
    lines = [f"{path}:{step.line}: {safe(event)}"]
    has_places = any(each.to for each in step.expected)
    expected = [_placed(each.text, each.to) for each in step.expected]
    lines += _labelled("expected", [*expected, ANYTHING] if step.and_more else expected)
    said = [_placed(reply, reply.to if has_places else None) for reply in difference.said]
    lines += _labelled("got", said)
    if difference.why:
        lines += _labelled("because", difference.why)
    return "\n".join(lines)


def unfinished(path: Path, step: Step, names: Sequence[str]) -> str:
    """The note that these responders still run after ``step``, the last one of a scene."""
    verb = "still runs" if len(names) == 1 else "still run"
    return (
        f"{path}:{step.line}: note: {safe(', '.join(names))} {verb} at the end; what it says later"
        " is not compared, and it is stopped now. A line such as wait 1m lets time pass."
    )


def summary(transcripts: Collection[Sequence[Scene]], wrong: int) -> str:
    """One line with the numbers of transcripts, steps and differences."""
    steps = sum(len(scene.steps) for scenes in transcripts for scene in scenes)
    verdict = f"{wrong} wrong" if wrong else "all right"
    return f"{_count(len(transcripts), 'transcript')}, {_count(steps, 'step')}: {verdict}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _placed(text: str, to: str | None) -> str:
    return f"{text} (to {to})" if to else text


def _labelled(label: str, texts: Iterable[str]) -> list[str]:
    return [
        f"  {label + ':':10}{indented(text, _MARGIN)}" for text in (list(texts) or ["(nothing)"])
    ]
