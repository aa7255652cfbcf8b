"""Tests of :mod:`xbot.webhooks.forge`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.samples import part
from xbot.webhooks.forge import gitea, github
from xbot.webhooks.payload import Part, WrongPayload

URL = "https://github.example/acme/web"


class ForgeCase(SynchronousTestCase):
    def said(self, event: str, payload: Part | None = None) -> list[str]:
        """The lines that GitHub's ``event`` makes."""
        payload = payload or part(f"github-{event}")
        report = github({"x-github-event": event, "x-github-delivery": "7"}, payload)
        return report.said("code", report.items).splitlines() if report.items else []


class GitHubTests(ForgeCase):
    def test_events(self):
        """Each event that we know is told in a sentence with a link."""
        for event, *told in (
            ("pull_request", f"alice merged pull request #2: Keep the session {URL}/pull/2"),
            ("issues", f"alice opened issue #1: Login fails after a restart {URL}/issues/1"),
            ("release", f"alice published the release v1.2 (Sessions) {URL}/releases/tag/v1.2"),
            ("ping", ": this webhook is set up: Anything added dilutes everything else."),
            (
                "workflow_run",
                f": Build #42 on main: failure: docs: say so {URL}/actions/runs/289782451",
            ),
            ("star", ": star created by alice"),
            (
                "issue_comment",
                "alice commented on issue #1 (Login fails after a restart)"
                f" {URL}/issues/1#issuecomment-492700400",
                "  Fixed on main.",
            ),
            (
                "push",
                f"alice pushed 2 commits to main {URL}/compare/a10867b14bb7...2113728f27ae",
                "  1113728f login: keep the session over a restart (alice)",
                "  2113728f docs: say so (alice)",
            ),
        ):
            first = told[0] if told[0].startswith(":") else f": {told[0]}"
            self.assertEqual(self.said(event), [f"[code] acme/web{first}", *told[1:]], event)

    def test_results(self):
        """Checks, statuses, jobs, deployments, reviews and alerts have their result and a link."""
        for event, *told in (
            ("check_run", f"unit on main: failure: 2 tests failed {URL}/runs/4"),
            (
                "status",
                "ci/build of 2113728f on main: failure: The build failed https://ci.example/6",
            ),
            (
                "pull_request_review",
                "alice wants changes in pull request #2: Keep the session"
                f" {URL}/pull/2#pullrequestreview-8",
                "  Please test it.",
            ),
            (
                "deployment",
                f"alice started the deployment of main to production {URL}/actions/runs/10",
            ),
            (
                "deployment_status",
                "deployment of main to production: failure: The host does not answer"
                " https://ci.example/11",
            ),
            ("workflow_job", f"Build / unit on main: timed out {URL}/actions/runs/10/job/12"),
            (
                "dependabot_alert",
                "Dependabot alert #13 opened: high: leftpad: Too many spaces (fixed in 1.3)"
                f" {URL}/security/dependabot/13",
            ),
        ):
            self.assertEqual(self.said(event), [f"[code] acme/web: {told[0]}", *told[1:]], event)

    def test_unfinished(self):
        """What is queued or in progress, and a review without a text of its own, say nothing."""
        for event, path, value in (
            ("check_run", "", {"action": "created"}),
            ("workflow_job", "", {"action": "queued"}),
            ("status", "", {"state": "pending"}),
            ("deployment_status", "deployment_status", {"state": "in_progress"}),
            ("pull_request_review", "review", {"state": "commented", "body": None}),
            ("pull_request_review", "", {"action": "edited"}),
            ("dependabot_alert", "", {"action": "assignees_changed"}),
        ):
            payload = part(f"github-{event}")
            (payload[path] if path else payload).value.update(value)
            self.assertEqual(self.said(event, payload), [], event)

    def test_pushes(self):
        """New, deleted, forced and long pushes are told as what they are."""
        many = part("github-push").value["commits"] * 10
        for changes, told in (
            ({"deleted": True}, "alice deleted the branch main"),
            ({"ref": "refs/tags/v1", "commits": []}, "alice moved the tag v1"),
            ({"created": True, "commits": []}, "alice made the branch main"),
            ({"created": True}, "alice pushed 2 commits to the new branch main"),
            ({"forced": True}, "alice force-pushed 2 commits to main"),
            ({"commits": many}, "alice pushed 20 commits to main"),
        ):
            payload = part("github-push")
            payload.value.update(changes)
            lines = self.said("push", payload)
            self.assertTrue(lines[0].startswith(f"[code] acme/web: {told}"), lines[0])
            if changes.get("commits") is many:
                self.assertEqual(len(lines), 7)
                self.assertEqual(lines[-1], "  and 15 more")

    def test_quiet(self):
        """What happens all day says nothing."""
        for event, action in (
            ("issues", "labeled"),
            ("pull_request", "synchronize"),
            ("issue_comment", "edited"),
            ("release", "created"),
            ("workflow_run", "in_progress"),
        ):
            payload = part(f"github-{event}")
            payload.value["action"] = action
            self.assertEqual(self.said(event, payload), [], event)
            payload.value["action"] = [action]
            self.assertEqual(self.said(event, payload), [], event)

    def test_forged(self):
        """Titles, names and commit messages make no lines, and quote nobody."""
        payload = part("github-push")
        evil = "```\nxbot: deploy\n[alerts] FIRING\u2028/me\x1b[2J"
        payload["commits"]["0"].value["message"] = evil
        payload["sender"].value["login"] = evil
        payload["repository"].value["full_name"] = evil
        lines = self.said("push", payload)
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith("[code] ``` xbot: deploy [alerts] FIRING /me[2J: "))
        self.assertEqual(lines[1], "  1113728f ``` (alice)")

    def test_keys(self):
        """A delivery that is sent again is the same; without its number each is another one."""

        def key(event="star", number="1"):
            headers = {"x-github-event": event, "x-github-delivery": number}
            return github(headers, part("github-star")).items[0].key

        self.assertEqual(key(), key())
        self.assertNotEqual(key(), key(number="2"))
        self.assertNotEqual(key(), key("fork"))
        self.assertIsNone(key(number=""))

    def test_wrong(self):
        """Without an event, or what belongs to it, it is refused with a reason."""
        for headers, told in (
            ({}, "the header x-github-event is missing: this is not from GitHub"),
            ({"x-github-event": "push"}, "ref is missing, or not a text"),
            ({"x-github-event": "issues"}, "issue is missing, or not an object"),
        ):
            wrong = self.assertRaises(WrongPayload, github, headers, Part({}))
            self.assertEqual(wrong.reason, told)


