"""Output limits of one run: number and length of answers, and pages to send now or keep."""

from __future__ import annotations

from attrs import define, field

from xbot.model.markup import pages
from xbot.model.size_limit import UNBOUNDED, Measure
from xbot.runtime.answers import MAX_ANSWERS, MAX_LENGTH, TOO_MANY, cut

#: Maximum length of one page, and so of one message, in characters.
PAGE = 2000

#: Maximum number of pages of a long answer that are sent at once; the others are kept for
#: ``more``.
MAX_PAGES = 3

#: Space in characters that is always left for the mark that something was cut.
_MARK = 100


@define
class Output:
    """Counts what a run has said, and splits it into pages.

    ``limit`` is the maximum total length in characters, ``count`` the number of answers,
    and ``kept`` the pages that were not sent yet. ``cut`` says, in words, what is discarded;
    it is empty if nothing is.
    """

    limit: int = MAX_LENGTH
    count: int = 0
    kept: list[str] = field(factory=list)
    cut: str = ""
    _length: int = 0
    _further: int = 0

    def answer(self, text: str, measure: Measure = UNBOUNDED) -> list[str]:
        """Add an answer; return the pages of it to send now.

        Each page fits into one message, whose size limit is ``measure``.
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
        # Fast path: nearly always it is one page.
        return found if len(found) == 1 and not self.kept else self._begun(found)

    @property
    def _too_long(self) -> str:
        return f"only the first {self.limit:,} characters"

    def _full(self) -> list[str]:
        """The mark that the rest is discarded; nothing if it was sent already."""
        if self.cut:
            return []
        self.cut = self._too_long
        return [f"[cut at {self.limit:,} characters]"]

    def got_word(self) -> None:
        """The person answered a question: start a new page count."""
        self.count = self._further = 0

    def last(self, text: str, measure: Measure = UNBOUNDED) -> list[str]:
        """The pages of the run's last answer, such as an error; not subject to the limits."""
        found = pages(text, PAGE, measure)
        return found if len(found) == 1 else self._begun(found)

    def _begun(self, found: list[str]) -> list[str]:
        """The pages to send now; keeps the others, in order."""
        now = 0 if self.kept else MAX_PAGES - self._further
        said, later = found[:now], found[now:]
        self._further += max(0, len(said) - 1)
        self.kept += later
        return [page for page in said if page.strip()]
