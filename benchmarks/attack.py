"""``python -m benchmarks.attack``: for how long attacks block the reactor of the real daemon.

In its process a timer is due every two milliseconds; its delay is the time that the
reactor was blocked. A stub server attacks over TLS on the loopback address.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Iterable
from pathlib import Path

from benchmarks import bots, stanzas
from benchmarks.bots import Server
from benchmarks.stub import Client, Stub
from tests.integration.certificates import make_certificate
from xbot.chat.xmpp.wire.elements import MAX_ELEMENTS

#: Seconds between two ticks of the probe.
TICK = 0.002

#: The flood: messages a second, and its duration in seconds.
RATE, SECONDS = 1000, 10

OCCUPANTS = 10_000
CONTACTS = 50_000
BODIES = 100

#: The goal: a stanza of up to LARGEST bytes blocks the reactor for at most LONGEST seconds.
LARGEST, LONGEST = 512 * 1024, 0.050


def probe(path: str) -> None:
    """In the bot's process: measure the lag of the reactor; write it to ``path`` on SIGUSR1."""
    from twisted.internet import reactor

    when, late = array("d"), array("d")
    due = 0.0

    def tick() -> None:
        nonlocal due
        now = time.monotonic()
        when.append(now)
        late.append(now - due)
        due = now + TICK
        reactor.callLater(TICK, tick)  # type: ignore[attr-defined]

    def begin() -> None:
        nonlocal due
        due = time.monotonic()
        tick()
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(write))  # type: ignore[attr-defined]

    def write() -> None:
        part = Path(f"{path}.part")
        part.write_text(json.dumps([list(when), list(late)]))
        part.rename(path)

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]


