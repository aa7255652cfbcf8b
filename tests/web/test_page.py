"""Tests of :mod:`xbot.web.page`."""

from html.parser import HTMLParser

from attrs import evolve
from twisted.trial import unittest

from tests.web.scene import BAD, EVIL, GOOD, NOW, samples
from xbot.model.status import Link, Overview, Phase
from xbot.web.page import MAX_ROWS, page

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
            "3 d 7 h",
            "connection refused",
            "10 min",
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

    def test_nothing_yet(self):
        """A bot that has just begun has a page, too."""
        text = read(Overview(Phase.STARTING, Link("stopped", 0.0))).text
        for part in ("starting", "No command yet", "The ini names no room.", "no ping yet"):
            self.assertIn(part, text)

    def test_evil_is_evil(self):
        """What the tests call hostile would act where it could."""
        self.assertEqual(Reader(EVIL.encode()).elements[0][0], "script")
