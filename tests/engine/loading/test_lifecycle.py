"""Tests of :mod:`xbot.engine.loading.lifecycle`, and of the service that uses it."""

from __future__ import annotations

import gc
import sys

from twisted.internet.defer import Deferred

from tests.app.test_reload import ACCOUNT, ROOM, ReloadCase
from xbot.app import resources
from xbot.chat.xmpp.deliveries import REFLECT_TIMEOUT
from xbot.runtime.scope import Scope
from xbot.testing.brain import MemoryBrain
from xbot.testing.clock import TestClock

CODE = """
from twisted.internet.defer import Deferred
from xbot import *
LOG = []
WAITING = Deferred()
class Tea:
    def __init__(self):
        on_close(lambda: LOG.append("closed"))
    async def start(self):
        {start}
        LOG.append("started")
    async def stop(self):
        say("{room}", "bye from {name}")
        LOG.append("stopped")
    @every("10s")
    async def look(self):
        LOG.append("looked")
    @respond("tea", effect=False)
    async def tea(self, message):
        brain["cups"] = brain.get("cups", 0) + 1
        return f"{name}: cup {{brain['cups']}}"
    @respond("wait", effect=False)
    async def wait(self, message):
        await WAITING
        return "{name}: waited"
"""

USE = "[responder tea]\nuse = lives_ours:Tea\n"


class LivesTests(ReloadCase):
    def setUp(self):
        super().setUp()
        self.clock = TestClock()
        self.brain = MemoryBrain()
        self.patch(resources, "Brain", lambda path, reactor: self.brain)
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.addCleanup(sys.modules.pop, "lives_ours", None)

    def code(self, name, start="pass"):
        (self.folder / "lives_ours.py").write_text(CODE.format(name=name, start=start, room=ROOM))

    def start_bot(self):
        self.start(ACCOUNT, f"[room {ROOM}]", USE)

    @property
    def log(self):
        return sys.modules["lives_ours"].LOG

    def test_start_and_stop(self):
        """It is started with the bot, its timers run, and it may say goodbye at the end."""
        self.code("first")
        self.start_bot()
        self.clock.advance(10)
        self.assertEqual(self.log, ["started", "looked"])
        self.bot.stopService()
        self.assertEqual(self.answers(), ["bye from first"])
        self.assertEqual(self.log, ["started", "looked", "stopped", "closed"])
        self.clock.advance(10)
        self.assertEqual(len(self.log), 4)

    def test_failing_start(self):
        """One that cannot be started says so; the others do not notice."""
        self.code("first", "1 / 0")
        self.start_bot()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.say("xbot: tea")
        self.say("xbot: ping")
        self.assertEqual(self.answers(), ["tea is not available; the log says why.", "pong"])
        self.assertEqual(self.log, ["closed"])

    def test_reload(self):
        """The new one is started, and then the old one is stopped, when its runs are over."""
        self.code("first")
        self.start_bot()
        old = self.log
        self.say("xbot: wait")
        waiting = sys.modules["lives_ours"].WAITING
        self.code("second time")
        self.successResultOf(self.reload(ACCOUNT, f"[room {ROOM}]", USE))
        self.assertIsNot(self.log, old)
        self.assertEqual((old, self.log), (["started"], ["started"]))
        self.say("xbot: tea")
        waiting.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.answers(), ["first: waited", "second time: cup 1", "bye from first"])
        self.clock.advance(10)
        self.assertEqual((old, self.log), (["started", "stopped", "closed"], ["started", "looked"]))

    def test_reload_that_cannot_start(self):
        """It is refused as a whole: the old one goes on, and what had been started is closed."""
        self.code("first")
        self.start_bot()
        old = self.log
        self.code("second time", "1 / 0  # no tea")
        self.reload(ACCOUNT, "[room b@muc.example.org]", USE)
        self.assert_refused("cannot be started: ZeroDivisionError")
        self.assertIs(self.log, old)
        self.say("xbot: tea")
        self.assertEqual(self.answers(), ["first: cup 1"])
        self.clock.advance(10)
        self.assertEqual(self.log, ["started", "looked"])

    def test_nothing_is_left(self):
        """However often it is reloaded, nothing of the old code is left, nor of its timers."""
        self.code("first")
        self.start_bot()

        def count():
            # The room reflects what was said, and the wait for that ends.
            self.answers()
            self.clock.advance(REFLECT_TIMEOUT)
            gc.collect()
            scopes = [each for each in gc.get_objects() if isinstance(each, Scope)]
            return len(scopes), len(self.clock.getDelayedCalls()), len(sys.modules)

        before = count()
        for _ in range(5):
            self.reload(ACCOUNT, f"[room {ROOM}]", USE)
            self.code("first", "1 / 0  # ")
            self.reload(ACCOUNT, f"[room {ROOM}]", USE)
            self.code("first")
            self.events.clear()
        self.assertEqual(count(), before)

    def test_folder(self):
        """A reload takes what came into the folder, changed there, and left it."""
        folder = self.folder / "more.d"
        folder.mkdir()
        text = (
            "from xbot import respond\n@respond('x', effect=False)\nasync def x(m): return {!r}\n"
        )
        text = text.replace("'x'", "'{}'", 1)
        (folder / "one.py").write_text(text.format("one", "1"))
        off = "[responder fallback]\nenabled = no"
        ini = f"[xbot]\nresponders = {folder}\n", ACCOUNT, f"[room {ROOM}]", off
        self.start(*ini)
        (folder / "two.py").write_text(text.format("two", "2"))
        (folder / "one.py").write_text(text.format("one", "I"))
        self.reload(*ini)
        self.assertIn("responders +1 -0 ~0, fresh code 1", self.plan())
        for word in ("one", "two"):
            self.say(f"xbot: {word}")
        self.assertEqual(self.answers(), ["I", "2"])
        (folder / "one.py").unlink()
        self.reload(*ini)
        self.assertIn("responders +0 -1 ~0, fresh code 1", self.plan())
        self.say("xbot: one")
        self.assertEqual(self.answers(), [])

    def test_remembered_before_it_is_answered(self):
        """An answer waits until what the run remembered is saved."""
        self.code("first")
        saving = Deferred()
        self.brain.flushed = lambda: saving
        self.start_bot()
        self.say("xbot: tea")
        self.say("xbot: ping")
        self.assertEqual(self.answers(), ["pong"])
        saving.callback(None)
        self.assertEqual(self.answers(), ["first: cup 1"])
