"""Tests of :mod:`xbot.webhooks.door`."""

from __future__ import annotations

import hmac
import json
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.effort import examples
from tests.webhooks.samples import FOLDER, sample
from tests.webhooks.test_payload import anything
from xbot.config.settings import WEBHOOK_TEMPLATES, Secret, WebhookSettings
from xbot.model.file_state import FileUnavailable
from xbot.model.token_bucket import Rate
from xbot.web.posting import PostRequest
from xbot.webhooks.door import READERS, STATUSES, WebhookEndpoint, read
from xbot.webhooks.file import TooMuchWaits
from xbot.webhooks.payload import Part, WrongPayload
from xbot.webhooks.proof import Signed

ROOM = "ops@rooms.example"
SECRET = Secret("hunter2")
JSON = {"content-type": "application/json"}
GITHUB = WebhookSettings("code", "/webhook/code", (ROOM,), "github", SECRET)
OPEN = WebhookSettings("own", "/webhook/own", (ROOM,), "{alert.title}")


class FalseSpool:
    """Fake spool that records what it was given; ``problem`` is the error it fails with."""

    unsaid = 0

    def __init__(self) -> None:
        self.fates: dict[str, int] = {}
        self.kept: list[tuple[str, tuple[str, ...], str]] = []
        self.problem: Exception | None = None
        self.is_news = True
        self.events: dict[str, str] = {}
        self.keys: list[str] = []

    def open(self, rooms: object) -> Deferred[None]:
        return succeed(None)

    def binds(self, signed: Signed) -> Deferred[bool]:
        if self.problem is not None:
            return fail(self.problem)
        return succeed(self.events.setdefault(signed.body, signed.event) == signed.event)

    def keep(self, source: str, rooms: Any, items: Any, said: Any, window: float) -> Deferred[bool]:
        if self.problem is not None:
            return fail(self.problem)
        self.keys += [item.key for item in items]
        self.kept.append((source, rooms, said(items)))
        return succeed(self.is_news)


class DoorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.spool = FalseSpool()
        self.door = WebhookEndpoint(self.spool, self.clock)  # type: ignore[arg-type]
        self.successResultOf(self.door.change([GITHUB, OPEN]))

    def post(self, body: bytes, path: str = OPEN.path, **headers: str) -> tuple[int, str]:
        """The status and the line that it is answered."""
        named = {**JSON, **{name.replace("_", "-"): text for name, text in headers.items()}}
        answer = self.successResultOf(self.door.post(PostRequest(path, named, body)))
        return answer.status, answer.body.decode().rstrip("\n")

    def post_signed(self, name: str, **more: str) -> tuple[int, str]:
        body = sample(f"github-{name}")
        digest = hmac.new(b"hunter2", body, "sha256").hexdigest()
        headers = {"x_hub_signature_256": f"sha256={digest}", "x_github_event": name, **more}
        return self.post(body, GITHUB.path, **headers)


