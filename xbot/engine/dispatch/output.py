"""Output of one run: counted, cut to its limit, and split into pages; later pages are kept."""

from __future__ import annotations

from attrs import define, field

from xbot.model.markup import pages
from xbot.model.size_limit import UNBOUNDED, Measure
from xbot.runtime.answers import MAX_ANSWERS, MAX_LENGTH, TOO_MANY, cut

#: No message is longer, in characters.
PAGE = 2000

#: So many pages of its long answers a run says by itself.
MAX_PAGES = 3

#: Room for the mark that something was cut.
_MARK = 100


@define
class Output:
    """How much a run has said.

    ``limit`` is how much it may say in all, in characters. ``count`` are its
    answers, and ``kept`` the pages that it did not say. ``cut`` says what of it is not
    shown at all; empty if nothing is left out.
    """

    limit: int = MAX_LENGTH
    count: int = 0
    kept: list[str] = field(factory=list)
    cut: str = ""
    _length: int = 0
    _further: int = 0

    def answer(self, text: str, measure: Measure = UNBOUNDED) -> list[str]:
        """Add an answer; return the pages of it to send now.

        Each fits into ``measure``, as one message of the chat service.
        """
        if not text.strip() or self.count > MAX_ANSWERS:
            return []
        if self._length >= self.limit:
            return self._full()
        self.count += 1
        if self.count > MAX_ANSWERS:
            self.cut = TOO_MANY
            return [f"[cut after {MAX_ANSWERS} messages]"]
        room = max(_MARK, self.limit - self._length)
        if len(text) > room:
            self.cut = self._too_long
            text = cut(text, room)
        self._length += len(text)
        found = pages(text, PAGE, measure)
        # Nearly always it is one.
        return found if len(found) == 1 and not self.kept else self._begun(found)

    @property
    def _too_long(self) -> str:
        return f"only the first {self.limit:,} characters"

    def _full(self) -> list[str]:
        """The mark that no more is shown, unless there is one."""
        if self.cut:
            return []
        self.cut = self._too_long
        return [f"[cut at {self.limit:,} characters]"]

    def got_word(self) -> None:
        """The person answered a question: start a new page count."""
        self.count = self._further = 0

    def last(self, text: str, measure: Measure = UNBOUNDED) -> list[str]:
        """The pages of the run's last answer, whatever it said before."""
        found = pages(text, PAGE, measure)
        return found if len(found) == 1 else self._begun(found)

    def _begun(self, found: list[str]) -> list[str]:
        """The first of the pages, as many as may be sent now; the others are kept in order."""
        now = 0 if self.kept else MAX_PAGES - self._further
        said, later = found[:now], found[now:]
        self._further += max(0, len(said) - 1)
        self.kept += later
        return [page for page in said if page.strip()]
