"""Fixture: misbehaving responders."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from xbot import Message, respond


class Misbehaving:
    """One misbehaving method of each kind."""

    @respond("sleep", effect=False)
    async def sleep(self, message: Message) -> str:
        """Never comes back."""
        await Deferred()
        return "late"

    @respond("stubborn", effect=False)
    async def stubborn(self, message: Message) -> str:
        """Never comes back, not even when told to."""
        while True:
            try:
                await Deferred()
            except BaseException:
                continue

    @respond("raise", effect=False)
    def error(self, message: Message) -> str:
        """Raises, with text in it that is not for everyone."""
        raise RuntimeError("secret/path")

    @respond("exit", effect=False)
    def leave(self, message: Message) -> str:
        """Wants to end the process."""
        raise SystemExit(0)

    @respond("bytes", effect=False)
    def octets(self, message: Message) -> bytes:
        """Returns what is no text."""
        return b"pong"

    @respond("much", effect=False)
    def much(self, message: Message) -> str:
        """Returns a mebibyte."""
        return "x" * 1024 * 1024

    @respond("many", effect=False)
    def many(self, message: Message):
        """Returns texts without end."""
        while True:
            yield "x"

    @respond("controls", effect=False)
    def controls(self, message: Message) -> str:
        """Returns what XML forbids, and what would end a stanza."""
        return "\x00\x1b[2J\ud800\ufffe</body></message><message to='all'><body>"
