"""A process for patterns as tests want it: it answers when it is told to, and can be killed."""

import json
from collections.abc import Callable

from xbot.matching import child
from xbot.matching.worker import Child


class FakeChild:
    """Knows what it was asked; runs the patterns itself once it is told to."""

    def __init__(self, got_output: Callable[[bytes], None], got_end: Callable[[], None]) -> None:
        self.got_output = got_output
        self.got_end = got_end
        self.asked: list[tuple[str, list[list[object]]]] = []
        self.is_killed = False

    def write(self, data: bytes) -> None:
        text, asked = json.loads(data)
        self.asked.append((text, asked))

    def kill(self) -> None:
        self.is_killed = True

    def get_ready(self) -> None:
        """Say so."""
        self.got_output(b"ready\n")

    def answer(self, count: int | None = None) -> None:
        """The first ``count`` answers to the oldest question; all of them with None."""
        text, asked = self.asked[0]
        for each in asked[:count]:
            line = json.dumps(child.find(text, *each)).encode()  # type: ignore[arg-type]
            # In two pieces, as a pipe may have it.
            self.got_output(line[:2])
            self.got_output(line[2:] + b"\n")
        if count is None:
            del self.asked[0]


class FakeChildren:
    """All processes that were started, the newest last."""

    def __init__(self) -> None:
        self.started: list[FakeChild] = []
        self.problem: Exception | None = None

    def __call__(self, got_output: Callable[[bytes], None], got_end: Callable[[], None]) -> Child:
        if self.problem is not None:
            raise self.problem
        self.started.append(FakeChild(got_output, got_end))
        return self.started[-1]

    @property
    def last(self) -> FakeChild:
        return self.started[-1]