class AnswerTests(DoorCase):
    def test_accepted(self) -> None:
        """202 once it is kept; 200 for what is no news, or says nothing."""
        self.assertEqual(self.post(sample("generic")), (202, "this will be said"))
        self.assertEqual(self.spool.kept, [("own", (ROOM,), "[own] Backup failed")])
        self.assertEqual(self.post_signed("push"), (202, "this will be said"))
        self.spool.is_news = False
        self.assertEqual(self.post_signed("push"), (200, "this was said before"))
        body = b'{"issue": {}, "action": "labeled"}'
        digest = hmac.new(b"hunter2", body, "sha256").hexdigest()
        told = self.post(body, GITHUB.path, x_gitea_signature=digest, x_github_event="issues")
        self.assertEqual(told, (200, "there is nothing to say of this"))

    def test_secret(self) -> None:
        """Without the secret nothing is kept, and nothing else is told."""
        told = self.post(b"no JSON", GITHUB.path)
        self.assertEqual(told[0], 401)
        self.assertIn("no proof came; expected is a signature (X-Hub-Signature-256, ", told[1])
        told = self.post(b"no JSON", GITHUB.path, authorization="Bearer x")
        reason = "Authorization: Bearer came, and is not the secret of this webhook"
        self.assertEqual(told, (403, reason))
        self.assertEqual(self.spool.kept, [])
        told = self.post(b"no JSON", GITHUB.path, authorization="Bearer hunter2")
        self.assertEqual(told[0], 400)

    def test_replayed(self) -> None:
        """A signed body is taken again as the same event only, whatever the delivery's id."""
        self.assertEqual(self.post_signed("push", x_github_delivery="1")[0], 202)
        for event in "create", "issues", "made-up":
            status, told = self.post_signed("push", x_github_event=event)
            self.assertEqual((status, len(self.spool.kept)), (403, 1), told)
        self.assertIn("came before, as another event", told)
        # The header of another forge, which the template does not read.
        self.assertEqual(self.post_signed("push", x_gitea_event="create")[0], 403)
        self.post_signed("push", x_github_delivery="2")
        self.assertEqual(len(set(self.spool.keys)), 1)

    def test_replayed_after_silence(self) -> None:
        """Nor is a body taken as another event that was not reported as its own."""
        body = b'{"issue": {}, "action": "labeled"}'
        digest = hmac.new(b"hunter2", body, "sha256").hexdigest()
        for event, status in ("issues", 200), ("release", 403), ("issues", 200):
            told = self.post(body, GITHUB.path, x_gitea_signature=digest, x_github_event=event)
            self.assertEqual(told[0], status, event)

    def test_redelivered(self) -> None:
        """A delivery that failed is taken when it comes again, as the same event."""
        self.spool.problem = FileUnavailable(FOLDER, "disk full")
        self.assertEqual(self.post_signed("push", x_github_delivery="1")[0], 503)
        self.spool.problem = None
        told = self.post_signed("push", x_github_delivery="1")
        self.assertEqual(told, (202, "this will be said"))

    def test_token(self) -> None:
        """Without a signature the delivery's id identifies the event, as before."""
        for delivery in "1", "2":
            headers = {"authorization": "Bearer hunter2", "x_github_event": "push"}
            self.post(sample("github-push"), GITHUB.path, x_github_delivery=delivery, **headers)
        self.assertEqual(len(set(self.spool.keys)), 2)

    def test_wrong(self) -> None:
        """What is wrong is told in one line that names the place."""
        self.assertEqual(self.post(b"{}", "/webhook/none")[0], 404)
        self.assertEqual(
            self.post(b"{}"), (400, "none of the fields of the template is there: alert.title")
        )
        for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            told = self.post(b"{}", content_type=kind)
            self.assertEqual(told, (415, "the content type must be application/json"))

    def test_counted(self) -> None:
        """Each answer counts for its webhook from 0 on; who posts elsewhere counts for none."""
        self.post(sample("generic"))
        self.spool.is_news = False
        self.post(sample("generic"))
        self.spool.problem = ZeroDivisionError()
        self.failureResultOf(
            self.door.post(PostRequest(OPEN.path, JSON, sample("generic"))), ZeroDivisionError
        )
        self.post(b"{}", GITHUB.path)
        self.post(b"{}", "/webhook/none")
        answers = self.door.posts().answers
        self.assertEqual(set(answers), {"own", "code"})
        self.assertEqual(tuple(answers["own"]), STATUSES)
        self.assertEqual(
            {status: count for status, count in answers["own"].items() if count},
            {"200": 1, "202": 1, "500": 1},
        )
        self.assertEqual((answers["code"]["401"], sum(answers["code"].values())), (1, 1))
        self.door.change([GITHUB])
        answers = self.door.posts().answers
        self.assertEqual((set(answers), answers["code"]["401"]), ({"code"}, 1))

    def test_kinds(self) -> None:
        """JSON may say its character set, and may be one of its relatives."""
        for kind in ("Application/JSON; charset=utf-8", "application/cloudevents+json"):
            self.assertEqual(self.post(sample("generic"), content_type=kind)[0], 202)

    def test_rate(self) -> None:
        """So many posts a minute are taken; those that prove nothing use nothing up."""
        self.door.change([evolve(GITHUB, rate=Rate(1, 60.0))])
        for _ in range(5):
            self.assertEqual(self.post(b"", GITHUB.path, authorization="Bearer x")[0], 403)
        self.assertEqual(self.post_signed("push")[0], 202)
        self.assertEqual(self.post_signed("push"), (429, "more than 1 in 60 s; try again later"))
        self.clock.advance(60)
        self.assertEqual(self.post_signed("push")[0], 202)

    def test_unkept(self) -> None:
        """503 when it cannot be kept now."""
        for problem in (TooMuchWaits(2000), FileUnavailable(FOLDER, "disk full")):
            self.spool.problem = problem
            status, told = self.post(sample("generic"))
            self.assertEqual(status, 503)
            self.assertTrue(told.endswith("try again later"))
            self.assertNotIn("disk", told)

    def test_change(self) -> None:
        """Other webhooks count at once."""
        self.door.change([OPEN])
        self.assertEqual(
            [self.door.is_path(path) for path in (OPEN.path, GITHUB.path, "/")],
            [True, False, False],
        )
        self.assertEqual(self.post(b"{}", GITHUB.path)[0], 404)

    def test_templates(self) -> None:
        """Every template that an ini can name is there."""
        self.assertEqual(tuple(READERS), WEBHOOK_TEMPLATES)


