"""A bot whose process stands still for a while, as a debugger or a laptop's sleep makes it."""

from __future__ import annotations

import signal
import time

from tests.integration.contract import Scene
from xbot.process.suspend_detection import LIMIT

#: A responder that says that it ran.
_RESPONDER = "[responder deploy]\nmatch = deploy (?P<what>\\w+)\nreply = {what} is deployed\n"


class StopContract(Scene):
    """SIGSTOP and SIGCONT."""

    def test_the_past_is_not_obeyed_after_a_stop(self) -> None:
        """What was said meanwhile is told as missed, in its place; what is said then is obeyed."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.bot([room], extra=_RESPONDER)
        bot.start_and_join()
        alice.expect_presence(f"{room}/xbot", "available")
        alice.say(room, "xbot: deploy web")
        alice.expect(f"{room}/xbot", "web is deployed")
        since = bot.now()
        bot.process.signal(signal.SIGSTOP)
        alice.say(room, "xbot: deploy db")
        alice.tell(f"xbot@{self.server.domain}", "deploy mail")
        # As long as it counts, no longer: servers wait for the same word from us.
        time.sleep(LIMIT + 0.5)
        bot.process.signal(signal.SIGCONT)
        please = "I was away and missed that; please repeat what you still want."
        alice.expect(f"{room}/xbot", f'"deploy db" (alice): {please}')
        alice.expect(f"xbot@{self.server.domain}", f'"deploy mail": {please}', "chat")
        alice.say(room, "xbot: deploy all")
        alice.expect(f"{room}/xbot", "all is deployed")
        log = bot.text()[since:]
        self.assertIn("was away for 1", log)
        self.assertNotIn("no connection", log)
        said = [heard.body for heard in list(alice.messages)]
        self.assertNotIn("db is deployed", said)
        self.assertNotIn("mail is deployed", said)
