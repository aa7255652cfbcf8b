"""Much is said to a server that takes little at once: it arrives, and the stream never ends."""

from __future__ import annotations

from tests.daemon import XBOT, finish
from tests.integration.contract import Scene
from tests.integration.process import DEADLINE, wait_until
from xbot.chat.xmpp.stanzas.size_limit import MARGIN, SAFE
from xbot.engine.message_parts import MARK, MAX_PARTS

#: What of a room's message is not its text, as it comes to people.
HEAD = 1000


class SizeContract(Scene):
    """A server with a low limit, which for Prosody is the lowest (RFC 6120, section 13.12)."""

    limit = SAFE + MARGIN

    def test_far_too_much(self) -> None:
        """What is said, and answered, by 65,536 characters that are escaped comes in pieces."""
        self.server = self.other_server(stanza_size=self.limit)
        room = self.room()
        alice = self.person()
        alice.create(room)
        use = "[responder shout]\nuse = tests.integration.deeds:shout\n"
        bot = self.bot([room], extra=use)
        bot.start_and_join()
        alice.say(room, "xbot: shout")
        wait_until(
            lambda: any(heard.body.startswith("[more: ") for heard in alice.messages),
            lambda: f"the answer's end\n{bot.text()[-3000:]}",
            DEADLINE,
        )
        self.catch_up(alice, room)
        sender = f"{room}/xbot"
        bodies = [heard.body for heard in alice.messages if heard.sender == sender]
        said = [body for body in bodies if body.startswith("&")]
        self.assertEqual(len(said), MAX_PARTS)
        self.assertTrue(said[-1].endswith(MARK))
        self.assertGreater(sum(map(len, said)), MAX_PARTS * (SAFE - HEAD) // 5)
        # Now, and when more is asked for.
        self.assertEqual(sum(body.startswith("<") for body in bodies), 3)
        alice.say(room, "xbot: more")
        self.catch_up(alice, room)
        self.assertNotIn("no connection", bot.text())
        self.assertIn("cut a message to", bot.text())


class PoisonContract(Scene):
    """A server that takes less than it may: Prosody cannot be told to."""

    def test_less_than_any_server_may_take(self) -> None:
        """A text that ends the stream each time is dropped, and told; its neighbours arrive."""
        self.server = self.other_server(stanza_size=SAFE // 2)
        room = self.room()
        alice = self.person()
        alice.create(room)
        bot = self.bot([room], xmpp="reconnect-max = 1s")
        bot.start_and_join()
        for text in ("echo before", "echo after"):
            alice.say(room, text)
        state = str(bot.folder / "state")
        ended = finish([*XBOT, "say", "--state", state, "--timeout", "30s", room, "&" * 1500])
        self.assertEqual(ended.returncode, 65, ended.stderr)
        self.catch_up(alice, room)
        for text in ("echo before", "echo after"):
            alice.expect(f"{room}/xbot", text)
        self.assertEqual(bot.text().count("dropped a message to"), 1)
        self.assertEqual(bot.text().count("no connection: "), 2)
