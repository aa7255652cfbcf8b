"""Tests of :mod:`xbot.webhooks.sentry`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.samples import part
from xbot.webhooks.payload import Part, WrongPayload
from xbot.webhooks.sentry import sentry

URL = "https://sentry.example/organizations/acme"
ERROR = "error: ReferenceError: cart is not defined in checkout(pay)"


class SentryTests(SynchronousTestCase):
    def said(self, resource: str, payload: Part | None = None) -> list[str]:
        headers = {"sentry-hook-resource": resource, "request-id": "1"}
        report = sentry(headers, payload or part(f"sentry-{resource}"))
        return report.said("web", report.items).splitlines() if report.items else []

    def test_events(self) -> None:
        """Alerts, issues, errors and comments are told with their link."""
        event = f"{URL}/issues/1117540176/events/e4874d66/"
        for resource, *told in (
            ("event_alert", f"alert Very important: {ERROR} {event}"),
            ("metric_alert", "CRITICAL Critical: Too many errors: 1000 events in the last 10"
             f" minutes {URL}/alerts/4/"),
            ("issue", f"web: issue WEB-1 resolved: {ERROR} {URL}/issues/1170820242/"),
            ("error", f"error: {ERROR} {event}"),
            ("comment", "web: Alice commented on issue 100", "  It is the cart."),
        ):  # fmt: skip
            self.assertEqual(self.said(resource), [f"[web] {told[0]}", *told[1:]], resource)
        installed = Part({"action": "created", "data": {"installation": {}}})
        self.assertEqual(self.said("installation", installed), ["[web] installation created"])

    def test_quiet(self) -> None:
        """Assignments, and edits of comments, say nothing."""
        for resource, action in (("issue", "assigned"), ("comment", "updated")):
            payload = part(f"sentry-{resource}")
            payload.value["action"] = action
            self.assertEqual(self.said(resource, payload), [])

    def test_wrong(self) -> None:
        """What is no payload of Sentry is refused with a reason."""
        wrong = self.assertRaises(WrongPayload, sentry, {}, Part({}))
        self.assertIn("sentry-hook-resource is missing", wrong.reason)
        headers = {"sentry-hook-resource": "issue"}
        wrong = self.assertRaises(WrongPayload, sentry, headers, Part({}))
        self.assertEqual(wrong.reason, "data is missing, or not an object")
