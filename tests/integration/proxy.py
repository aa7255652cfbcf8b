"""Fault-injecting TCP proxy on the loopback address, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from attrs import frozen

from tests.integration.process import DEADLINE

_CHUNK = 4096

#: Seconds after which a half-closed connection is closed.
_HALF_CLOSED_FOR = 3.0

#: SO_LINGER with time-out 0: close() sends a reset.
_RESET = struct.pack("ii", 1, 0)


@frozen
class Cut:
    """When to cut a connection: after ``seconds``, and then after ``octets`` more octets.

    The octets count in both directions. With ``is_half_open`` only the client's side
    is closed; the server's side stays open, and nothing is forwarded from it. With
    ``half_closes`` that side ("client" or "server") is sent the end of the stream (FIN),
    and the other direction goes on until one of them ends it.
    """

    seconds: float = 0.0
    octets: int = 0
    is_half_open: bool = False
    half_closes: str = ""


@frozen
class Quality:
    """Quality of a line: seconds of ``delay`` for each read, and ``rate`` in octets a second."""

    delay: float = 0.0
    rate: float = float("inf")

    def seconds(self, octets: int) -> float:
        """How long so many octets are on their way."""
        return self.delay + octets / self.rate


def random_quality(chance: random.Random) -> Quality:
    """A good line, a slow one or a narrow one, by chance."""
    kind = chance.random()
    if kind < 0.5:
        return Quality()
    if kind < 0.75:
        return Quality(delay=chance.uniform(0.02, 0.3))
    return Quality(rate=chance.uniform(4_000.0, 30_000.0))


def random_cut(chance: random.Random) -> Cut:
    """A random cut: in the middle of a login, between two stanzas, or inside one."""
    is_half_open = chance.random() < 0.25
    if chance.random() < 0.2:
        # TLS, SASL and the resumption are some 6,000 octets.
        return Cut(0.0, chance.randrange(8000), is_half_open)
    octets = chance.randrange(500) if chance.random() < 0.5 else 0
    return Cut(chance.uniform(0.0, 1.0), octets, is_half_open)


class Proxy:
    """Forwards connections from ``port`` to ``target`` on the loopback address.

    ``quality`` gives each connection's. ``cuts`` counts the connections that were cut.
    Its methods may be called from any thread but its own.
    """

    def __init__(self, target: int, quality: Callable[[], Quality] = Quality) -> None:
        self.cuts = 0
        self._target = target
        self._quality = quality
        self._plan: Iterator[Cut] = iter(())
        self._refuses = False
        self._links: set[_Link] = set()
        self._half_open: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        # Whether data flows to the server, and from it.
        self._flows_up: asyncio.Event
        self._flows_down: asyncio.Event
        self._server: asyncio.Server
        self.port: int = self._do(self._listen())

    def cut(self, *, and_refuse: bool = False) -> None:
        """Reset all connections; with ``and_refuse``, new ones too until :meth:`accept`."""

        async def cut() -> None:
            self._refuses = and_refuse
            for link in list(self._links):
                link.cut()

        self._do(cut())

    def accept(self) -> None:
        """Accept connections again."""

        async def accept() -> None:
            self._refuses = False

        self._do(accept())

    def follow(self, plan: Iterator[Cut]) -> None:
        """Let the connection of now end by the first cut of ``plan``, each new one by its next."""

        async def follow() -> None:
            self._plan = plan
            for link in list(self._links):
                link.end_by(next(plan, None))

        self._do(follow())

    def hold(self, *, only_down: bool = False) -> None:
        """Hold all data back until :meth:`release`; ``only_down``: only what the server sends."""

        async def hold() -> None:
            self._flows_down.clear()
            if not only_down:
                self._flows_up.clear()

        self._do(hold())

    def release(self) -> None:
        """Forward the held data, and new data as it comes."""

        async def release() -> None:
            self._flows_up.set()
            self._flows_down.set()

        self._do(release())

    def close(self) -> None:
        """Reset everything and listen no more."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    # In the thread of the loop.

    async def _listen(self) -> int:
        self._flows_up, self._flows_down = asyncio.Event(), asyncio.Event()
        self._flows_up.set()
        self._flows_down.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_CHUNK)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _connected(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refuses:
            _reset(client)
            return
        try:
            from_server, server = await asyncio.open_connection(
                "127.0.0.1", self._target, limit=_CHUNK
            )
        except OSError:
            _reset(client)
            return
        link = _Link(client, server, self._quality(), self._got_cut)
        self._links.add(link)
        link.end_by(next(self._plan, None))
        try:
            # Whichever side ends, ends both.
            pumps = [
                asyncio.ensure_future(self._pump(reader, server, link, self._flows_up)),
                asyncio.ensure_future(self._pump(from_server, client, link, self._flows_down)),
            ]
            await asyncio.wait([*pumps, link.ended], return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._links.discard(link)
            link.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: _Link,
        flows: asyncio.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if seconds := link.quality.seconds(len(data)):
                    await asyncio.sleep(seconds)
                await flows.wait()
                passed = link.pass_on(data)
                if writer is not link.closed_half:
                    writer.write(passed)
                    await writer.drain()

    def _got_cut(self, link: _Link, cut: Cut) -> None:
        self.cuts += 1
        self._end_half_open()
        if cut.half_closes:
            return
        _reset(link.client)
        if cut.is_half_open:
            self._half_open.append(link.server)
        else:
            _reset(link.server)

    def _end_half_open(self) -> None:
        # So late: the connection that came after it had to win against it.
        for server in self._half_open:
            _reset(server)
        self._half_open.clear()

    async def _close(self) -> None:
        self._server.close()
        self._end_half_open()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)


class _Link:
    """A pair of connections: the client's, and the proxy's to the target."""

    def __init__(
        self,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
        quality: Quality,
        got_cut: Callable[[_Link, Cut], None],
    ) -> None:
        self.client = client
        self.server = server
        self.quality = quality
        #: The side that was sent the end of the stream, and is sent no more.
        self.closed_half: asyncio.StreamWriter | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._got_cut = got_cut
        self._timer: asyncio.TimerHandle | None = None
        # What may still pass before the end, once that is due.
        self._due: Cut | None = None
        self._left = 0

    def end_by(self, cut: Cut | None) -> None:
        if cut is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(cut.seconds, self._got_due, cut)

    def pass_on(self, data: bytes) -> bytes:
        """The part of ``data`` that is forwarded."""
        if self._due is None or self.ended.done():
            return b"" if self.ended.done() else data
        passed, self._left = data[: self._left], self._left - len(data)
        if self._left <= 0:
            # In the loop's next turn, after this was written.
            asyncio.get_running_loop().call_soon(self.cut, self._due)
        return passed

    def cut(self, cut: Cut | None = None) -> None:
        cut = cut or Cut()
        if self.ended.done() or (self.closed_half is not None and cut.half_closes):
            return
        if cut.half_closes:
            self._half_close(cut)
        else:
            self.ended.set_result(None)
        self._got_cut(self, cut)

    def _half_close(self, cut: Cut) -> None:
        self.closed_half = self.client if cut.half_closes == "client" else self.server
        # What may pass from now on is not bounded.
        self._due = None
        with contextlib.suppress(OSError):
            self.closed_half.write_eof()
        # A side that ignores it keeps a dead connection: not for ever.
        self._timer = asyncio.get_running_loop().call_later(_HALF_CLOSED_FOR, self.close)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.ended.done():
            # One of the two closed it: so be it, politely.
            self.ended.set_result(None)
            self.client.close()
            self.server.close()

    def _got_due(self, cut: Cut) -> None:
        self._due, self._left = cut, cut.octets
        if not cut.octets:
            self.cut(cut)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    # The socket of a transport that ended by itself is closed already.
    with contextlib.suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