def fill(unit: str, around: str = "<message from='a@b'>{}</message>") -> str:
    """A stanza of LARGEST bytes, filled with ``unit``."""
    return around.format(unit * ((LARGEST - len(around)) // len(unit)))


def most(unit: str, around: str) -> str:
    """A stanza with the maximum number of elements, all of them ``unit``."""
    return around.format(unit * (MAX_ELEMENTS - 10))


def roster(contacts: int) -> str:
    """A roster of ``contacts`` contacts, each with a name and a group."""
    items = (
        f"<item jid='person{number}@{stanzas.DOMAIN}' name='Person {number}' subscription='both'>"
        "<group>Friends</group></item>"
        for number in range(contacts)
    )
    return f"<query xmlns='jabber:iq:roster'>{''.join(items)}</query>"


def nasty() -> dict[str, str]:
    """Single stanzas, each the worst of its kind."""
    quotes = "'" * (LARGEST - 100)
    empty, uri = "''", "'u'"
    said = f"<message type='groupchat' from='{stanzas.room()}/alice'><body>{{}}</body></message>"
    return {
        "siblings": fill("<a/>"),
        "siblings with namespaces": fill("<a xmlns='b'/>"),
        "siblings with text": fill("<a>x</a>"),
        "siblings with attributes": fill("<a b='c' d='e'/>"),
        "levels": "<message>" + "<a>" * 74_000 + "</a>" * 74_000 + "</message>",
        "attributes": "<message " + " ".join(f"a{n}=''" for n in range(50_000)) + "/>",
        "namespaces": "<message " + " ".join(f"xmlns:a{n}='u'" for n in range(25_000)) + "/>",
        "one namespace": f"<message><x xmlns='{'u' * (LARGEST - 100)}'/></message>",
        "one attribute": f"<message a='{'x' * (LARGEST - 100)}'/>",
        "a JID": f"<message from='{'x' * (LARGEST - 100)}@b'><body>x</body></message>",
        "a body": fill("x", said),
        "a body of line feeds": fill("\n", said),
        "a body of entities": fill("&lt;", said),
        "a body of CDATA": fill("<![CDATA[]]>", said),
        "bodies": fill("<body>x</body>"),
        "delays": fill("<delay xmlns='urn:xmpp:delay'/>"),
        "items": fill("<item/>", f"<presence from='{stanzas.room()}/x'><x xmlns='"
                      f"{stanzas.MUC_USER}'>{{}}</x></presence>"),
        "a request": fill("<q xmlns='u'/>", "<iq type='get' id='1' from='a@b/c'>{}</iq>"),
        "CDATA that looks like tags": fill("<![CDATA[<a b=']]>", said),
        "references": fill("&amp;", said),
        "attributes with >": "<message " + " ".join(f"a{n}='>'" for n in range(40_000)) + "/>",
        "a value of quotes": f"<message a=\"{quotes}\"/>",
        "tags of 256 attributes": fill(f"<a {' '.join(f'a{n}={empty}' for n in range(256))}/>"),
        "tags of 256 namespaces": fill(
            f"<a {' '.join(f'xmlns:a{n}={uri}' for n in range(256))}/>"
        ),
        "names with prefixes, all different": "<message xmlns:p='u'>" + "".join(
            f"<a {' '.join(f'p:a{tag}b{n}={empty}' for n in range(256))}/>"
            for tag in range(150)
        ) + "</message>",
        # These are within the limits: delivering costs more than dropping.
        "as many bodies as may be": most("<body>x</body>", said.replace("<body>{}</body>", "{}")),
        "as many elements with text": most("<a>x</a>x", "<message>{}</message>"),
        "as many delays": most("<delay xmlns='urn:xmpp:delay'/>", "<message>{}</message>"),
        "as many corrections": most("<replace xmlns='urn:xmpp:message-correct:0' id='x'/>",
                                    said.replace("{}", "hi</body>{}<body>hi")),
        "as many items": most("<item/>", f"<presence from='{stanzas.room()}/x'><x xmlns='"
                              f"{stanzas.MUC_USER}'>{{}}</x></presence>"),
        "as many requests": most("<q xmlns='u'/>", "<iq type='get' id='1' from='a@b/c'>{}</iq>"),
        "a command": fill("x", said.replace("{}", f"{stanzas.NICK}: ping {{}}")),
    }  # fmt: skip


class Attack:
    """A bot under attack by a stub server; ``windows`` are the measured periods by name."""

    def __init__(self, folder: Path) -> None:
        certificate = make_certificate(folder, stanzas.DOMAIN)
        self._stub = Stub(certificate.chain, certificate.key)
        self._lags = folder / "lags.json"
        before = f"from benchmarks.attack import probe; probe({str(self._lags)!r}); "
        bot = bots.xbot(folder, before=before)
        server = Server(self._stub.port, certificate.authority)
        self._process = bot.start(server, 1, 0, folder / "bot.log")
        self._client: Client = self._stub.accept()
        self._client.until_joined()
        self._client.say([])
        self.windows: dict[str, tuple[float, float]] = {}

    def during(self, name: str, begun: float) -> None:
        """Record the window ``name``: from ``begun`` until the bot has answered a command."""
        self._client.say([], 120)
        self.windows[name] = (begun, time.monotonic())

    def idle(self) -> None:
        """Measure two seconds without traffic."""
        begun = time.monotonic()
        time.sleep(2)
        self.during("idle", begun)

    def flood(self, name: str, extra: Iterable[tuple[int, list[bytes]]] = ()) -> None:
        """Send RATE messages a second, a fifth of them commands; ``extra`` at given seconds."""
        begun, more = time.monotonic(), dict(extra)
        for number in range(SECONDS * 20):
            if number % 20 == 0:
                self._client.write(more.get(number // 20, []))
            chatter = list(stanzas.chatter(RATE // 20 * 4 // 5))
            commands = [stanzas.command(f"c{number}-{n}") for n in range(RATE // 20 // 5)]
            self._client.write(chatter + commands)
            self._client.flush()
            time.sleep(max(0.0, begun + (number + 1) / 20 - time.monotonic()))
        self.during(name, begun)

    def single(self, name: str, stanza: str) -> None:
        """Send one stanza."""
        begun = time.monotonic()
        self._client.write([stanza.encode()])
        self.during(name, begun)

    def log_in_again(self, name: str, roster: str) -> None:
        """Break the connection; the bot logs in again, and gets ``roster``."""
        begun = time.monotonic()
        self._client.drop()
        self._client = self._stub.accept()
        self._client.roster = roster.encode()
        self._client.until_joined()
        self.during(name, begun)

    def measured(self) -> dict[str, list[float]]:
        """The lags of the probe in each window, in seconds, sorted."""
        os.kill(self._process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 30
        while not self._lags.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        when, late = json.loads(self._lags.read_text())
        return {
            name: sorted(lag for at, lag in zip(when, late, strict=True) if begun <= at <= ended)
            for name, (begun, ended) in self.windows.items()
        }

    def stop(self) -> None:
        """Stop the bot and the stub."""
        self._process.stop()
        self._client.close()
        self._stub.close()


def main() -> None:
    """Run the attacks, and print a table."""
    attack = Attack(Path(tempfile.mkdtemp(prefix="xbot-attack-")))
    try:
        attack.idle()
        attack.flood(f"{RATE:,} messages a second")
        newlines = f"<message type='groupchat' from='{stanzas.room()}/alice'><body>"
        newlines += "\n" * 250 * 1024 + "</body></message>"
        each = BODIES // (SECONDS - 2)
        bodies = {second: [newlines.encode()] * each for second in range(1, SECONDS - 1)}
        bodies[1] += [newlines.encode()] * (BODIES - each * (SECONDS - 2))
        crowd = list(stanzas.occupants(OCCUPANTS))
        bodies[2] = bodies[2] + crowd
        attack.flood(
            f"and {OCCUPANTS:,} joins, and {BODIES} x 250 KiB of line feeds", bodies.items()
        )
        attack.log_in_again(f"a login, and a roster of {CONTACTS:,} contacts", roster(CONTACTS))
        singles = nasty()
        for name, stanza in singles.items():
            attack.single(name, stanza)
        measured = attack.measured()
    finally:
        attack.stop()
    out = sys.stdout.write
    out(f"{'reactor blocked for, in ms':60} {'p50':>6} {'p99':>6} {'max':>6}\n")
    for name, lags in measured.items():
        if name not in singles:
            p50, p99 = statistics.median(lags), lags[int(len(lags) * 0.99)]
            out(f"{name:60} {p50 * 1e3:6.1f} {p99 * 1e3:6.1f} {lags[-1] * 1e3:6.1f}\n")
    worst = 0.0
    for name in singles:
        longest = measured[name][-1]
        worst = max(worst, longest)
        size = len(singles[name].encode()) // 1024
        out(f"one stanza of {size} KiB: {name:38} {'':6} {'':6} {longest * 1e3:6.1f}\n")
    verdict = "within" if worst <= LONGEST else "beyond"
    out(
        f"no single stanza blocked it for longer than {worst * 1e3:.1f} ms:"
        f" {verdict} the goal of {LONGEST * 1e3:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
