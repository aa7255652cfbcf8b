"""Test harness: a bot with the bundled responders; only the chat adapter is fake."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from xbot.config.options import BUNDLED
from xbot.config.settings import ResponderSettings, RoomSettings
from xbot.engine.bot import EngineBot
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.loading.lifecycle import Lifecycle
from xbot.engine.loading.loader import load_responders
from xbot.model.access import Access, AccessList
from xbot.model.errors import TooManyRooms
from xbot.model.message import Message
from xbot.model.people import People
from xbot.model.status import Link, Overview, Phase, Place
from xbot.runtime.environment import Environment
from xbot.testing.brain import MemoryBrain
from xbot.testing.clock import TestClock
from xbot.testing.journal import MemoryJournal
from xbot.testing.threads import in_this_thread

ROOM = "ops@rooms.example.org"
BOT = "xbot@example.org/bot"
ALICE, BOB = "alice@example.org", "bob@example.org"

#: Saturday.
NOW = 1795251600.0  # 2026-11-21T09:00:00Z


def only(*people: str) -> Access:
    """For these alone."""
    return Access(allow=AccessList(People.parse(people)))


ONLY_ALICE = only(ALICE)


def bundled(name: str, access: Access = ONLY_ALICE, **own: str) -> ResponderSettings:
    """What a section with the bundled one's name comes to."""
    return ResponderSettings(name, use=BUNDLED[name], access=access, settings=own)


class FakeAdapter:
    """Fake adapter that joins rooms at once. ``people`` are nick and affiliation, by address."""

    def __init__(self) -> None:
        self.rooms = {ROOM: "xbot"}
        self.ordered: dict[str, str] = {}
        self.people: dict[tuple[str, str], tuple[str, str]] = {}
        self.most = 3
        self.is_online = True

    def join(self, room: Any, by: str | None = None) -> None:
        assert isinstance(room, RoomSettings)
        if len(self.ordered) >= self.most:
            raise TooManyRooms(self.most)
        assert by is not None
        self.rooms[str(room.jid)] = room.nick
        self.ordered[str(room.jid)] = by

    def leave(self, room: str) -> None:
        del self.rooms[room], self.ordered[room]

    def affiliation(self, message: Message) -> str:
        return message.affiliation

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        return self.people.get((room, person))

    def overview(self) -> Overview:
        state = "online" if self.is_online else "waiting"
        rooms = [Place(jid, nick, "joined", "", 60.0) for jid, nick in self.rooms.items()]
        return Overview(Phase.RUNNING, Link(state, 60.0), tuple(rooms))


class Talk(TestCase):
    """Test case that talks to a bot; :meth:`begin` creates it, ``now`` is its time of day."""

    def setUp(self) -> None:
        self.now = NOW
        self.clock: Clock = TestClock()
        self.adapter = FakeAdapter()
        self.brain = MemoryBrain()
        self.journal = MemoryJournal()
        self.sent: list[Message] = []
        self.log: list[str] = []
        self.keys = 0

        def got_event(event: Any) -> None:
            self.log.append(formatEvent(event))

        globalLogPublisher.addObserver(got_event)
        self.addCleanup(globalLogPublisher.removeObserver, got_event)

    def begin(self, *settings: ResponderSettings) -> None:
        itself = EngineBot(
            self.clock,
            address=BOT,
            adapter=lambda: self.adapter,  # type: ignore[arg-type,return-value]
            dispatcher=lambda: self.dispatcher,
            overview=self.adapter.overview,
            named=lambda: {ROOM},
            nick=lambda: "xbot",
            wall_clock=lambda: self.now,
        )
        environment = Environment(
            self.clock,
            in_this_thread,
            self.sent.append,
            self.brain.namespace,
            self.brain.flushed,
            self.adapter.rooms.__contains__,
            lambda name, person: True,
            BOT,
            itself,
        )
        responders = load_responders(settings, environment)
        self.lives = Lifecycle(responders)
        self.dispatcher = Dispatcher(
            responders,
            self.sent.append,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=self.adapter.rooms.get,
            rooms={},
            journal=self.journal,
        )
        self.lives.start()

    def end(self) -> None:
        """Unload everything."""
        self.lives.close()
        self.clock.advance(0)

    def say(
        self,
        text: str,
        who: str | None = ALICE,
        room: str | None = ROOM,
        *,
        private: bool = False,
        affiliation: str = "none",
    ) -> list[str]:
        """What is answered when somebody says this to the bot."""
        self.keys += 1
        key = str(self.keys)
        if room is None:
            assert who is not None
            said = Message(f"{who}/x", BOT, text, {"type": "chat"}, identity=who, key=key)
        else:
            nick = who.partition("@")[0] if who else "somebody"
            said = Message(
                f"{room}/{nick}",
                BOT,
                text if private else f"xbot: {text}",
                {"type": "chat" if private else "groupchat"},
                room=room,
                nick=nick,
                identity=who,
                affiliation=affiliation,
                key=key,
            )
        self.dispatcher.got_message(said)
        self.clock.advance(0)
        return self.said()

    def said(self) -> list[str]:
        """What was said since this was asked last."""
        said, self.sent[:] = [each.body for each in self.sent], []
        return said

    def logged(self, text: str) -> int:
        """In how many lines of the log this stands."""
        return sum(text in line for line in self.log)
