"""``python -m tests.hostile.fuzz N SEED``: mutation fuzzer for streams of real servers.

Each input is an element of a recorded stream with one or a few changes: to its
tree, which leaves it well-formed, or to its bytes, which seldom does. A failure
tells seed and number; the same two bring it about again.
"""

from __future__ import annotations

import random
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.words.xish import domish

from tests.chat.xmpp.harness import (
    BIND,
    HEADER,
    JID,
    STARTTLS,
    Peer,
    features,
    mechanisms,
    parse_all,
    sasl,
)
from tests.hostile.bot import Bot
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import Unserializable, serialize
from xbot.config.settings import XmppSettings
from xbot.model.people import People

STREAMS = Path(__file__).parent / "streams"

#: Maximum number of inputs to one bot.
LIFE = 150

SETTINGS = XmppSettings(JID, accept_invites=People.parse(["@example.org"]), subscriptions="accept")

#: Replacements for texts, attributes and bytes.
NASTY = (
    "",
    " ",
    "x" * 5000,
    "\u202e\u0000\ufffe\ud800",
    "{0.__class__}%s%(x)n",
    "'/><message to='all@example.org'/>",
    "<![CDATA[",
    "-1",
    "99999999999999999999",
    "4294967296",
    "\u0661",
    "a@b/c",
    "@",
    "/",
    "example.org",
    "xbot@example.org",
    "xbot@example.org/bot",
    "room@muc.example.org",
    "room@muc.example.org/bot",
    "room@muc.example.org/alice",
    "alice@example.org/x",
    "e\u0301\U0001f600",
    "110",
    "303",
    "307",
    "unavailable",
    "error",
    "result",
    "get",
    "set",
    "groupchat",
    "none",
    "bot: ping",
    "bot: deploy",
)
URIS = (
    ns.CLIENT, ns.STREAMS, ns.SASL, ns.TLS, ns.BIND, ns.SM, ns.MUC_USER, ns.DELAY, ns.ROSTER,
    ns.STANZA_ERRORS, ns.STREAM_ERRORS, ns.PING, ns.CONFERENCE, "", "a b", "urn:x",
)  # fmt: skip
NAMES = (
    "message", "presence", "iq", "x", "item", "status", "body", "subject", "error", "delay", "a",
    "r", "query", "destroy", "invite", "features", "stream", "failed", "enabled", "resumed",
)  # fmt: skip
TOKENS = (
    b"<", b">", b"&", b"'", b"\0", b"\xff", b"&#0;", b"&lol;", b"]]>", b"<!DOCTYPE x>", b"<!-- -->",
    b"<?x?>", b"<![CDATA[x]]>", b"</stream:stream>", b"<stream:stream>", b" xmlns='a b'",
    b"<a>" * 80,
    b"</message>", b"<message>", HEADER.encode(), b"\n" * 1000, b"xmlns:p='u' p:",
)  # fmt: skip


class Failed(Exception):
    """The bot violated an invariant."""


def recorded() -> list[list[domish.Element]]:
    """The elements of each recorded stream, from the end of the login on."""
    return [
        [e for e in parse_all(path.read_text()) if e.name not in ("features", "enabled")][1:]
        for path in sorted(STREAMS.glob("*.xml"))
    ]


