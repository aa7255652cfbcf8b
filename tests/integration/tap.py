"""Recording TLS proxy: terminates TLS on both sides, and records the XMPP traffic."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Coroutine
from pyexpat import ErrorString, ExpatError, ParserCreate
from typing import Any

from attrs import field, frozen

from tests.integration.process import DEADLINE
from tests.integration.server import Server

_CHUNK = 65_536


@frozen
class Stanza:
    """One child of a stream's root: name, attributes, and its raw text."""

    name: str
    attributes: dict[str, str]
    raw: bytes = field(repr=lambda raw: repr(raw[:500]))


class Tap:
    """A proxy between a bot that connects to ``port`` by direct TLS and ``server``.

    The bot has to be content with the server's certificate on its own: no channel
    binding. Each connection's bytes are kept in both directions, in order.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sent: list[bytearray] = []
        self._came: list[bytearray] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener: asyncio.Server = self._do(self._listen())
        self.port: int = self._listener.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._sent)

    def sent(self) -> list[Stanza]:
        """What the bot sent, on all its connections, logins and all.

        :raises AssertionError: when it is no well-formed stream.
        """
        return [stanza for data in self._sent for stanza in parse(bytes(data))]

    def came(self) -> list[Stanza]:
        """What the server sent to the bot, and of what a cut left unfinished as much as came."""
        return [stanza for data in self._came for stanza in parse(bytes(data), cut=True)]

    def close(self) -> None:
        """Listen no more, and end what there is."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    # In the thread of the loop.

    async def _listen(self) -> asyncio.Server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._server.certificate.chain, self._server.certificate.key)
        context.set_alpn_protocols(["xmpp-client"])
        return await asyncio.start_server(self._got_connection, "127.0.0.1", 0, ssl=context)

    async def _close(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _got_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        context = ssl.create_default_context(cafile=str(self._server.ca_file))
        context.set_alpn_protocols(["xmpp-client"])
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(
                self._server.host,
                self._server.direct_port,
                ssl=context,
                server_hostname=self._server.domain,
            )
            sent, came = bytearray(), bytearray()
            self._sent.append(sent)
            self._came.append(came)
            await asyncio.gather(self._pass(reader, back, sent), self._pass(there, writer, came))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                kept += data
                writer.write(data)
                await writer.drain()
        writer.close()


def parse(data: bytes, *, cut: bool = False) -> list[Stanza]:
    """The stanzas of one connection, which may have several streams in turn.

    What is unfinished at the end counts where they may be ``cut``.

    :raises AssertionError: when it is not well-formed.
    """
    begin = b"<?xml"
    return [
        stanza
        for stream in data.split(begin)
        if stream.strip()
        for stanza in _parse_stream(begin + stream, cut)
    ]


def _parse_stream(data: bytes, cut: bool) -> list[Stanza]:
    stanzas: list[Stanza] = []
    open_tags: list[int] = []
    top: list[tuple[str, dict[str, str]]] = []
    parser = ParserCreate(namespace_separator="}")

    def started(name: str, attributes: dict[str, str]) -> None:
        if len(open_tags) == 1:
            top.append((name.rpartition("}")[2], attributes))
        open_tags.append(parser.CurrentByteIndex)

    def ended(name: str) -> None:
        begin = open_tags.pop()
        if len(open_tags) == 1:
            end = parser.CurrentByteIndex
            if data.startswith(b"</", end):
                end = data.index(b">", end) + 1
            stanzas.append(Stanza(*top.pop(), data[begin:end]))

    parser.StartElementHandler = started
    parser.EndElementHandler = ended
    try:
        parser.Parse(data, False)
    except ExpatError as error:
        around = data[max(0, error.offset - 200) : error.offset + 200]
        raise AssertionError(f"{ErrorString(error.code)}: {around!r}") from error
    if cut and top:
        stanzas.append(Stanza(*top.pop(), data[open_tags[1] :]))
    return stanzas
