"""Contract tests for every implementation of IBrain."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, MutableMapping
from enum import IntEnum, StrEnum
from typing import Any

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from xbot.state.brain.contents import Bounds
from xbot.state.brain.errors import BrainFull, BrainNotOpen
from xbot.state.interfaces import IBrain

VALUES = (
    *(None, True, False, 0, -7, 2**64, 0.5, -0.0, 1e300, "", "grüße \0\x1b\ud800 🎉"),
    *([], {}, [1, [2, {"a": None}]], {"": {"b": [True, 1.5]}}),
)

SMALL = Bounds(keys=4, size=200, keys_in_all=6, size_in_all=300)


class BrainReactor(Clock):
    """A fake clock with the reactor methods that a brain needs."""

    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        self.callLater(0, function, *args)


class Contract:
    """``make`` creates an open brain on ``clock``; ``restarted`` the one of the next process."""

    clock: BrainReactor
    make: Callable[..., Any]
    restarted: Callable[[Any], Any]

    def test_interface(self: Any) -> None:
        """It is what the engine takes for a brain."""
        verifyObject(IBrain, self.make())
        self.assertIsInstance(self.make().namespace("a"), MutableMapping)

    def test_values(self: Any) -> None:
        """Every value of JSON is remembered as it is, type and all, here and after a restart."""
        brain = self.make()
        memory = brain.namespace("a")
        for number, value in enumerate(VALUES):
            memory[str(number)] = value
        for _ in range(2):
            found = list(memory.values())
            self.assertEqual([repr(value) for value in found], [repr(value) for value in VALUES])
            self.assertEqual([repr(memory[key]) for key in memory], [repr(v) for v in VALUES])
            brain = self.restarted(brain)
            memory = brain.namespace("a")

    def test_nothing_else(self: Any) -> None:
        """What would come back as something else is a TypeError that says what it was."""
        memory = self.make().namespace("a")
        one = IntEnum("Number", "ONE").ONE
        word = StrEnum("Word", "A").A
        for value in (b"x", (1,), {1}, {1: 2}, one, word, object(), {"a": [(1,)]}, {word: 1}, 1j):
            with self.assertRaisesRegex(TypeError, "type (bytes|tuple|set|int|Number|Word|o|c)"):
                memory["x"] = value
        for value in (math.nan, math.inf, [-math.inf], 2**5000):
            with self.assertRaisesRegex(ValueError, "cannot be remembered"):
                memory["x"] = value
        itself: list[Any] = []
        itself.append(itself)
        with self.assertRaisesRegex(ValueError, "deep"):
            memory["x"] = itself
        for key in (1, None, b"x"):
            with self.assertRaises(TypeError):
                memory[key] = 1
        with self.assertRaisesRegex(ValueError, "UTF-8"):
            memory["\ud800"] = 1
        self.assertEqual(dict(memory), {})

    def test_copies(self: Any) -> None:
        """Changing what was given, or what was got, does not change what is remembered."""
        memory = self.make().namespace("a")
        given = {"names": ["ada"]}
        memory["x"] = given
        given["names"].append("bob")
        for got in (memory["x"], memory.get("x"), memory.setdefault("x"), *memory.values()):
            got["names"].append("eve")
        dict(memory.items())["x"]["names"].append("eve")
        self.assertEqual(memory.pop("x"), {"names": ["ada"]})

    def test_like_a_dict(self: Any) -> None:
        """It does what a dict does, in a dict's order."""
        memory, model = self.make().namespace("a"), dict[str, Any]()
        for like in (memory, model):
            like.update({"b": 1, "a": 2, "c": [3]})
            like["b"] = 4
            del like["a"]
            like["a"] = 5
            self.assertEqual(like.setdefault("b", 9), 4)
            self.assertEqual(like.setdefault("d", 9), 9)
            self.assertEqual((like.get("e"), like.get("e", 1), like.get("c")), (None, 1, [3]))
            self.assertEqual(like.pop("e", 7), 7)
            self.assertRaises(KeyError, like.pop, "e")
            self.assertRaises(KeyError, like.__getitem__, "e")
            self.assertRaises(KeyError, like.__delitem__, "e")
            self.assertEqual(("b" in like, "e" in like, 5 in like), (True, False, False))
        self.assertEqual(list(memory.items()), list(model.items()))
        self.assertEqual((list(memory), len(memory)), (list(model), len(model)))
        self.assertEqual(memory, model)
        self.assertEqual(memory.popitem(), model.popitem())
        memory.clear()
        self.assertEqual((len(memory), bool(memory), list(memory)), (0, False, []))
        self.assertRaises(KeyError, memory.popitem)

    def test_namespaces(self: Any) -> None:
        """Each name has a memory of its own; asked for twice, it is the same."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        brain.namespace("b")["x"] = 2
        self.assertEqual((brain.namespace("a")["x"], brain.namespace("b")["x"]), (1, 2))
        self.assertEqual(dict(brain.namespace("c")), {})
        for name, error in ((1, TypeError), ("", ValueError), ("\ud800", ValueError)):
            self.assertRaises(error, brain.namespace, name)

    def test_nothing_shown(self: Any) -> None:
        """What a log may show of a memory is its name, not what is in it."""
        memory = self.make().namespace("a")
        memory["k"] = "hunter2"
        self.assertEqual(repr(memory), "<memory of a>")

    def test_increment(self: Any) -> None:
        """Counters begin at nothing, and count ints alone."""
        memory = self.make().namespace("a")
        counts = [memory.increment("x"), memory.increment("x", 5), memory.increment("x", -7)]
        self.assertEqual((counts, memory["x"]), ([1, 6, -1], -1))
        for by in (1.5, True, "1"):
            self.assertRaises(TypeError, memory.increment, "x", by)
        for other in (True, 1.0, "1", [1], None):
            memory["y"] = other
            self.assertRaises(TypeError, memory.increment, "y")
            self.assertEqual(memory["y"], other)

    def test_time_to_live(self: Any) -> None:
        """What has one is gone when it is over, in every respect, and not before."""
        memory = self.make().namespace("a")
        memory.set("x", 1, ttl=10)
        memory["y"] = 2
        self.clock.advance(9.5)
        self.assertEqual((memory["x"], memory.time_left("x"), len(memory)), (1, 0.5, 2))
        self.assertIsNone(memory.time_left("y"))
        self.clock.advance(0.5)
        self.assertEqual((list(memory), len(memory), memory.get("x")), (["y"], 1, None))
        self.assertEqual(("x" in memory, dict(memory)), (False, {"y": 2}))
        self.assertRaises(KeyError, memory.time_left, "x")
        self.assertRaises(KeyError, memory.__delitem__, "x")
        self.assertEqual(memory.increment("x"), 1)

    def test_time_to_live_anew(self: Any) -> None:
        """Setting it again begins its time again, or ends it."""
        memory = self.make().namespace("a")
        for key in "xyz":
            memory.set(key, 1, ttl=10)
        self.clock.advance(5)
        memory.set("x", 2, ttl=10)
        memory["y"] = 2
        self.clock.advance(5)
        self.assertEqual(dict(memory), {"x": 2, "y": 2})
        self.clock.advance(5)
        self.assertEqual(dict(memory), {"y": 2})

    def test_counters_expire(self: Any) -> None:
        """A counter's time runs from its beginning."""
        memory = self.make().namespace("a")
        for expected in (1, 2, 3):
            self.assertEqual(memory.increment("x", ttl=10), expected)
            self.clock.advance(3)
        self.clock.advance(1)
        self.assertEqual(memory.increment("x", ttl=10), 1)

    def test_no_time_to_live(self: Any) -> None:
        """A time to live is a number of seconds, more than nothing."""
        memory = self.make().namespace("a")
        for ttl, error in ((0, ValueError), (-1, ValueError), (math.nan, ValueError)):
            self.assertRaises(error, memory.set, "x", 1, ttl)
        for ttl in (True, "1", math.inf):
            self.assertRaises((TypeError, ValueError), memory.set, "x", 1, ttl)
        self.assertNotIn("x", memory)

    def test_restart(self: Any) -> None:
        """The next process knows it all, in order, and how long it lasts."""
        brain = self.make()
        memory = brain.namespace("a")
        memory.update({"b": 1, "a": 2, "c": 3, "d": 4})
        memory.set("x", 1, ttl=10)
        memory.set("y", 1, ttl=20)
        del memory["b"]
        memory["b"] = 5
        memory.increment("d")
        brain.namespace("b")["x"] = []
        self.clock.advance(5)
        for _ in range(3):
            brain = self.restarted(brain)
            memory = brain.namespace("a")
            self.assertEqual(list(memory), ["a", "c", "d", "x", "y", "b"])
            self.assertEqual(memory.time_left("x"), 5)
        self.assertEqual((memory["d"], dict(brain.namespace("b"))), (5, {"x": []}))
        self.clock.advance(5)
        self.assertNotIn("x", memory)
        memory = self.restarted(brain).namespace("a")
        self.assertEqual(list(memory), ["a", "c", "d", "y", "b"])
        memory["new"] = 1
        self.assertEqual(list(memory)[-1], "new")

    def test_changed_after_a_restart(self: Any) -> None:
        """What is changed of what an earlier process left is so in the next, order and time too."""
        brain = self.make()
        memory = brain.namespace("a")
        for key in "abcd":
            memory.set(key, 1, ttl=10)
        brain = self.restarted(brain)
        memory = brain.namespace("a")
        memory["a"] = 2
        memory.set("b", 2, ttl=30)
        del memory["c"]
        memory["c"] = 2
        memory["e"] = 2
        for _ in range(2):
            brain = self.restarted(brain)
            memory = brain.namespace("a")
            self.assertEqual(list(memory), ["a", "b", "d", "c", "e"])
            left = [memory.time_left(key) for key in memory]
            self.assertEqual(left, [None, 30, 10, None, None])
        self.clock.advance(10)
        self.assertEqual(dict(memory), {"a": 2, "b": 2, "c": 2, "e": 2})

    def test_full_of_keys(self: Any) -> None:
        """Each memory has room for so many keys, and all have; what is there can be replaced."""
        brain = self.make(bounds=SMALL)
        a, b = brain.namespace("a"), brain.namespace("b")
        a.update(dict.fromkeys("1234", 0))
        with self.assertRaises(BrainFull) as caught:
            a["5"] = 0
        self.assertEqual((caught.exception.namespace, caught.exception.key), ("a", "5"))
        self.assertIn("4 keys", str(caught.exception))
        a["4"] = 1
        b.update(dict.fromkeys("12", 0))
        with self.assertRaisesRegex(BrainFull, "6 keys .* all"):
            b.increment("3")
        del a["1"]
        b["3"] = 0
        self.assertEqual((list(a), list(b)), (["2", "3", "4"], ["1", "2", "3"]))

    def test_full_of_bytes(self: Any) -> None:
        """And so many bytes; what is refused leaves what was there."""
        brain = self.make(bounds=SMALL)
        a, b = brain.namespace("a"), brain.namespace("b")
        a["x"] = "x" * 150
        for key in "xy":
            with self.assertRaisesRegex(BrainFull, "200 bytes"):
                a[key] = "é" * 150
        self.assertEqual(dict(a), {"x": "x" * 150})
        with self.assertRaisesRegex(BrainFull, "300 bytes .* all"):
            b["x"] = "x" * 170
        a["x"] = ""
        b["x"] = "x" * 170
        self.assertRaises(BrainFull, b.__setitem__, "k" * 100, None)

    def test_room_by_expiry(self: Any) -> None:
        """What has expired leaves room, in its own memory and in others'."""
        brain = self.make(bounds=SMALL)
        a, b = brain.namespace("a"), brain.namespace("b")
        for key in "1234":
            a.set(key, 0, ttl=10)
        b.update(dict.fromkeys("12", 0))
        self.clock.advance(10)
        b.update(dict.fromkeys("34", 0))
        a.update(dict.fromkeys("56", 0))
        self.assertEqual((list(a), list(b)), (["5", "6"], ["1", "2", "3", "4"]))

    def test_much_that_expires(self: Any) -> None:
        """Setting one thing with a time to live again and again takes no more room each time."""
        brain = self.make()
        memory = brain.namespace("a")
        for _ in range(1000):
            memory.set("x", 1, ttl=10)
        self.assertLess(len(brain._contents._spaces["a"].expiring), 100)
        self.clock.advance(10)
        self.assertEqual(len(memory), 0)

    def test_changed_while_iterating(self: Any) -> None:
        """Going over it goes over what was there at first."""
        memory = self.make().namespace("a")
        memory.update({"x": 1, "y": 2})
        seen = []
        for key, value in memory.items():
            memory.clear()
            memory["z"] = 3
            seen.append((key, value))
        self.assertEqual(seen, [("x", 1), ("y", 2)])

    def test_threads(self: Any) -> None:
        """Many threads at once lose no count."""
        brain = self.make()

        def work(name: str) -> None:
            memory = brain.namespace("a")
            for number in range(200):
                memory.increment("all")
                memory[name] = number
                memory.set(f"{name}{number}", [number], ttl=1000)
                memory.pop(f"{name}{number - 1}", None)
                assert len(list(memory.items())) > 1

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        memory = brain.namespace("a")
        self.assertEqual((memory["all"], len(memory)), (800, 9))

    def test_flushed(self: Any) -> None:
        """Once it has fired, nothing is left to do, and it fires at once."""
        brain = self.make()
        self.successResultOf(brain.flushed())
        memory = brain.namespace("a")
        memory["x"] = 1
        self.successResultOf(brain.flushed())
        self.successResultOf(brain.flushed())
        self.assertEqual(str(brain.state), "ok")

    def test_closed(self: Any) -> None:
        """After it was closed, using it is an error that says so."""
        brain = self.make()
        memory = brain.namespace("a")
        memory["x"] = 1
        self.successResultOf(brain.close())
        self.successResultOf(brain.close())
        for use in (memory.__len__, memory.clear, lambda: memory.get("x"), lambda: list(memory)):
            with self.assertRaisesRegex(BrainNotOpen, "stopped"):
                use()
        self.assertRaises(BrainNotOpen, memory.increment, "x")
