"""A whole bot in a test, without a server: say something, and look at what it answers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from types import EllipsisType
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from xbot import config
from xbot.app.assembly import Assembly
from xbot.config.settings import Config, RoomSettings
from xbot.engine.dispatch.explain import Explanation
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.speech import message_of
from xbot.runtime.responder import Responder
from xbot.testing.adapter import FakeAdapter
from xbot.testing.brain import MemoryBrain
from xbot.testing.clock import TestClock
from xbot.testing.given import given
from xbot.testing.journal import MemoryJournal
from xbot.testing.surroundings import in_this_thread

#: Who speaks where a test does not care.
SOMEONE = "someone@example.org"

#: What an ini needs that is to be used in tests alone.
ACCOUNT = "\n[xmpp]\njid = xbot@example.org/bot\nserver = embedded\n"

Beginning = str | EllipsisType
"""What an answer begins with; ``...`` for whatever it is."""


class Reply(str):
    """The text of something that the bot said, and where.

    ``to`` is the address that it was said to, ``room`` the room's that it was
    said in or through, ``message`` all that is known.
    """

    message: Message

    def __new__(cls, message: Message) -> Reply:
        reply = super().__new__(cls, message.body)
        reply.message = message
        return reply

    @property
    def to(self) -> str:
        return self.message.recipient

    @property
    def room(self) -> str | None:
        return self.message.room


class NotAnswered(AssertionError):
    """The bot did not answer as it should have; the text says what it did, and why."""


class Bot:
    """The bot that an ini describes, or one with nothing but these ``responders``.

    It is all there but the network: loading, matching, access, limits, journal,
    brain and outbox are the daemon's own, the last three in memory. Time stands
    still until ``clock.advance(seconds)``. No reactor has to run: coroutines run
    as far as they come, plain functions run in this thread, and :meth:`say`
    returns when nothing more happens at this moment. ::

        bot = Bot([deploy], allow="alice@example.org")
        bot.say("deploy web", sender="alice@example.org")
        assert bot.replies == ["web is on production"]

    ``responders`` are functions, classes, objects or modules, as ``use`` would name
    them; ``options`` are those of their sections in the ini, with ``_`` for ``-``:
    texts, numbers, booleans, or lists. ``ini`` is further text of it,
    such as groups and rooms. Rates that the whole bot has hold only with
    ``limits``, for tests speak faster than people.

    Wrong options raise :class:`~xbot.model.errors.InvalidConfig`, as the daemon would.
    """

    def __init__(
        self,
        responders: Iterable[Any] = (),
        *,
        ini: str = "",
        limits: bool = False,
        **options: object,
    ) -> None:
        with given(responders) as uses:
            sections = [_section(_name_of(each), use, options) for use, each in uses]
            self._begin(_loaded("\n".join([ini, *sections])), limits)

    @classmethod
    def from_ini(cls, source: str | Path, *, limits: bool = False, starts: bool = True) -> Bot:
        """The bot of an ini: its path, or, if it has more than one line, its text.

        The account's passwords and keys need not be there. A text may leave out
        ``[xmpp]``. With ``starts`` false no responder is started, nor a timer begun.
        """
        bot = cls.__new__(cls)
        is_text = isinstance(source, str) and "\n" in source
        loaded = _loaded(str(source)) if is_text else config.load(Path(source), connects=False)
        bot._begin(loaded, limits, starts)
        return bot

    def _begin(self, settings: Config, limits: bool, starts: bool = True) -> None:
        self.clock = TestClock()
        self.brain = MemoryBrain(self.clock.seconds)
        self.journal = MemoryJournal()
        #: What went wrong in responders and in the bot: exceptions with their tracebacks.
        self.failures: list[Failure] = []
        #: What the daemon would have logged as a warning or worse.
        self.log: list[str] = []
        self._has_looked = False
        # How many had been said, or logged, by then.
        self._seen = 0
        self._logged = 0
        self._keys = count(1)
        self._name = settings.bot.name
        self._assembly = Assembly(
            settings if limits else settings.without_rates(),
            self.clock,
            in_thread=in_this_thread,
            brain=self.brain,
            make_journal=lambda keep: self.journal,
            wall_clock=self.clock.seconds,
        )
        self.adapter = FakeAdapter(
            self._assembly.dispatcher.got_message, self._assembly.outbox, settings.rooms
        )
        self._assembly.adapter = self.adapter
        self.clock.around = self._watched
        if starts:
            self._watched(lambda: self._run(self._assembly.start()))
        else:
            self.adapter.start()

    # What happens to it

    def say(
        self,
        text: str,
        sender: str | None = SOMEONE,
        room: str | None = None,
        *,
        nick: str | None = None,
        affiliation: str = "none",
        private: bool = False,
    ) -> list[Reply]:
        """Have ``sender`` say ``text``; gives what the bot says at once, wherever.

        To the bot alone, or in ``room`` (which the bot is in, if it did not leave
        it), or, with ``private``, to the bot alone through the room. ``sender`` is
        the real address, None where the room hides it. ``nick`` is by default its
        local part; ``affiliation`` is what the speaker is in the room.
        """
        to = str(self._assembly.config.xmpp.jid)
        said = message_of(
            text,
            to,
            sender=sender,
            room=room,
            nick=nick,
            affiliation=affiliation,
            private=private,
            key=f"{next(self._keys)}",
        )
        self._enter(said)
        before, self._logged = len(self.adapter.sent), len(self.log)
        self._watched(lambda: self.adapter.got_message(said))
        return [Reply(message) for message in self.adapter.sent[before:]]

    def join(self, room: str, nick: str | None = None) -> None:
        """Have the bot be in ``room``: where nobody has spoken, nor the ini names it."""
        settings = RoomSettings(Jid.parse(room), nick or self._name)
        self._watched(lambda: self.adapter.join(settings))

    def close(self) -> None:
        """End the bot as the daemon would: its timers, its responders' ``stop``."""
        self._watched(lambda: self._run(self._assembly.stop()))

    @property
    def responders(self) -> tuple[Responder, ...]:
        """All that were loaded, the bundled ones included."""
        return self._assembly.responders

    def idle(self) -> Deferred[None]:
        """Fires once no responder is at work, for those who wait for a real reactor."""
        return self._assembly.dispatcher.idle()

    # What came of it

    @property
    def replies(self) -> list[Reply]:
        """What was said since the last look, oldest first: texts with ``to`` and ``room``.

        Looking again shows the same, until something happens after it.
        """
        self._has_looked = True
        return [Reply(message) for message in self.adapter.sent[self._seen :]]

    def check(self, text: str, *answers: Beginning, **how: Any) -> None:
        """Say ``text``; :class:`NotAnswered` unless it is answered so, no more and no less.

        Each answer has to begin as it says. ``how`` is as for :meth:`say`.
        """
        # Before it is said, for that changes what would become of it.
        explanation = self.explain(text, **how)
        said = self.say(text, **how)
        if not fits(said, answers):
            raise NotAnswered(self._difference(text, said, answers, explanation))

    def check_examples(self, **how: Any) -> list[str]:
        """Try every example of the help, in order; gives the commands.

        ``how`` tells who says them, and where, as for :meth:`say`. In a room
        they are said to the bot by its name. Raises :class:`NotAnswered` with all
        that are wrong, or when there is none.
        """
        tried: list[str] = []
        wrong: list[str] = []
        for responder in self.responders:
            for route in responder.routes:
                if not route.example:
                    continue
                text, *answers = route.example
                is_public = how.get("room") is not None and not how.get("private")
                if route.kind != "hear" and is_public:
                    text = f"{self._name}: {text}"
                tried.append(text)
                try:
                    self.check(text, *answers, **how)
                except NotAnswered as difference:
                    wrong.append(f"{responder.name}: {difference}")
        if not tried:
            raise NotAnswered("no responder here has an example")
        if wrong:
            raise NotAnswered("\n\n".join(wrong))
        return tried

    def explain(self, text: str, sender: str | None = SOMEONE, **how: Any) -> Explanation:
        """Who would answer if this was said, who would not, and why; nothing happens.

        See :class:`xbot.engine.dispatch.explain.Explanation`, and :meth:`say` for ``how``.
        """
        said = message_of(text, str(self._assembly.config.xmpp.jid), sender=sender, **how)
        self._enter(said)
        return self._assembly.dispatcher.explain(said)

    def _difference(
        self,
        text: str,
        said: Iterable[str],
        answers: Iterable[Beginning],
        explanation: Explanation,
    ) -> str:
        lines = [f"said: {text}"]
        lines += [f"expected: {'...' if each is ... else each!r}" for each in answers] or [
            "expected: nothing"
        ]
        lines += [f"answered: {str(each)!r}" for each in said] or ["answered: nothing"]
        lines += [f"logged: {each}" for each in self.log[self._logged :]]
        return "\n".join([*lines, str(explanation)])

    # How

    def _enter(self, said: Message) -> None:
        if said.room is None or said.room in self.adapter.rooms:
            return
        if said.room in self.adapter.left:
            raise ValueError(f"the bot has left {said.room} and hears nothing there; see join")
        self.join(said.room)

    def _watched(self, happen: Callable[[], object]) -> None:
        """Let something happen, and all that follows from it now."""
        if self._has_looked:
            self._has_looked = False
            self._seen = len(self.adapter.sent)
        self.journal.now = self.clock.seconds()
        observer = cast(ILogObserver, self._got_event)
        globalLogPublisher.addObserver(observer)
        try:
            happen()
            self.clock.settle()
        finally:
            globalLogPublisher.removeObserver(observer)

    def _got_event(self, event: dict[str, Any]) -> None:
        if not str(event.get("log_namespace", "")).startswith("xbot"):
            return
        if event["log_level"] < LogLevel.warn:
            return
        self.log.append(formatEvent(event))
        if "log_failure" in event:
            self.failures.append(event["log_failure"])

    @staticmethod
    def _run(coroutine: Any) -> None:
        failures: list[Failure] = []
        Deferred.fromCoroutine(coroutine).addErrback(failures.append)
        if failures:
            failures[0].raiseException()


