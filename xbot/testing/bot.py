"""Bot: a whole bot in a test, in memory and without a server; say something, check the replies."""

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
from xbot.testing.threads import in_this_thread

#: The default sender.
SOMEONE = "someone@example.org"

#: The ``[xmpp]`` section added to an ini text that has none. No embedded server, which would
#: change defaults, and a password that is not used.
ACCOUNT = "\n[xmpp]\njid = xbot@example.org/bot\npassword = none\n"

Beginning = str | EllipsisType
"""The beginning that an answer must have; ``...`` accepts any answer."""


class Reply(str):
    """The text of a message that the bot said, with its addresses.

    ``to`` is the recipient's address, ``room`` the address of the room that it was
    said in or through (None for a direct message), ``message`` the whole message.
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
    """The bot's answers differ from the expected ones; the text shows both, and why."""


class Bot:
    """A bot for tests: of an ini, or with nothing but these ``responders``.

    Everything but the network is real: loading, matching, access, limits, journal,
    brain and outbox are the daemon's own, the last three in memory. Time stands
    still until ``clock.advance(seconds)``. No reactor has to run: coroutines run
    until they wait, plain functions run in this thread, and :meth:`say` returns
    when nothing more happens at this moment. ::

        bot = Bot([deploy], allow="alice@example.org")
        bot.say("deploy web", sender="alice@example.org")
        assert bot.replies == ["web is on production"]

    ``responders`` are functions, classes, objects or modules, as ``use`` would name
    them; ``options`` are the options of their sections in the ini, with ``_`` for
    ``-``: texts, numbers, booleans, or lists. ``ini`` is more text of the ini, such
    as groups and rooms. Bot-wide rate limits apply only with ``limits``, because
    tests speak faster than people.

    Wrong options raise :class:`~xbot.model.errors.InvalidConfig`, as in the daemon.
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
        """The bot of an ini. ``source`` is a path, or, if it has several lines, the ini's text.

        The files of passwords and keys may be missing. A text may leave out
        ``[xmpp]``. With ``starts=False`` neither responders nor timers are started.
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
        #: Exceptions raised in responders or in the bot, with their tracebacks.
        self.failures: list[Failure] = []
        #: Log lines of level warning or above.
        self.log: list[str] = []
        self._has_looked = False
        # Number of replies seen, and of log lines before the last say().
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

    # Input

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
        """Have ``sender`` say ``text``; returns everything that the bot says at once.

        Without ``room`` it is a direct message; with ``room`` a message in that room
        (which the bot joins first, unless it left it); with ``private`` a private
        message through the room. ``sender`` is the real address, None where the room
        hides it. ``nick`` is the sender's nick in the room, by default the local part
        of ``sender``; ``affiliation`` is the sender's affiliation (XEP-0045 5.2).
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
        """Have the bot join ``room``, which the ini need not name."""
        settings = RoomSettings(Jid.parse(room), nick or self._name)
        self._watched(lambda: self.adapter.join(settings))

    def close(self) -> None:
        """Stop the bot as the daemon would: its timers, its responders' ``stop``."""
        self._watched(lambda: self._run(self._assembly.stop()))

    @property
    def responders(self) -> tuple[Responder, ...]:
        """All loaded responders, including the bundled ones."""
        return self._assembly.responders

    @property
    def running(self) -> list[str]:
        """Names of the responders that are still at work, or wait for a person or a limit."""
        return self._assembly.dispatcher.running

    def idle(self) -> Deferred[None]:
        """Fires once no responder is at work; for tests with a real reactor."""
        return self._assembly.dispatcher.idle()

    # Results

    @property
    def replies(self) -> list[Reply]:
        """What the bot said since ``replies`` was last read, oldest first.

        Reading it again gives the same, until something else happens.
        """
        self._has_looked = True
        return [Reply(message) for message in self.adapter.sent[self._seen :]]

    def check(self, text: str, *answers: Beginning, **how: Any) -> None:
        """Say ``text``; :class:`NotAnswered` unless the bot says exactly these answers.

        Each reply has to begin with the given text. ``how`` is as for :meth:`say`.
        """
        # Before it is said: saying it can change the state that the explanation is about.
        explanation = self.explain(text, **how)
        said = self.say(text, **how)
        if not fits(said, answers):
            raise NotAnswered(self._difference(text, said, answers, explanation))

    def check_examples(self, **how: Any) -> list[str]:
        """Run every ``example`` of the responders, in order; returns the commands.

        ``how`` is as for :meth:`say`. In a room they are said to the bot by its name.

        :raises NotAnswered: with all examples that are wrong, or when there is none.
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
        """Explain which responders would answer ``text``, which would not, and why; a dry run.

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

    # Internals

    def _enter(self, said: Message) -> None:
        if said.room is None or said.room in self.adapter.rooms:
            return
        if said.room in self.adapter.left:
            raise ValueError(f"the bot has left {said.room} and hears nothing there; see join")
        self.join(said.room)

    def _watched(self, happen: Callable[[], object]) -> None:
        """Call ``happen`` and run what is due now, with the log observed."""
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
    """Whether ``said`` has as many texts as ``answers``, and each begins with its answer."""
    said, answers = list(said), list(answers)
    return len(said) == len(answers) and all(
        answer is ... or text.startswith(answer) for text, answer in zip(said, answers, strict=True)
    )


def _loaded(ini: str) -> Config:
    """The configuration of an ini's text."""
    if not re.search(r"^\s*\[xmpp\]", ini, re.MULTILINE):
        ini += ACCOUNT
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "xbot.ini")
        path.write_text(ini, "utf-8")
        path.chmod(0o600)
        return config.load(path, connects=False)


def _section(name: str, use: str, options: Mapping[str, object]) -> str:
    """The ini section of a responder that a test gives."""
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
    """The name of its section: a class's name in kebab-case."""
    name = getattr(responder, "__name__", None) or type(responder).__name__
    name = name.rpartition(".")[2]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^\w-]", "", words).lower() or "responder"
