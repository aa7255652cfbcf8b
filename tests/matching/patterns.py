"""Hypothesis strategies for patterns and texts: all of re's syntax, and where regex differs."""

import re

from hypothesis import strategies as st

LETTERS = "abikstİıKſßẞéÉдσςµ0٣_ -\n\t\u2003\x00\ud800\U0001f600"

_SETS = [
    *(r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", ".", "[a-c]", "[^a-k]", r"[^\n]", r"[\w-]"),
    *(r"[^\W\d]", "[i-t]", "[é-ф]", "[^ſ]"),
    *(re.escape(letter) for letter in LETTERS),
]
_PLACES = [r"\b", r"\b", r"\B", "^", "$", "$", r"\A", r"\Z", "(?m:^)", "(?m:$)", r"(?a:\b)"]
_TIMES = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}", "{0}", "*+", "++"]
_FLAGS = ["?:", "?:", "", "?-i:", "?s:", "?a:", "?m:", "?i:", "?>", "?=", "?!", "?<=", "?<!"]

_leaves = st.sampled_from(_SETS) | st.sampled_from(_SETS) | st.sampled_from(_PLACES)


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=0, max_size=4).map("".join),
        st.lists(inner | st.just(""), min_size=2, max_size=3).map(
            lambda branches: f"(?:{'|'.join(branches)})"
        ),
        st.builds(lambda item, times: f"(?:{item}){times}", inner, st.sampled_from(_TIMES)),
        st.builds(lambda item, flags: f"({flags}{item})", inner, st.sampled_from(_FLAGS)),
        # Each is given its own name below.
        inner.map(lambda item: f"(?P<NAME>{item})"),
        inner.map(lambda item: f"(?P<NAME>{item})?"),
    )


def _named(pattern: str) -> str:
    numbers = iter(range(pattern.count("NAME")))
    return re.sub("NAME", lambda _: f"g{next(numbers)}", pattern)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern, re.IGNORECASE)
    except (re.error, RecursionError):
        return False
    return True


patterns = (
    st.builds(
        lambda flags, pattern: flags + _named(pattern),
        st.sampled_from(["", "", "", "(?a)", "(?s)", "(?m)"]),
        st.recursive(_leaves, _more, max_leaves=12),
    )
).filter(_compiles)

#: Short, so that no pattern takes long with re itself.
texts = st.text(LETTERS, max_size=9) | st.text(max_size=9)