def fits(said: Iterable[str], answers: Iterable[Beginning]) -> bool:
    """Whether what was said is these answers, each at its beginning."""
    said, answers = list(said), list(answers)
    return len(said) == len(answers) and all(
        answer is ... or text.startswith(answer) for text, answer in zip(said, answers, strict=True)
    )


def _loaded(ini: str) -> Config:
    """The settings of an ini's text."""
    if not re.search(r"^\s*\[xmpp\]", ini, re.MULTILINE):
        ini += ACCOUNT
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "xbot.ini")
        path.write_text(ini, "utf-8")
        path.chmod(0o600)
        return config.load(path, connects=False)


def _section(name: str, use: str, options: Mapping[str, object]) -> str:
    """What the ini would say of a responder that a test has given."""
    lines = [f"[responder {name}]", f"use = {use}"]
    for option, value in options.items():
        text = _as_option(value).replace("\n", "\n    ")
        lines.append(f"{option.replace('_', '-')} = {text}")
    return "\n".join(lines)


def _as_option(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(each) for each in value)
    return str(value)


def _name_of(responder: object) -> str:
    """What its section would be called: a class's name as commands are written."""
    name = getattr(responder, "__name__", None) or type(responder).__name__
    name = name.rpartition(".")[2]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^\w-]", "", words).lower() or "responder"