class Fuzzer:
    """Feeds mutated inputs to one bot after the other, and checks the invariants after each."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.streams = recorded()
        self.corpus = [element for stream in self.streams for element in stream]
        self.number = 0
        self.closed = self.lives = 0
        self._failures: list[Any] = []

    def run(self, count: int, deadline: float | None = None) -> None:
        """Try a number of inputs.

        :raises Failed: with what the bot did, and what made it.
        """
        globalLogPublisher.addObserver(self._got_event)
        try:
            last = self.number + count
            while self.number < last and (deadline is None or time.monotonic() < deadline):
                self._live(last)
        finally:
            globalLogPublisher.removeObserver(self._got_event)

    def _got_event(self, event: dict[str, Any]) -> None:
        # Twisted Words logs what an observer raises in the old way.
        failure = event.get("log_failure") or event.get("failure")
        if failure is not None:
            self._failures.append(failure)

    def _live(self, last: int) -> None:
        """Feed one bot until its stream ends."""
        self.lives += 1
        bot = Bot(settings=SETTINGS)
        peer = bot.accept()
        data = b""
        try:
            if self.random.random() < 0.1:
                data = self._login(bot, peer)
                self.number += 1
            else:
                is_managed = self.random.random() < 0.5
                bot.log_in(peer, managed=is_managed)
                for element in self._life(last):
                    self.number += 1
                    data = self._input(element, bot)
                    self._feed(peer, data)
                    if self.random.random() < 0.02:
                        bot.clock.advance(self.random.choice((0.1, 1, 6, 31)))
                    if peer.stream.problem is not None:
                        break
                self._look_at(bot)
            self.closed += peer.stream.problem is not None
            self._end(bot, peer)
        except Failed as failed:
            raise Failed(self._tell(str(failed), data)) from None
        except Exception:
            raise Failed(self._tell(traceback.format_exc(), data)) from None
        if self._failures:
            failures, self._failures = self._failures, []
            raise Failed(self._tell(f"it logged a failure: {failures[0].getTraceback()}", data))

    def _life(self, last: int) -> list[domish.Element]:
        stream = self.random.choice(self.streams)
        start = self.random.choice((0, 0, self.random.randrange(len(stream))))
        elements = stream[start:] + [self.random.choice(self.corpus) for _ in range(LIFE)]
        return elements[: min(LIFE, last - self.number)]

    def _feed(self, peer: Peer, data: bytes) -> None:
        if self.random.random() < 0.2:
            cut = self.random.randrange(len(data) + 1)
            peer.feed(data[:cut])
            data = data[cut:]
        peer.feed(data)

    def _look_at(self, bot: Bot) -> None:
        problems = bot.wire_problems()
        if problems:
            raise Failed(f"on the wire: {problems[0]}")
        if len(bot.clock.getDelayedCalls()) > 60:
            raise Failed(f"{len(bot.clock.getDelayedCalls())} delayed calls")

    def _end(self, bot: Bot, peer: Peer) -> None:
        """Stop the bot, and check that it leaves nothing behind."""
        if peer.stream.problem is not None and not peer.transport.disconnecting:
            raise Failed("a problem, and the connection is open")
        peer.lose()
        bot.adapter.stop()
        bot.dispatcher.stop()
        left = bot.clock.getDelayedCalls()
        if left:
            raise Failed(f"left behind: {left}")

    def _tell(self, what: str, data: bytes) -> str:
        return f"seed {self.seed}, input {self.number}: {what}\nafter: {data[:2000]!r}"

    # Inputs.

    def _login(self, bot: Bot, peer: Peer) -> bytes:
        """A login with one mutated element of the server."""
        parts = [features(STARTTLS), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"]
        parts += [
            features(mechanisms("SCRAM-SHA-1", "PLAIN")),
            sasl("challenge", "cj14LHM9eSxpPTQwOTY="),
        ]
        parts += [sasl("success"), features(BIND), "<iq type='result' id='1'/>"]
        changed = self.random.randrange(len(parts))
        data = b""
        for number, part in enumerate(parts):
            data = part.encode()
            if number == changed:
                data = self._bytes(data)
            self._feed(peer, data)
            if peer.stream.problem is not None:
                break
        bot.clock.advance(31)
        if peer.stream.problem is None:
            raise Failed("a login without an end")
        return data

    def _input(self, element: domish.Element, bot: Bot) -> bytes:
        roll = self.random.random()
        if roll < 0.05:
            return self._bytes(self._text(element, bot))
        if roll < 0.9:
            element = _copy(element)
            for _ in range(self.random.choice((1, 1, 2, 4))):
                self._change(element)
        return self._text(element, bot)

    def _text(self, element: domish.Element, bot: Bot) -> bytes:
        try:
            data = serialize(element, ns.CLIENT)
        except Unserializable:
            return b"<message/>"
        # The bot's requests have unguessable ids; a server knows them.
        if b"asked-" in data:
            pending = list(bot.adapter.iq._pending) or ["none"]
            data = re.sub(b"asked-[0-9]+", self.random.choice(pending).encode(), data)
        if element.uri == ns.SM and element.name == "a" and self.random.random() < 0.9:
            managed = bot.adapter.managed
            if managed._session is not None:
                h = managed._session.outbound._acknowledged + managed.unacknowledged
                data = f"<a xmlns='{ns.SM}' h='{h}'/>".encode()
        return data

    def _bytes(self, data: bytes) -> bytes:
        """Mutate the bytes, regardless of XML."""
        at = self.random.randrange(len(data) + 1)
        to = min(len(data), at + self.random.choice((1, 2, 8, 64)))
        kind = self.random.randrange(6)
        if kind == 0:
            return data[:at] + data[to:]
        if kind == 1:
            return data[:at] + self.random.choice(TOKENS) + data[at:]
        if kind == 2:
            return data[:at] + self.random.choice(TOKENS) + data[to:]
        if kind == 3:
            return data[:to] + data[at:]
        if kind == 4:
            return data[:at] + self.random.randbytes(to - at) + data[to:]
        other = serialize(self.random.choice(self.corpus), ns.CLIENT)
        return data[:at] + other[self.random.randrange(len(other)) :]

    def _change(self, root: domish.Element) -> None:
        """Mutate one place of the tree."""
        chance = self.random
        nodes = [root]
        for node in nodes:
            nodes += node.elements()
        element = chance.choice(nodes if chance.random() < 0.7 else nodes[:1])
        kind = chance.randrange(9)
        if kind == 0 and element.attributes:
            element.attributes[chance.choice(list(element.attributes))] = self._value()
        elif kind == 1 and element.attributes:
            del element.attributes[chance.choice(list(element.attributes))]
        elif kind == 2:
            element.attributes[chance.choice(("from", "to", "type", "id", "jid", "h", "code"))] = (
                self._value()
            )
        elif kind == 3:
            element.name = chance.choice(NAMES)
        elif kind == 4:
            element.uri = chance.choice(URIS)
        elif kind == 5 and element.children:
            element.children.pop(chance.randrange(len(element.children)))
        elif kind == 6:
            # Depth grows by what is put in, and so has an end.
            other = _copy(chance.choice(self.corpus))
            element.children.insert(chance.randrange(len(element.children) + 1), other)
        elif kind == 7 and element.children:
            element.children.append(_copy(chance.choice(element.children)))
        else:
            element.children.insert(0, chance.choice(NASTY))

    def _value(self) -> str:
        if self.random.random() < 0.7:
            return self.random.choice(NASTY)
        values = list(self.random.choice(self.corpus).attributes.values())
        return self.random.choice(values or [""])


def _copy(element: Any) -> Any:
    if not isinstance(element, domish.Element):
        return element
    copy = domish.Element((element.uri, element.name))
    copy.attributes.update(element.attributes)
    copy.children.extend(_copy(child) for child in element.children)
    return copy


def main() -> None:
    """Try N inputs; without SEED a random seed is chosen and printed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    sys.stdout.write(f"{count:,} inputs, seed {seed}\n")
    sys.stdout.flush()
    fuzzer, began = Fuzzer(seed), time.monotonic()
    try:
        fuzzer.run(count)
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
    sys.stdout.write(
        f"{fuzzer.number:,} inputs in {time.monotonic() - began:.0f} s: {fuzzer.lives:,} sessions,"
        f" of which {fuzzer.closed:,} were closed by the bot; nothing escaped\n"
    )


if __name__ == "__main__":
    main()
