"""Tests of :mod:`xbot.webhooks.gitlab`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.samples import part
from xbot.webhooks.gitlab import gitlab
from xbot.webhooks.payload import Part, WrongPayload

URL = "https://gitlab.example/acme/web/-"


class GitLabTests(SynchronousTestCase):
    def said(self, event: str, **changes: Any) -> list[str]:
        """The lines of an event; ``changes`` are to its ``object_attributes``."""
        payload = part(f"gitlab-{event}")
        if changes:
            payload["object_attributes"].value.update(changes)
        report = gitlab({}, payload)
        return report.said("code", report.items).splitlines() if report.items else []

    def test_events(self) -> None:
        """Each event that we know is told in a sentence with its result and a link."""
        for event, *told in (
            ("push", f"alice pushed 1 commit to main {URL}/commits/main",
             "  2113728f docs: say so (Alice)"),
            ("tag_push", f"alice made the tag v1.2 {URL}/tree/v1.2"),
            ("merge_request", f"alice merged merge request !2: Keep the session"
             f" {URL}/merge_requests/2"),
            ("issue", f"alice opened issue #1: Login fails after a restart {URL}/issues/1"),
            ("note", f"alice commented on merge request !2 (Keep the session)"
             f" {URL}/merge_requests/2#note_1244", "  Fixed on main."),
            ("pipeline", f"pipeline #31 (Nightly) on main: failed in unit: docs: say so"
             f" {URL}/pipelines/31"),
            ("release", f"release create {URL}/releases/v1.2"),
        ):  # fmt: skip
            self.assertEqual(self.said(event), [f"[code] acme/web: {told[0]}", *told[1:]], event)

    def test_pipelines(self) -> None:
        """Only the end of a pipeline is told; an old GitLab, without its URL, gets a link, too."""
        for status in "created", "pending", "running", "skipped", "manual", ["pending"]:
            self.assertEqual(self.said("pipeline", status=status), [], status)
        (told,) = self.said("pipeline", status="success", url=None, name=None)
        self.assertIn("pipeline #31 on main: success", told)
        self.assertTrue(told.endswith(f" {URL}/pipelines/31"))

    def test_quiet(self) -> None:
        """Updates, notes of GitLab itself, and edits of notes say nothing."""
        self.assertEqual(self.said("merge_request", action="update"), [])
        self.assertEqual(self.said("issue", action="update"), [])
        self.assertEqual(self.said("note", system=True), [])
        self.assertEqual(self.said("note", action="update"), [])

    def test_refs(self) -> None:
        """New and deleted branches are told by the commit that is none."""
        for name, told in (("before", "to the new branch main"), ("after", "deleted the branch")):
            payload = part("gitlab-push")
            payload.value[name] = "0" * 40
            report = gitlab({}, payload)
            self.assertIn(told, report.said("code", report.items))

    def test_notes(self) -> None:
        """A note on a commit names the commit."""
        payload = part("gitlab-note")
        payload["object_attributes"].value["noteable_type"] = "Commit"
        payload.value["commit"] = {"id": "2113728f27ae", "message": "docs: say so\n\nx"}
        report = gitlab({}, payload)
        self.assertIn("commented on commit 2113728f (docs: say so)", report.items[0].lines[0])

    def test_keys(self) -> None:
        """Only the id of the delivery tells that it came before."""

        def key(**headers: str) -> str | None:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return gitlab(named, part("gitlab-push")).items[0].key

        self.assertIsNone(key())
        self.assertEqual(key(idempotency_key="1"), key(idempotency_key="1"))
        self.assertNotEqual(key(idempotency_key="1"), key(idempotency_key="2"))
        self.assertIsNotNone(key(x_gitlab_event_uuid="1"))

    def test_wrong(self) -> None:
        """What is no payload of GitLab is refused with a reason."""
        for value, told in (
            ({}, "object_kind is missing: this is not from GitLab"),
            ({"object_kind": "push"}, "ref is missing, or not a text"),
            ({"object_kind": "issue"}, "object_attributes is missing, or not an object"),
        ):
            wrong = self.assertRaises(WrongPayload, gitlab, {}, Part(value))
            self.assertEqual(wrong.reason, told)
