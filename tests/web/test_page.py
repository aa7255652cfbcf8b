"""Tests of :mod:`xbot.web.page`."""

from html.parser import HTMLParser
from pathlib import Path

from attrs import evolve
from twisted.trial import unittest

from tests.web.scene import BAD, EVIL, GOOD, NOW, samples
from xbot import web
from xbot.model.status import Link, Overview, Phase
from xbot.web.page import MAX_EVENTS, MAX_ROWS, page
from xbot.web.samples import Samples

STYLE = (Path(web.__file__).parent / "style.css").read_text()

#: All elements that the page is made of: none that runs or loads anything but these.
KNOWN = frozenset(
    {"html", "head", "meta", "title", "link", "body", "header", "main", "section", "footer"}
    | {"div", "h1", "h2", "p", "span", "small", "b", "bdi", "code", "time", "a"}
    | {"dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td"}
    | {"svg", "rect", "polygon", "polyline"}
)


class Reader(HTMLParser):
    """HTML parser that collects the elements, their attributes and the text."""

    def __init__(self, body):
        super().__init__()
        self.elements = []
        self.text = ""
        self.feed(body.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def read(overview, taken=()):
    return Reader(page(overview, taken, NOW).body)


class PageTests(unittest.TestCase):
    def test_what_it_tells(self):
        """Rooms, commands, responders and the connection are all there, in words."""
        text = read(GOOD, samples()).text
        for part in (
            "in 6 of 8 rooms, refused by board@conference.example.org",
            "no answer within 30 s, next try in 42 s",
            "party@conference.example.org invited",
            "alice in deploys@conference.example.org",
            "deploy APP [to ENV]",
            "13 ms",
            "3d7h",
            "3 resumed, 2 failed tries",
            "since 2026-02-28 19:36:27 UTC",
            "connection refused",
            "10m",
        ):
            self.assertIn(part, text)

    def test_hostile(self):
        """Whatever anybody is called, it is text: nothing runs, loads or turns around."""
        for overview in (GOOD, BAD):
            seen = read(overview, samples())
            self.assertEqual({tag for tag, _ in seen.elements} - KNOWN, set())
            names = {name for _, attributes in seen.elements for name in attributes}
            self.assertEqual([name for name in names if name.startswith("on")], [])
            self.assertNotIn("style", names)
            links = {(tag, attributes["href"]) for tag, attributes in seen.elements
                     if "href" in attributes}  # fmt: skip
            self.assertEqual(
                links,
                {("link", "style.css"), ("link", "icon.svg"), ("a", "status.json"),
                 ("a", "metrics")},
            )  # fmt: skip
        self.assertIn("<script>alert(1)</script>", seen.text)
        for character in "\u202e\x1b\x00":
            self.assertNotIn(character, seen.text)

    def test_bounded(self):
        """Of a thousand rooms some are shown and the others counted; no text is long."""
        rooms = GOOD.rooms[:1] * 1000
        seen = read(evolve(GOOD, rooms=rooms))
        self.assertEqual(seen.text.count("ops@conference.example.org"), MAX_ROWS + 1)
        self.assertIn("and 800 more", seen.text)
        self.assertLess(len(read(evolve(GOOD, name="x" * 10**6)).text), 10_000)

    def test_exact_times(self):
        """Each event has its exact time, with the date if that is not today's."""
        seen = read(GOOD)
        self.assertIn("08:11:00 49m ago", seen.text.replace("\n", ""))
        times = [attrs["datetime"] for name, attrs in seen.elements if name == "time"]
        self.assertIn("2026-03-01T08:11:00+00:00", times)
        self.assertIn("2026-02-28 19:33:20", seen.text)

    def test_whole_rows(self):
        """No box scrolls, so no row is cut: of many commands the newest are shown."""
        self.assertNotIn("overflow: auto", STYLE)
        seen = read(evolve(GOOD, commands=GOOD.commands[:1] * 50))
        self.assertEqual(seen.text.count("bob in lounge@"), MAX_EVENTS)
        self.assertIn("and 30 more", seen.text)

    def test_on_a_phone(self):
        """On a narrow screen all charts stand behind the tables."""
        narrow = STYLE.partition("max-width: 40rem")[2]
        self.assertIn(".graph { order: 1; }", narrow)
        sections = [attrs for name, attrs in read(GOOD, samples()).elements if name == "section"]
        self.assertEqual(sum("graph" in attrs.get("class", "") for attrs in sections), 5)

    def test_a_start_is_no_outage(self):
        """Until the first connection, or the first problem, the page is not red; then it is."""
        for link, look in (
            (Link("connecting", 1.0), "state part"),
            (Link("negotiating", 1.0), "state part"),
            (Link("waiting", 1.0, "connection refused", 1.0), "state bad"),
            (Link("failed", 1.0), "state bad"),
        ):
            overview = evolve(GOOD, link=link)
            samples = Samples()
            samples.take(overview)
            seen = read(overview, tuple(samples.taken))
            looks = [attrs.get("class") for _, attrs in seen.elements]
            self.assertIn(look, looks)
            strip = {attrs["class"] for name, attrs in seen.elements if name == "rect"}
            self.assertIn(look.partition(" ")[2], strip)

    def test_nothing_yet(self):
        """A bot that has just begun has a page, too."""
        text = read(Overview(Phase.STARTING, Link("stopped", 0.0))).text
        for part in ("starting", "No command yet", "The ini names no room.", "no ping yet"):
            self.assertIn(part, text)

    def test_evil_is_evil(self):
        """What the tests call hostile would act where it could."""
        self.assertEqual(Reader(EVIL.encode()).elements[0][0], "script")
