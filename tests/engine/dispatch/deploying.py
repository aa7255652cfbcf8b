"""Test fixture: a responder with side effects that counts its runs, and a journal in memory."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from tests.engine.dispatch.test_dispatcher import DispatcherCase, responder
from xbot.api.decorators import respond
from xbot.model.message import Message
from xbot.runtime.responder import Responder
from xbot.testing.journal import MemoryJournal


class DeployCase(DispatcherCase):
    def setUp(self) -> None:
        super().setUp()
        self.ran: list[str] = []
        self.journal = MemoryJournal()

    def deploy(self, **options: Any) -> Responder:
        @respond("deploy (?P<app>\\w+)")
        def deploy(message: Message, app: str) -> str:
            self.ran.append(app)
            return f"{app} is deployed"

        return evolve(responder(deploy), **options)
