"""Yes or no: read a person's answer to a yes/no question."""

from __future__ import annotations

import re

#: Answers that mean yes: strict, because a yes may run something.
_YES = re.compile(
    r"(y|yes|yeah|yep|yup|ok|okay|sure|confirm(ed)?)( please| do it| go ahead)?"
    r"|do it|go ahead|please do"
)

#: Beginnings of answers that mean no: generous, because a no does no harm.
_NO = re.compile(r"(n|no|nope|nah|not|dont|do not|never|stop|cancel|abort|wait)\b")

#: Maximum length of a yes or no, in characters.
MAX_LENGTH = 200


def read_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None if ``text`` is neither. Case and punctuation do not count.

    "no wait" is a no. A yes with anything else behind it is none.
    """
    words = " ".join(re.sub(r"[^\w\s]", " ", text[:MAX_LENGTH].replace("'", "")).split()).lower()
    if len(text) <= MAX_LENGTH and _YES.fullmatch(words):
        return True
    return False if _NO.match(words) else None
