"""A fake thread for searches: it runs when the test tells it to, or gets stuck."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail

from xbot.matching.regex_search import Search


class FakeThreads:
    """The functions given to threads, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Search, Callable[[Search], Search], Deferred[Search]]] = []
        self.started = 0
        self.problem: Exception | None = None

    def __call__(self, function: Callable[[Search], Search], search: Search) -> Deferred[Search]:
        if self.problem is not None:
            return fail(self.problem)
        self.started += 1
        done: Deferred[Search] = Deferred()
        self.waiting.append((search, function, done))
        return done

    def work(self) -> None:
        """The oldest one searches and comes back."""
        search, function, done = self.waiting.pop(0)
        done.callback(function(search))

    def time_out(self, place: int = 0) -> None:
        """The oldest one comes back; its pattern in this place took too long, the rest fit."""
        search, _, done = self.waiting.pop(0)
        search.found += [None if n == place else {} for n in range(len(search.patterns))]
        search.too_long.append(place)
        done.callback(search)
