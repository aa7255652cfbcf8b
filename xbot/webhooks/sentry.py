"""Webhook payloads of Sentry's integrations. Pure.

https://docs.sentry.io/integrations/integration-platform/webhooks/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, delivery_key
from xbot.webhooks.sentences import MAX_NAME, Lines

#: Actions on an issue that are reported; assignments are too frequent.
_ISSUE = frozenset({"created", "resolved", "unresolved", "archived", "ignored"})


def sentry(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from Sentry; its kind stands in a header."""
    resource = line(headers.get("sentry-hook-resource", ""), MAX_NAME)
    if not resource:
        raise WrongPayload("the header sentry-hook-resource is missing: this is not from Sentry")
    data = payload["data"].an_object()
    lines = _RESOURCES.get(resource, lambda payload, data: _other(resource, payload))(payload, data)
    if not lines:
        return Report(())
    return Report((Item(delivery_key(headers, resource, lines), lines),))


def _event_alert(payload: Part, data: Part) -> Lines:
    rule = data["triggered_rule"].text(MAX_NAME) or data["issue_alert"]["title"].text(MAX_NAME)
    return _problem(f"alert {rule}" if rule else "alert", data["event"].an_object())


def _metric_alert(payload: Part, data: Part) -> Lines:
    action = payload["action"].text(MAX_NAME).upper()
    title, text = data["description_title"].text(), data["description_text"].first_line()
    told = ": ".join(filter(None, [title, text])) or "a metric alert"
    return (" ".join(filter(None, [action, told, data["web_url"].link()])),)


def _issue(payload: Part, data: Part) -> Lines:
    action, issue = payload["action"].text(MAX_NAME), data["issue"].an_object()
    if action not in _ISSUE:
        return ()
    name = issue["shortId"].text(MAX_NAME)
    return _problem(" ".join(filter(None, ["issue", name, action])), issue)


def _error(payload: Part, data: Part) -> Lines:
    return _problem("error", data["error"].an_object())


def _comment(payload: Part, data: Part) -> Lines:
    if payload["action"].value != "created":
        return ()
    who = payload["actor"]["name"].text(MAX_NAME) or "somebody"
    project = data["project_slug"].text(MAX_NAME)
    where = f"{project}: " if project else ""
    about = f"{where}{who} commented on issue {data['issue_id'].text(20)}"
    return (about, data["comment"].first_line() or "(nothing)")


def _other(resource: str, payload: Part) -> Lines:
    action = payload["action"].text(MAX_NAME)
    return (" ".join(filter(None, [resource, action])).replace("_", " "),)


_RESOURCES: Mapping[str, Callable[[Part, Part], Lines]] = {
    "event_alert": _event_alert,
    "metric_alert": _metric_alert,
    "issue": _issue,
    "error": _error,
    "comment": _comment,
}


def _problem(what: str, found: Part) -> Lines:
    """``PROJECT: what: LEVEL: TITLE in CULPRIT LINK``."""
    project = found["project"]["slug"].text(MAX_NAME)
    level, title = found["level"].text(20), found["title"].text() or "(no title)"
    culprit = found["culprit"].text(MAX_NAME)
    told = ": ".join(filter(None, [project, what, level, title]))
    told = f"{told} in {culprit}" if culprit else told
    link = found["web_url"].link() or found["permalink"].link()
    return (" ".join(filter(None, [told, link])),)
