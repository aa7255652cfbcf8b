"""Tests of webhooks with ``template = responder``."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.environment import FakeEnvironment
from tests.webhooks.test_door import JSON, ROOM, FalseSpool
from xbot import Failed, say, webhook
from xbot.api.decorators import is_responder
from xbot.config.settings import RESPONDER, ResponderSettings, Secret, WebhookSettings
from xbot.engine.loading import code
from xbot.engine.loading.mistakes import Mistakes
from xbot.runtime.responder import Responder
from xbot.web.posting import PostRequest
from xbot.webhooks.door import WebhookEndpoint

HOOK = WebhookSettings("orders", "/webhook/orders", (ROOM,), RESPONDER, Secret("hunter2"))


class ResponderCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.around = FakeEnvironment()
        self.around.rooms.add(ROOM)
        self.spool = FalseSpool()
        self.responders: list[Responder] = []
        self.door = WebhookEndpoint(self.spool, self.around.clock, self.taker)  # type: ignore[arg-type]
        self.successResultOf(self.door.change([HOOK]))

    def taker(self, name: str) -> Any:
        scopes = [each.scope for each in self.responders if each.scope is not None]
        return next((scope.posts[name] for scope in scopes if name in scope.posts), None)

    def load(self, target: object) -> Responder:
        """The responder of this code, started."""
        self.patch(code, "find", lambda settings: [target])
        settings = ResponderSettings("shop", use="shop", timeout=20.0)
        loaded = code.responder_of_code(settings, self.around.environment())
        self.responders = [loaded]
        assert loaded.scope is not None
        self.successResultOf(loaded.scope.start())
        return loaded

    def begin(self, value: object) -> Deferred[Any]:
        """What is posted is taken by the responder."""
        headers = {**JSON, "authorization": "Bearer hunter2", "x-shop": "1"}
        return self.door.post(PostRequest(HOOK.path, headers, json.dumps(value).encode()))

    def post(self, value: object) -> tuple[int, str]:
        """What that is answered."""
        answer = self.successResultOf(self.begin(value))
        return answer.status, answer.body.decode().rstrip("\n")


class TakenTests(ResponderCase):
    def test_said(self) -> None:
        """What a function returns is said as all webhooks say it; it sees no proof of anything."""
        seen: list[Any] = []

        @webhook("orders")
        def ordered(payload: dict[str, Any], headers: dict[str, str]) -> str:
            seen.append((payload, headers))
            return f"An order: {payload['total']}\nxbot: deploy\u202e"

        self.load(ordered)
        self.assertEqual(self.post({"total": 7}), (202, "this will be said"))
        told = "[orders] An order: 7\n  xbot: deploy"
        self.assertEqual(self.spool.kept, [("orders", (ROOM,), told)])
        self.assertEqual(seen, [({"total": 7}, {**JSON, "x-shop": "1"})])

    def test_replayed(self) -> None:
        """A signed body under another event's header does not reach the responder."""
        events = []

        @webhook("orders")
        def take(data: dict[str, Any], headers: dict[str, str]) -> None:
            events.append(headers["x-github-event"])

        self.load(take)
        body = b'{"action": "opened"}'
        digest = hmac.new(b"hunter2", body, "sha256").hexdigest()
        statuses = []
        for event in "issues", "deployment", "issues":
            signature = {"x-hub-signature-256": f"sha256={digest}", "x-github-event": event}
            posted = PostRequest(HOOK.path, {**JSON, **signature}, body)
            statuses.append(self.successResultOf(self.door.post(posted)).status)
        self.assertEqual((statuses, events), ([200, 403, 200], ["issues", "issues"]))

    def test_methods(self) -> None:
        """Methods take posts, too, and coroutines; what they say elsewhere is their own."""

        class Shop:
            @webhook("orders")
            async def ordered(self, payload: Any, headers: Any) -> list[str]:
                say(ROOM, "look")
                return ["one", "two"]

        self.load(Shop())
        self.assertEqual(self.post({})[0], 202)
        self.assertEqual(self.spool.kept[0][2], "[orders] one\n  two")
        self.assertEqual(self.around.said[0].body, "look")

    def test_says_too_much(self) -> None:
        """An iterator with too much to say is read to its end, and the log tells of the cut."""
        done: list[bool] = []
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)

        def steps() -> Iterator[str]:
            yield from map(str, range(50))
            done.append(True)

        self.load(webhook("orders")(lambda payload, headers: steps()))
        self.assertEqual(self.post({})[0], 202)
        self.assertEqual(done, [True])
        self.assertIn("[cut after 10 messages]", self.spool.kept[0][2])
        told = [formatEvent(each) for each in events]
        cut = "shop said more about the post to orders than is shown: only the first 10 messages"
        self.assertEqual(told.count(cut), 1)

    def test_nothing(self) -> None:
        """A function that returns nothing says nothing."""
        self.load(webhook("orders")(lambda payload, headers: None))
        self.assertEqual(self.post({}), (200, "there is nothing to say of this"))

    def test_failures(self) -> None:
        """Failed refuses the post in one line; a mistake is for the log and the server's 500."""

        @webhook("orders")
        def ordered(payload: dict[str, Any], headers: Any) -> None:
            if "total" not in payload:
                raise Failed("no total\nhere")
            raise ZeroDivisionError

        self.load(ordered)
        self.assertEqual(self.post({}), (400, "no total here"))
        self.failureResultOf(self.begin({"total": 1}), ZeroDivisionError)

    def test_slow(self) -> None:
        """What takes longer than the responder may is given up, and may be posted again."""
        self.load(webhook("orders")(lambda payload, headers: Deferred()))
        answer = self.begin({})
        self.around.clock.advance(20)
        self.assertEqual(self.successResultOf(answer).status, 503)

    def test_nobody(self) -> None:
        """Without the responder, or once it is unloaded, the post may be tried again later."""
        self.assertEqual(self.post({}), (503, "no responder handles this webhook; try again later"))
        loaded = self.load(webhook("orders")(lambda payload, headers: "x"))
        assert loaded.scope is not None
        loaded.scope.close()
        self.assertEqual(self.post({}), (503, "this cannot be done now; try again later"))


class DeclaredTests(ResponderCase):
    def test_is_responder(self) -> None:
        """What takes posts and answers to nothing is a responder all the same."""
        function = webhook("orders")(lambda payload, headers: None)
        self.assertTrue(is_responder(function))
        self.assertEqual(self.load(function).routes, ())

    def test_wrong(self) -> None:
        """What cannot take a payload and headers is told when it is loaded."""

        def yields(payload: Any, headers: Any) -> Any:
            yield "x"

        for function in (lambda payload: None, lambda a, b, c: None, yields):
            self.assertRaises(Mistakes, self.load, webhook("orders")(function))
