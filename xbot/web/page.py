"""The HTML status page, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from twisted.web.template import Tag, flattenString

from xbot.logs.text import escape
from xbot.model.status import Link, Overview, Phase, Place
from xbot.text.durations import shown
from xbot.web.answer import HTML, Answer
from xbot.web.charts import bars, line, strip, tag
from xbot.web.samples import COUNT, PERIOD, Sample

#: Seconds after which a browser reloads the page.
REFRESH = 15

#: Maximum length of a text, in characters, and of a table, in rows; of one of events.
MAX_TEXT, MAX_ROWS, MAX_EVENTS = 300, 200, 20

#: CSS class of an outcome or state.
_LOOKS = {"answered": "good", "silent": "good", "failed": "bad", "timed-out": "bad",
          "refused": "bad", "joined": "good", "online": "good", "banned": "bad"}  # fmt: skip


def page(overview: Overview, samples: Sequence[Sample], now: float) -> Answer:
    """Render the page; ``now`` is in seconds since 1970."""
    root = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", http_equiv="refresh", content=REFRESH),
            tag("title", _text(f"{overview.name}: {overview.in_words()}")),
            tag("link", rel="stylesheet", href="style.css"),
            tag("link", rel="icon", href="icon.svg", type="image/svg+xml"),
        ),
        tag(
            "body",
            _header(overview),
            tag("main", *_cards(overview, samples, now)),
            _footer(now),
        ),
        lang="en",
    )
    written: list[bytes] = []
    flattenString(None, root).addCallback(written.append)
    return Answer(b"<!DOCTYPE html>\n" + written[0], HTML)


def _header(overview: Overview) -> Tag:
    return tag(
        "header",
        tag("div", tag("h1", _text(overview.name)), tag("p", _text(overview.jid), class_="jid")),
        tag(
            "p",
            tag("span", class_="dot"),
            _text(overview.in_words()),
            class_=f"state {_health(overview)}",
        ),
    )


def _health(overview: Overview) -> str:
    if overview.phase is not Phase.RUNNING or overview.is_starting:
        return "part"
    if overview.is_ready:
        return "good"
    return "part" if overview.link.is_online else "bad"


def _cards(overview: Overview, samples: Sequence[Sample], now: float) -> Iterator[Tag]:
    yield tag("section", tag("h2", "Now"), _facts(overview, now), class_="wide")
    yield from _charts(samples)
    yield _card(
        f"Rooms ({overview.joined} of {len(overview.rooms)})",
        ("room", "as", "state", "since, UTC"),
        [_room(room, now) for room in overview.rooms],
        "The ini names no room.",
        class_="wide",
    )
    yield _card(
        "Last commands",
        ("when, UTC", "responder", "for", "outcome", "took"),
        [
            (
                _when(each.when, now),
                tag("b", _text(each.responder)),
                _person(each.who, each.where),
                _pill(each.outcome),
                "" if each.seconds is None else _number(_seconds(each.seconds)),
            )
            for each in reversed(overview.commands)
        ],
        "No command yet.",
        class_="wide",
        most=MAX_EVENTS,
    )
    yield _card(
        "Responders",
        ("responder", "what it does"),
        [
            (
                [
                    tag("b", _text(each.name)),
                    tag("small", " has effects") if each.has_effects else "",
                ],
                [
                    tag("code", _text(each.usage)) if each.usage else "",
                    " " if each.usage and each.help else "",
                    _text(each.help),
                ],
            )
            for each in overview.skills
        ],
        "There are none.",
    )
    yield _card(
        "Connection",
        ("when, UTC", "state", "why"),
        [
            (_when(each.when, now), _pill(each.state), _text(each.problem or ""))
            for each in reversed(overview.changes)
        ],
        "Not connected yet.",
        most=MAX_EVENTS,
    )


def _reload_facts(overview: Overview) -> list[tuple[str, str, str]]:
    """The last reload, if it was refused: the ini that is in force is an older one."""
    if overview.reload is None or overview.reload.problem is None:
        return []
    return [("last reload", "refused", overview.reload.problem)]


def _facts(overview: Overview, now: float) -> Tag:
    link = overview.link
    facts = [
        ("connection", link.state, _since(link.seconds, now)),
        ("rooms", f"{overview.joined} of {len(overview.rooms)}", "joined"),
        ("ping", "-" if link.round_trip is None else _seconds(link.round_trip), "round trip"),
        ("outbox", str(overview.waiting), f"{link.unacknowledged} not acknowledged"),
        ("connections lost", str(link.lost), _ends(link)),
        ("journal", overview.journal or "none", "of commands with effects"),
        ("running for", _span(overview.uptime), _since(overview.uptime, now)),
        *_reload_facts(overview),
    ]
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", _text(value), tag("small", _text(more))))
            for name, value, more in facts
        ),
    )


def _ends(link: Link) -> str:
    failed = sum(link.ends.values()) - link.lost
    tries = f", {failed} failed {'try' if failed == 1 else 'tries'}" if failed > 0 else ""
    return f"{link.resumptions} resumed{tries}"


def _charts(samples: Sequence[Sample]) -> Iterator[Tag]:
    hour = "the last hour"
    trips = [each.round_trip for each in samples]
    lags = [each.lag for each in samples]
    known = [trip for trip in trips if trip is not None]
    most = max((each.messages for each in samples), default=0)
    yield tag(
        "section",
        tag("h2", "Connected"),
        strip([_wellness(each) for each in samples], COUNT, f"connected, {hour}"),
        tag("p", "an hour ago", tag("span", "now"), class_="axis"),
        class_="wide graph",
    )
    for title, chart, told in (
        ("Messages", bars([each.messages for each in samples], COUNT, f"messages, {hour}"),
         f"{sum(each.messages for each in samples)} in {hour}, at most {most} in {PERIOD:g} s"),
        ("Commands", bars([each.commands for each in samples], COUNT, f"commands, {hour}"),
         f"{sum(each.commands for each in samples)} in {hour}"),
        ("Ping", line(trips, COUNT, f"the ping's round trip, {hour}"),
         f"at most {_seconds(max(known))}" if known else "no ping yet"),
        ("Reactor", line(lags, COUNT, f"how late the reactor was, {hour}"),
         f"late by {_seconds(max(lags))} at most" if lags else "not measured yet"),
    ):  # fmt: skip
        yield tag("section", tag("h2", title), chart, tag("p", told, class_="axis"), class_="graph")


def _wellness(sample: Sample) -> tuple[bool, float]:
    """Whether it was well, and which part of it; a start is no outage."""
    return sample.is_online or sample.is_starting, sample.rooms if sample.is_online else 0.0


def _room(room: Place, now: float) -> tuple[object, ...]:
    more = [tag("small", " ", _text(room.problem))] if room.problem else []
    if room.next_try is not None:
        more.append(tag("small", f", next try in {_span(room.next_try)}"))
    invited = [] if room.is_named else [tag("small", " invited")]
    return (
        [tag("bdi", _text(room.jid)), *invited],
        tag("bdi", _text(room.nick)),
        [_pill(room.state), *more],
        _when(now - room.seconds, now),
    )


def _card(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    empty: str,
    class_: str = "",
    most: int = MAX_ROWS,
) -> Tag:
    if not rows:
        return tag("section", tag("h2", title), tag("p", empty, class_="empty"))
    more = len(rows) - most
    return tag(
        "section",
        tag("h2", title),
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))),
            tag("tbody", *(_row(head, row) for row in rows[:most])),
        ),
        tag("p", f"and {more} more", class_="empty") if more > 0 else "",
        class_=class_ or None,
    )


def _row(head: Sequence[str], row: Iterable[object]) -> Tag:
    cells = zip(head, row, strict=True)
    return tag(
        "tr",
        *(
            tag("td", tag("div", cell), data_label=name, class_=None if cell else "none")
            for name, cell in cells
        ),
    )


def _person(who: str, where: str) -> list[object]:
    said = [tag("bdi", _text(who))]
    return [*said, tag("small", " in ", tag("bdi", _text(where)))] if where else [*said]


def _pill(word: str) -> Tag:
    return tag("span", _text(word), class_=f"pill {_LOOKS.get(word, 'part')}")


def _footer(now: float) -> Tag:
    when = datetime.fromtimestamp(now, UTC)
    return tag(
        "footer",
        tag("time", f"{when:%Y-%m-%d %H:%M:%S} UTC", datetime=when.isoformat(timespec="seconds")),
        f", again every {REFRESH} s. For machines: ",
        tag("a", "status.json", href="status.json"),
        ", ",
        tag("a", "metrics", href="metrics"),
    )


def _text(text: str) -> str:
    """Text from strangers, shortened and escaped."""
    return escape(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}...")


def _seconds(seconds: float) -> str:
    """Format a duration in milliseconds or seconds."""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return shown(seconds)


def _span(seconds: float) -> str:
    """Format a duration in whole seconds, or in larger units."""
    return shown(max(0, int(seconds)))


def _exact(when: float, now: float) -> str:
    """A time in UTC, with its date unless that is today's."""
    then, today = datetime.fromtimestamp(when, UTC), datetime.fromtimestamp(now, UTC).date()
    return f"{then:%H:%M:%S}" if then.date() == today else f"{then:%Y-%m-%d %H:%M:%S}"


def _since(seconds: float, now: float) -> str:
    return f"since {_exact(now - seconds, now)} UTC"


def _when(when: float, now: float) -> list[object]:
    """The exact time, with its date unless that is today's, and how long ago it was."""
    then = datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    exact = tag("time", _exact(when, now), datetime=then, class_="n")
    return [exact, tag("small", f" {_span(now - when)} ago", class_="n")]


def _number(text: str) -> Tag:
    """Text without line breaks."""
    return tag("span", text, class_="n")
