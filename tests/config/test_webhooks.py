"""Tests of :mod:`xbot.config.webhooks`."""

from __future__ import annotations

from tests.config.test_reader import MINIMAL, Folder
from xbot.config.describe import describe
from xbot.config.settings import Secret, WebhookSettings
from xbot.model.jid import Jid
from xbot.model.token_bucket import Rate

ROOM = "ops@rooms.example"
BASE = f"{MINIMAL}[room {ROOM}]\n[room dev@rooms.example]\n"
HTTP = BASE + "[http]\nlisten = 127.0.0.1:8088\n"
HOOK = f"[webhook alerts]\nroom = {ROOM}\n"


class WebhookTests(Folder):
    def refused(self, text: str) -> list[str]:
        """What is wrong with the last section, without its place."""
        return [each.split(": ", 1)[1] for each in self.problems(text)]

    def test_everything(self) -> None:
        """Each option ends up, typed, in its setting; the secret is nowhere to be seen."""
        self.write("hunter2\n", "good")
        self.write("{alert.title}\nat {alert.host}\n", "text")
        found = self.load(
            HTTP
            + HOOK
            + "template = alertmanager\nsecret-file = good\n"
            + f"[webhook own]\npath = /hooks/own\nroom = dev@rooms.example {ROOM}\n"
            + "template = file:text\nsecret = none\ndedupe = 2h\ndedupe-key = alert.id\n"
            + "rate = 5/1m\ncode = yes\n"
            + HOOK.replace("alerts", "no")
            + "template = {a} at {b.c}\nsecret = none\ndedupe = no\n"
        )
        alerts, own, no = found.webhooks
        self.assertEqual(
            alerts,
            WebhookSettings(
                "alerts", "/webhook/alerts", (ROOM,), "alertmanager", Secret("hunter2")
            ),
        )
        self.assertEqual(
            own,
            WebhookSettings(
                "own",
                "/hooks/own",
                ("dev@rooms.example", ROOM),
                "{alert.title}\nat {alert.host}\n",
                None,
                7200.0,
                "alert.id",
                Rate(5, 60.0),
                True,
            ),
        )
        self.assertEqual((no.dedupe, no.template), (0.0, "{a} at {b.c}"))
        own = HOOK + "template = {a}\nsecret = none\n"
        for text, by_text in ((own, False), (own + "dedupe-text = yes\n", True)):
            self.assertEqual(self.load(HTTP + text).webhooks[0].dedupe_text, by_text)
        self.assertNotIn("hunter2", repr(found) + describe(found))
        self.assertIn(
            f"webhook    alerts at /webhook/alerts: alertmanager, with a secret, in {ROOM}\n",
            describe(found),
        )
        self.assertEqual(self.load(MINIMAL).webhooks, ())

    def test_people(self) -> None:
        """A person whom may-write-to names can be the target of a webhook, beside rooms."""
        ini = HTTP + "[xbot]\nmay-write-to = alice@example.org @ops.example.org staff\n"
        ini += "[group staff]\nmembers = bob@example.org\n"
        hook = "[webhook own]\ntemplate = {a}\nsecret = none\n"
        people = ("alice@example.org", "bob@example.org", "carol@ops.example.org")
        for option in "to", "room":
            found = self.load(f"{ini}{hook}{option} = {ROOM} {' '.join(people)}\n")
            self.assertEqual(found.webhooks[0].rooms, tuple(sorted((*people, ROOM))))
        self.assertIn(
            "writes to  @ops.example.org alice@example.org bob@example.org, also unasked\n",
            describe(found),
        )
        both = self.load(f"{ini}{hook}room = {ROOM}\nto = {people[0]}\n")
        self.assertEqual(both.webhooks[0].rooms, (people[0], ROOM))
        for place in "eve@example.org", "carol@sub.ops.example.org":
            (told,) = self.refused(f"{ini}{hook}to = {place}\n")
            wanted = f"there is no [room {place}], and may-write-to in [xbot] names no such person"
            self.assertIn(wanted, told)
        (told,) = self.refused(f"{HTTP}{hook}to = {people[0]}\n")
        self.assertIn("names no such person", told)
        (told,) = self.refused(f"{ini}{hook}to = ops.example.org\n")
        self.assertIn("is neither ROOM@SERVICE nor NAME@DOMAIN", told)

    def test_may_write_to(self) -> None:
        """Unasked, the bot writes only to people whom the ini names, and to a responder's own."""
        found = self.load(
            MINIMAL
            + "[xbot]\nmay-write-to = alice@example.org\n"
            + "[responder tea]\nmatch = tea\nreply = tea\nallow = @example.org room-members\n"
            + "deny = eve@example.org\n[responder open]\nmatch = x\nreply = x\n"
        )

        def may(person: str, responder: str | None = None) -> bool:
            return found.may_write_to(Jid.parse(person), responder)

        for responder in None, "tea", "open", "help":
            self.assertTrue(may("alice@example.org/phone", responder))
            self.assertFalse(may("mallory@example.net", responder))
            self.assertFalse(may("example.org", responder))
            self.assertEqual(may("bob@example.org", responder), responder == "tea")
            self.assertFalse(may("eve@example.org", responder))
        self.assertFalse(self.load(MINIMAL).may_write_to(Jid.parse("alice@example.org")))

    def test_default_secret(self) -> None:
        """systemd's credential of the webhook's name is its secret."""
        folder = self.folder / "credentials"
        folder.mkdir()
        self.write("hunter2", "credentials/webhook.alerts")
        self.environ = {**self.environ, "CREDENTIALS_DIRECTORY": str(folder)}
        found = self.load(HTTP + HOOK + "template = grafana\n")
        self.assertEqual(found.webhooks[0].secret, Secret("hunter2"))

    def test_secret_is_needed(self) -> None:
        """Without a secret, in these words, only this machine may post."""
        hook = HOOK + "template = github\n"
        missing = (
            "[webhook alerts]: secret-file is missing: a file that only you can read (chmod 600),"
            " with what the sender knows, too; or secret = none, where only this machine can post"
        )
        self.assertEqual(self.refused(HTTP + hook), [missing])
        self.load(HTTP + hook + "secret = none\n")
        socket = BASE + "[http]\nlisten = /run/xbot/http\n"
        self.load(socket + hook + "secret = none\n")
        anywhere = BASE + "[http]\nlisten = 0.0.0.0:80\n"
        self.assertEqual(
            self.refused(anywhere + hook + "secret = none\n"),
            [
                "[webhook alerts] secret: anybody who reaches 0.0.0.0:80 could post: listen at"
                " 127.0.0.1 or a socket, or set secret-file"
            ],
        )
        self.write("hunter2", "good")
        self.load(anywhere + hook + "secret-file = good\n")
        self.write("hunter2", "open", mode=0o644)
        (told,) = self.refused(HTTP + hook + "secret-file = open\n")
        self.assertIn("is open to other users: chmod 600", told)

    def test_secret_is_not_told(self) -> None:
        """A secret that stands in the ini by mistake is refused, and not repeated."""
        told = self.refused(HTTP + HOOK + "template = github\nsecret = hunter2\n")
        self.assertEqual(
            told,
            [
                "[webhook alerts] secret: only none is possible; a secret stands in a file"
                " (secret-file)"
            ],
        )

    def test_mistakes(self) -> None:
        """What is wrong is told with the option and the cure."""
        good = "template = github\nsecret = none\n"
        names = "alertmanager, grafana, github, gitea, gitlab, sentry, responder"
        for text, told in (
            (BASE + HOOK + good, ["needs an [http] section that says where to listen"]),
            (
                HTTP + "[webhook alerts]\n" + good,
                ["to is missing: the room or person that gets the text"],
            ),
            (
                HTTP + HOOK.replace("ops@", "obs@") + good,
                [f"may-write-to in [xbot] names no such person; did you mean {ROOM}?"],
            ),
            (
                HTTP + HOOK + "secret = none\n",
                [f"template is missing: {names}, or a text with fields"],
            ),
            (
                HTTP + HOOK + "secret = none\ntemplate = githup\n",
                [
                    f" template: githup is none of {names}, and no text with fields;"
                    " did you mean github?"
                ],
            ),
            (
                HTTP + HOOK + "secret = none\ntemplate = {a\n",
                [" template: a lone {; write {{ to mean it (character 1)"],
            ),
            (
                HTTP + HOOK + "secret = none\ntemplate = {a!r}\n",
                [" template: {a!r} is no field; write {{a!r}} to mean the braces (character 1)"],
            ),
            (
                HTTP + HOOK + good + "dedupe-key = a\n",
                [" dedupe-key: github knows by itself what tells one from another"],
            ),
            (
                HTTP + HOOK + good + "path = /metrics\n",
                [
                    " path: '/metrics' is no path of two names or more, such as"
                    " /webhook/alerts"
                ],
            ),
            (
                HTTP + HOOK + good + "path = /a/b\n" + HOOK.replace("alerts", "b") + good
                + "path = /a/b\n",
                ["/a/b is the one of line 7 already"],
            ),
            (
                HTTP + HOOK + good + "rate = 9\n",
                [" rate: '9' is no rate: write it like 4/4s (4 in 4 seconds), or off"],
            ),
            (
                HTTP + HOOK + good + "dedupe-key = a..b\n",
                [" dedupe-key: 'a..b' is no field such as alert.id"],
            ),
        ):  # fmt: skip
            problems = self.refused(text)
            self.assertEqual(len(problems), len(told), problems)
            for problem, end in zip(problems, told, strict=True):
                self.assertTrue(problem.endswith(end), problem)
        self.write("{a}", "open", mode=0o666)
        (told,) = self.refused(HTTP + HOOK + "secret = none\ntemplate = file:open\n")
        self.assertIn("template: anyone can write to it: chmod o-w", told)
        (told,) = self.refused(HTTP + HOOK + "secret = none\ntemplate = file:none\n")
        self.assertIn("there is no file", told)
