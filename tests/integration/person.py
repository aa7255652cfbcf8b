"""A test client: slixmpp in a thread, with a blocking API."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from xml.etree import ElementTree

import slixmpp
from attrs import frozen
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from tests.integration.process import DEADLINE
from tests.integration.server import Server

_DELAYS = ("{urn:xmpp:delay}delay", "{jabber:x:delay}x")
_MUC_USER = "{http://jabber.org/protocol/muc#user}x"
_ROOM_CONFIG = "http://jabber.org/protocol/muc#roomconfig"


@frozen
class Heard:
    """One received message."""

    kind: str
    sender: str
    body: str
    delayed: bool


@frozen
class Seen:
    """One received presence; ``kind`` is "available" if the stanza has no type."""

    kind: str
    sender: str


class Person:
    """The client of one account. ``messages`` and ``presences`` are all received, in order.

    What ``diagnose`` gives is told with every disappointment.
    """

    def __init__(self, server: Server, name: str, diagnose: Callable[[], str] = str) -> None:
        self.jid = f"{name}@{server.domain}/test"
        self.messages: list[Heard] = []
        self.presences: list[Seen] = []
        self._diagnose = diagnose
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._client: Any = self._do(self._connect(server, server.accounts[name]))
        except BaseException:
            self._end_thread()
            raise

    def join(self, room: str, nick: str = "alice", history: int = 0) -> None:
        """Enter ``room``, asking for so many messages of history; returns once inside."""
        self._do(
            self._client.plugin["xep_0045"].join_muc_wait(
                slixmpp.JID(room), nick, maxstanzas=history, timeout=DEADLINE
            )
        )

    def create(self, room: str, nick: str = "alice", **settings: str) -> None:
        """Enter ``room`` as its first occupant and open it, with XEP-0045 10.2's settings."""
        self.join(room, nick)
        self._do(self._configure(room, settings))

    def configure(self, room: str, **settings: str) -> None:
        """Change settings of a room that this person owns."""
        self._do(self._configure(room, settings))

    def say(self, to: str, text: str, subject: str | None = None) -> None:
        """Say ``text`` in a room, with this subject beside it."""
        self._send(to, text, "groupchat", subject)

    def tell(self, to: str, text: str, kind: str = "chat") -> None:
        """Say ``text`` to one JID alone."""
        self._send(to, text, kind)

    def invite(self, room: str, jid: str) -> None:
        """Have the room invite ``jid`` in our name (XEP-0045, section 7.8.2)."""
        x = ElementTree.Element(_MUC_USER)
        invite = ElementTree.SubElement(x, f"{_MUC_USER[:-1]}invite", {"to": jid})
        ElementTree.SubElement(invite, f"{_MUC_USER[:-1]}reason").text = "come"
        self._send_element(room, x)

    def invite_directly(self, room: str, jid: str, **more: str) -> None:
        """Invite ``jid`` ourselves (XEP-0249)."""
        x = ElementTree.Element("{jabber:x:conference}x", {"jid": room, "reason": "come", **more})
        self._send_element(jid, x)

    def destroy(self, room: str) -> None:
        """Destroy a room that we own (XEP-0045, section 10.9)."""
        self._do(self._client.plugin["xep_0045"].destroy(slixmpp.JID(room), timeout=DEADLINE))

    def subscribe(self, jid: str) -> None:
        """Ask to see somebody's presence."""

        async def send() -> None:
            self._client.send_presence(pto=jid, ptype="subscribe")

        self._do(send())

    def request(self, to: str, payload: str) -> None:
        """Ask ``to`` to do what the XML of ``payload`` says; returns once it is done."""
        self._do(self._request(to, ElementTree.fromstring(payload)))

    def ask(self, to: str, payload: str) -> ElementTree.Element:
        """The result's iq that answers the XML of ``payload``, asked by an iq of type get."""
        answer: ElementTree.Element = self._do(self._ask(to, ElementTree.fromstring(payload)))
        return answer

    def prioritise(self, priority: int) -> None:
        """Give our session this priority (RFC 6121, section 4.7.2.3)."""

        async def send() -> None:
            self._client.send_presence(ppriority=priority)

        self._do(send())

    def appear(self, to: str, kind: str | None = None) -> None:
        """Send a presence to one JID: an occupant's, to be called so, or to leave."""

        async def send() -> None:
            self._client.send_presence(pto=slixmpp.JID(to), ptype=kind)

        self._do(send())

    def expect(
        self, sender: str, text: str, kind: str = "groupchat", within: float = DEADLINE
    ) -> Heard:
        """The first live message of that text and sender (a bare JID stands for any resource)."""

        def found() -> Heard | None:
            return next(
                (
                    heard
                    for heard in self.messages
                    if heard.kind == kind
                    and heard.body == text
                    and not heard.delayed
                    and sender in (heard.sender, heard.sender.partition("/")[0])
                ),
                None,
            )

        return self._await(found, f"{text!r} from {sender}", within)

    def expect_presence(self, sender: str, kind: str, within: float = DEADLINE) -> Seen:
        """The first presence of that kind from that full JID."""
        seen = Seen(kind, sender)
        return self._await(lambda: seen if seen in self.presences else None, f"{seen}", within)

    def count(self, sender: str, text: str, *, delayed: bool = False) -> int:
        """How many messages of that text came from that bare or full JID."""
        return sum(
            heard.body == text
            and heard.delayed == delayed
            and sender in (heard.sender, heard.sender.partition("/")[0])
            for heard in list(self.messages)
        )

    def leave(self) -> None:
        """Log out."""
        try:
            self._do(self._disconnect())
        finally:
            self._end_thread()

    def _await(self, found: Callable[[], Any], what: str, within: float) -> Any:
        deadline = time.monotonic() + within
        with self._changed:
            while (result := found()) is None:
                if not self._changed.wait(deadline - time.monotonic()):
                    came = "\n".join(map(str, [*self.messages[-40:], *self.presences[-20:]]))
                    raise AssertionError(
                        f"not within {within:g} s: {what}; but:\n{came}\n{self._diagnose()}"
                    )
        return result

    # In the thread of the loop.

    async def _connect(self, server: Server, password: str) -> slixmpp.ClientXMPP:
        client: Any = slixmpp.ClientXMPP(self.jid, password)
        client.loop = asyncio.get_running_loop()
        client.ca_certs = str(server.ca_file)
        client.register_plugin("xep_0045")
        client.add_event_handler("message", self._got_message)
        # Its presence events leave out what its plugins and its roster deal with.
        client.register_handler(
            Callback("every presence", StanzaPath("presence"), self._got_presence)
        )
        in_session = asyncio.Event()
        client.add_event_handler("session_start", lambda _: in_session.set())
        client.connect(server.host, server.port)
        await asyncio.wait_for(in_session.wait(), DEADLINE)
        client.send_presence()
        return client

    async def _disconnect(self) -> None:
        await asyncio.wait_for(self._client.disconnect(wait=1), DEADLINE)

    async def _configure(self, room: str, settings: Mapping[str, str]) -> None:
        fields = {"FORM_TYPE": _ROOM_CONFIG}
        fields |= {f"muc#roomconfig_{name}": value for name, value in settings.items()}
        form = ElementTree.Element("{jabber:x:data}x", {"type": "submit"})
        # XEP-0045 10.1.2: an empty form asks for an instant room.
        for name, value in fields.items() if settings else ():
            kind = {"type": "hidden"} if name == "FORM_TYPE" else {}
            field = ElementTree.SubElement(form, "{jabber:x:data}field", {"var": name, **kind})
            ElementTree.SubElement(field, "{jabber:x:data}value").text = value
        query = ElementTree.Element("{http://jabber.org/protocol/muc#owner}query")
        query.append(form)
        await self._request(room, query)

    async def _request(self, to: str, payload: ElementTree.Element) -> None:
        iq = self._client.make_iq_set(sub=payload, ito=to)
        await iq.send(timeout=DEADLINE)

    async def _ask(self, to: str, payload: ElementTree.Element) -> ElementTree.Element:
        iq = self._client.make_iq(ito=slixmpp.JID(to), itype="get")
        iq.append(payload)
        answer = await iq.send(timeout=DEADLINE)
        xml: ElementTree.Element = answer.xml
        return xml

    def _got_message(self, stanza: Any) -> None:
        heard = Heard(
            stanza["type"],
            str(stanza["from"]),
            stanza["body"],
            any(stanza.xml.find(name) is not None for name in _DELAYS),
        )
        self._note(self.messages, heard)

    def _got_presence(self, stanza: Any) -> None:
        kind = stanza.xml.get("type", "available")
        self._note(self.presences, Seen(kind, str(stanza["from"])))

    # In the thread of the test.

    def _note(self, where: list[Any], what: object) -> None:
        with self._changed:
            where.append(what)
            self._changed.notify_all()

    def _send(self, to: str, text: str, kind: str, subject: str | None = None) -> None:
        async def send() -> None:
            self._client.send_message(mto=slixmpp.JID(to), mbody=text, mtype=kind, msubject=subject)

        self._do(send())

    def _send_element(self, to: str, element: ElementTree.Element) -> None:
        async def send() -> None:
            message = self._client.make_message(mto=slixmpp.JID(to), mtype="normal")
            message.append(element)
            message.send()

        self._do(send())

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE + 5)

    def _end_thread(self) -> None:
        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
