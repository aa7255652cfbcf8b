"""Tests of :mod:`xbot.model.message`."""

from __future__ import annotations

from typing import Any

from attrs import evolve, fields
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from xbot.model.message import Message, reply_to

PUBLIC = Message(
    "ops@rooms/al",
    "xbot@x/bot",
    "ping",
    {"type": "groupchat", "id": "7"},
    room="ops@rooms",
    nick="al",
    identity="al@x",
)


class MessageTests(SynchronousTestCase):
    def test_frozen(self) -> None:
        """Nothing in a message changes, whatever becomes of what it was made of."""
        payload = {"type": "chat"}
        message = Message("a", "b", "hi", payload)
        payload["type"] = "groupchat"
        self.assertEqual(message.payload, {"type": "chat"})
        with self.assertRaises(TypeError):
            message.payload["type"] = "normal"  # type: ignore[index]
        with self.assertRaises(FrozenInstanceError):
            message.body = "no"  # type: ignore[misc]

    def test_values(self) -> None:
        """Messages are compared by what they say and can be kept in sets."""
        self.assertEqual(Message("a", "b", "hi"), Message("a", "b", "hi"))
        self.assertEqual(len({Message("a", "b", "hi"), Message("a", "b", "hi", {})}), 1)
        self.assertNotEqual(Message("a", "b", "hi"), Message("a", "b", "hi", {"type": "chat"}))

    def test_is_public(self) -> None:
        """Only a groupchat message is seen by everyone."""
        self.assertTrue(PUBLIC.is_public)
        self.assertFalse(Message("a", "b", "hi", {"type": "chat"}).is_public)
        self.assertFalse(Message("a", "b", "hi").is_public)

    def test_reply_in_public(self) -> None:
        """What was said in a room is answered to the room, without the asker's facts."""
        self.assertEqual(
            reply_to(PUBLIC, "pong"),
            Message("xbot@x/bot", "ops@rooms", "pong", {"type": "groupchat"}, room="ops@rooms"),
        )

    def test_reply_in_private(self) -> None:
        """What was said to the bot alone, even through a room, is answered to its sender."""
        private = Message("ops@rooms/al", "me", "ping", {"type": "chat"}, "ops@rooms", "al")
        reply = reply_to(private, "pong")
        self.assertEqual((reply.recipient, reply.sender), ("ops@rooms/al", "me"))
        self.assertFalse(reply.is_public)
        self.assertEqual(reply_to(Message("a", "b", "hi"), "x"), Message("b", "a", "x"))

    def test_reply_has_no_key(self) -> None:
        """An answer is another message than what it answers."""
        self.assertIsNone(reply_to(Message("a", "b", "hi", key="1"), "x").key)

    def test_speaker(self) -> None:
        """People are called by their nick, else by the local part, else as they are."""
        self.assertEqual(PUBLIC.speaker, "al")
        for sender, speaker in (("al@x/y", "al"), ("x.org", "x.org"), ("me@@", "me@@")):
            self.assertEqual(Message(sender, "b", "hi").speaker, speaker)

    def test_reply_is_live(self) -> None:
        """An answer is neither the past nor an echo, whatever it answers."""
        reply = reply_to(Message("a", "b", "hi", delayed=True, echo=True), "x")
        self.assertEqual((reply.delayed, reply.echo), (False, False))


class WithIdTests(SynchronousTestCase):
    def test_nothing_else_changes(self) -> None:
        """A message with an id is the same message in everything else, whatever fields it has."""
        said = Message("a", "b", "c", {"type": "chat", "x": "y"})
        for number, each in enumerate(fields(Message)):
            if each.name not in ("payload", "_reply_channel"):
                said = evolve(said, **{each.name: f"v{number}"})
        self.assertEqual(
            said.with_id("1"), evolve(said, payload={"type": "chat", "x": "y", "id": "1"})
        )

    def test_voice(self) -> None:
        """Nor does a reply_channel change anything but who speaks."""
        reply_channel: Any = object()
        given = PUBLIC.with_reply_channel(reply_channel)
        self.assertEqual(given, PUBLIC)
        self.assertIs(given._reply_channel, reply_channel)