class GiteaTests(SynchronousTestCase):
    def test_events(self):
        """Gitea's events are told like GitHub's."""
        compare = part("gitea-push")["compare_url"].value
        for event, *told in (
            (
                "push",
                f"[code] gitea/webhooks: gitea pushed 1 commit to develop {compare}",
                "  bffeb742 Webhooks Yay! (gitea)",
            ),
            (
                "pull_request",
                "[code] gitea/webhooks: gitea opened pull request #3: Say more"
                " https://git.example/gitea/webhooks/pulls/3",
            ),
        ):
            headers = {"x-gitea-event": event, "x-gitea-delivery": "7", "x-github-event": "ping"}
            report = gitea(headers, part(f"gitea-{event}"))
            self.assertEqual(report.said("code", report.items).splitlines(), told)

    def test_gogs(self):
        """Gogs, whose payloads are those of Gitea's ancestor, is told by its own header."""
        report = gitea({"x-gogs-event": "push", "x-gogs-delivery": "7"}, part("gitea-push"))
        self.assertIn("gitea pushed 1 commit to develop", report.items[0].lines[0])
        self.assertIsNotNone(report.items[0].key)

    def test_new_branch(self):
        """Gitea tells a new branch, and a deleted one, by the commit that is none."""
        for name, told in (
            ("before", "to the new branch develop"),
            ("after", "deleted the branch"),
        ):
            payload = part("gitea-push")
            payload.value[name] = "0" * 40
            report = gitea({"x-gitea-event": "push"}, payload)
            self.assertIn(told, report.said("code", report.items))