#: What payloads of the vendors are made of, so that hostile ones get far.
NAMES = st.sampled_from(
    """
    alerts status labels annotations alertname severity summary startsAt fingerprint groupLabels
    truncatedAlerts ref before after commits id message author url action issue pull_request
    comment release workflow_run repository full_name sender login number title html_url
    merged conclusion head_commit total_commits object_kind object_attributes project user state
    status noteable_type note builds commit data event issue error review check_run workflow_job
    alert deployment deployment_status output description_title triggered_rule
    """.split()  # noqa: SIM905
)
EVENTS = st.sampled_from(
    """
    push pull_request issues issue_comment release workflow_run create ping check_run status
    workflow_job pull_request_review deployment deployment_status dependabot_alert event_alert
    metric_alert issue error comment
    """.split()  # noqa: SIM905
)
VALUES = anything | st.sampled_from(
    """
    firing opened closed created completed submitted failure failed push pipeline note
    merge_request open x
    """.split()  # noqa: SIM905
)
HOSTILE = st.dictionaries(
    NAMES,
    st.recursive(
        VALUES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
        max_leaves=20,
    ),
    max_size=8,
)


class HostileTests(SynchronousTestCase):
    def check(self, template: str, event: str, payload: Part) -> None:
        webhook = WebhookSettings("hook", "/webhook/hook", (ROOM,), template)
        names = ("x-github-event", "x-gitea-event", "sentry-hook-resource")
        headers = dict.fromkeys(names, event)
        try:
            report = read(webhook, headers, payload)
        except WrongPayload as wrong:
            self.assertEqual(wrong.reason.splitlines(), [wrong.reason])
            wrong.reason.encode()
            return
        if report.items:
            text = report.said("hook", report.items)
            text.encode()
            self.assertLess(len(text), 4000)
            first, *others = text.split("\n")
            self.assertTrue(first.startswith("[hook] "))
            self.assertTrue(all(line.startswith("  ") for line in others))
            self.assertEqual(len(text.splitlines()), len(text.split("\n")))

    @given(
        st.sampled_from([*WEBHOOK_TEMPLATES, "{a.b} {status} {alerts.0.labels}"]), EVENTS, HOSTILE
    )
    @settings(max_examples=examples(200))
    def test_any(self, template: str, event: str, value: Any) -> None:
        """Whatever is posted, it is a harmless text or a reason, on lines of our own making."""
        self.check(template, event, Part(json.loads(json.dumps(value))))

    @given(st.sampled_from(sorted(FOLDER.glob("*.json"))), st.data())
    @settings(max_examples=examples(150))
    def test_nearly_right(self, path: Any, data: Any) -> None:
        """A vendor's message with anything in the place of anything is no surprise, too."""
        value = json.loads(path.read_bytes())
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            inner = place[key]
            if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
                break
            place = inner
        place[key] = data.draw(VALUES)
        vendor, _, event = path.stem.partition("-")
        template = vendor if vendor in WEBHOOK_TEMPLATES else "{alert.title} {alert.tags}"
        self.check(template, event or "push", Part(value))
