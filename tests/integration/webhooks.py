"""Contract tests: a webhook post is said in a room, also when the bot is killed meanwhile."""

from __future__ import annotations

import hmac
import socket
import urllib.error
import urllib.request

from tests.integration.contract import Scene
from tests.integration.daemon import Daemon
from tests.integration.person import Person
from tests.integration.process import DEADLINE, wait_until
from tests.integration.server import Server
from tests.webhooks.samples import sample

SECRET = "canary-of-the-webhook"


class WebhookContract(Scene):
    """A bot with two webhooks, and HTTP clients that post."""

    def start(self, room: str, server: Server | None = None) -> Daemon:
        """The bot, in ``room``."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        bot = self.bot(
            [room],
            server=server,
            own=f"may-write-to = alice@{(server or self.server).domain}",
            extra=f"[http]\nlisten = 127.0.0.1:{self.port}\n"
            f"[webhook code]\nroom = {room}\ntemplate = github\nsecret-file = webhook.secret\n"
            f"[webhook alerts]\nroom = {room}\ntemplate = alertmanager\nsecret = none\n"
            f"[webhook own]\nto = alice@{(server or self.server).domain}\n"
            "template = {what}\nsecret = none\n",
        )
        secret = bot.folder / "webhook.secret"
        secret.touch(0o600)
        secret.write_text(SECRET)
        bot.start_and_join()
        return bot

    def post(self, name: str, body: bytes, **headers: str) -> int:
        """What it is answered."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/webhook/{name}",
            body,
            {"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def test_said(self) -> None:
        """Who knows the secret is answered 202 and heard in the room, once; nobody else is."""
        room, alice = self.room(), self.person()
        alice.create(room)
        bot = self.start(room)
        body = sample("github-push")
        event = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
        self.assertEqual(self.post("code", body, **event), 401)
        self.assertEqual(
            self.post("code", body, **event, **{"X-Hub-Signature-256": "sha256=0"}), 403
        )
        digest = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        event["X-Hub-Signature-256"] = f"sha256={digest}"
        self.assertEqual(self.post("code", body, **event), 202)
        self.assertEqual(self.post("code", body, **event), 200)
        alice.expect(
            f"{room}/xbot",
            "[code] acme/web: alice pushed 2 commits to main"
            " https://github.example/acme/web/compare/a10867b14bb7...2113728f27ae\n"
            "  1113728f login: keep the session over a restart (alice)\n"
            "  2113728f docs: say so (alice)",
        )
        self.assertNotIn(SECRET, bot.text())

    def test_person(self) -> None:
        """A person gets the text in private, each time that it comes; also after being away."""
        room, alice = self.room(), Person(self.server, "alice")
        alice.create(room)
        self.start(room)
        address, body = f"xbot@{self.server.domain}", b'{"what": "the site is down"}'
        text = "[own] the site is down"
        for number in 1, 2:
            self.assertEqual(self.post("own", body), 202)
            wait_until(
                lambda number=number: alice.count(address, text) == number,
                lambda: f"{text}\n{alice.messages}",
                DEADLINE,
            )
        alice.leave()
        self.assertEqual(self.post("own", body), 202)
        # It is sent a second later: kept by the server, unless she is back before.
        alice = self.person()
        wait_until(
            lambda: sum(alice.count(address, text, delayed=kept) for kept in (True, False)),
            lambda: f"what was kept\n{alice.messages}",
            DEADLINE,
        )

    def test_killed_before_it_was_said(self) -> None:
        """What was answered 202 while the server was down is said after a kill -9, once."""
        server = self.other_server()
        room = f"webhooks@{server.muc}"
        bot = self.start(room, server)
        since = bot.now()
        server.stop()
        bot.await_log("no connection", since)
        body = sample("alertmanager-one")
        self.assertEqual(self.post("alerts", body), 202)
        bot.kill()
        server.start()
        alice = Person(server, "alice", bot.text)
        self.addCleanup(alice.leave)
        alice.join(room)
        bot.start_and_join()
        text = (
            "[alerts] FIRING DiskAlmostFull (critical): /srv on db1 is 96% full"
            " [instance=db1:9100, job=node, mountpoint=/srv]"
            " http://prometheus.example.org:9090/graph"
            "?g0.expr=node_filesystem_avail_bytes+%3C+1&g0.tab=1"
        )
        alice.expect(f"{room}/xbot", text)
        self.assertEqual(self.post("alerts", body), 200)
        bot.kill()
        bot.start_and_join()
        alice.say(room, "echo end")
        alice.expect(f"{room}/xbot", "echo end")
        said = [each for each in alice.messages if each.body == text]
        self.assertEqual(len(said), 1, said)
