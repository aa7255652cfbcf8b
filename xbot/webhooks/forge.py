"""Webhook payloads of GitHub and Gitea (Forgejo), which share a format. Pure.

https://docs.github.com/en/webhooks/webhook-events-and-payloads,
https://docs.gitea.com/usage/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, delivery_key
from xbot.webhooks.results import RESULTS
from xbot.webhooks.sentences import (
    MAX_NAME,
    NOTHING,
    Lines,
    is_true,
    person,
    push_lines,
    pushed,
    ref_of,
    repository,
    sentence,
)

#: Actions on issues and pull requests that are reported, and their verbs; others are too frequent.
_TOLD = {
    "opened": "opened",
    "closed": "closed",
    "reopened": "reopened",
    "ready_for_review": "marked as ready",
    "deleted": "deleted",
    "transferred": "transferred",
}

#: States of a submitted review, and their verbs.
_REVIEWED = {
    "approved": "approved",
    "changes_requested": "wants changes in",
    "commented": "reviewed",
}

#: Actions on a Dependabot alert that are reported.
_ALERTS = {
    "created": "opened",
    "reopened": "reopened",
    "auto_reopened": "reopened",
    "reintroduced": "is back",
    "fixed": "fixed",
    "dismissed": "dismissed",
    "auto_dismissed": "dismissed",
}


def github(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from GitHub."""
    return _report("GitHub", ("x-github-event",), headers, payload)


def gitea(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from Gitea, Forgejo or Gogs."""
    names = ("x-gitea-event", "x-forgejo-event", "x-gogs-event")
    return _report("Gitea", names, headers, payload)


def _report(sender: str, names: Sequence[str], headers: Mapping[str, str], payload: Part) -> Report:
    """The report of an event that one of these headers names."""
    event = line(next((headers[name] for name in names if headers.get(name)), ""), MAX_NAME)
    if not event:
        raise WrongPayload(f"the header {names[0]} is missing: this is not from {sender}")
    lines = _EVENTS.get(event, lambda payload: _other(event, payload))(payload)
    if not lines:
        return Report(())
    # The delivery's ID deduplicates: a manual redelivery has the same one.
    return Report((Item(delivery_key(headers, event, lines), lines),))


def _push(payload: Part) -> Lines:
    before, after = payload["before"].text(), payload["after"].text()
    kind, name = ref_of(payload["ref"].needed())
    if is_true(payload["deleted"]) or after == NOTHING:
        return (sentence(payload, f"deleted the {kind} {name}"),)
    commits = payload["commits"].parts()
    is_new = is_true(payload["created"]) or before == NOTHING
    link = (payload["compare"].link() or payload["compare_url"].link()) if commits else ""
    if not commits:
        what = f"made the {kind} {name}" if is_new else f"moved the {kind} {name}"
        return (sentence(payload, what, link),)
    total = payload["total_commits"].value
    count = len(payload["commits"])
    count = total if isinstance(total, int) and total > count else count
    new = f"the new {kind} " if is_new else ""
    what = f"{pushed(count, is_true(payload['forced']))} to {new}{name}"
    return (sentence(payload, what, link), *push_lines(commits, count))


def _pull_request(payload: Part) -> Lines:
    pull = payload["pull_request"].an_object()
    action, done = _action(payload)
    if action == "closed" and is_true(pull["merged"]):
        done = "merged"
    if done is None:
        return ()
    draft = "draft " if is_true(pull["draft"]) else ""
    number = payload["number"].text(20) or pull["number"].text(20)
    what = f"{done} {draft}pull request #{number}: {pull['title'].text()}"
    return (sentence(payload, what, pull["html_url"].link()),)


def _issues(payload: Part) -> Lines:
    issue = payload["issue"].an_object()
    action, done = _action(payload)
    if done is None:
        return ()
    why = issue["state_reason"].text(MAX_NAME).replace("_", " ")
    reason = f" ({why})" if why and action == "closed" else ""
    what = f"{done} issue #{issue['number'].text(20)}{reason}: {issue['title'].text()}"
    return (sentence(payload, what, issue["html_url"].link()),)


def _action(payload: Part) -> tuple[object, str | None]:
    """The action on an issue or a pull request, and its verb if it is reported."""
    action = payload["action"].value
    return action, _TOLD.get(action) if isinstance(action, str) else None


def _issue_comment(payload: Part) -> Lines:
    issue, comment = payload["issue"].an_object(), payload["comment"].an_object()
    if payload["action"].value != "created":
        return ()
    is_pull = issue["pull_request"].value is not None or is_true(payload["is_pull"])
    kind = "pull request" if is_pull else "issue"
    what = f"commented on {kind} #{issue['number'].text(20)} ({issue['title'].text(MAX_NAME)})"
    return (
        sentence(payload, what, comment["html_url"].link()),
        comment["body"].first_line() or "(nothing)",
    )


def _review(payload: Part) -> Lines:
    review, pull = payload["review"].an_object(), payload["pull_request"].an_object()
    state, body = review["state"].text(MAX_NAME).lower(), review["body"].first_line()
    done = _REVIEWED.get(state if payload["action"].value == "submitted" else "")
    # An inline comment comes as a review without a text of its own.
    if done is None or (state == "commented" and not body):
        return ()
    what = f"{done} pull request #{pull['number'].text(20)}: {pull['title'].text()}"
    told = sentence(payload, what, review["html_url"].link())
    return (told, body) if body else (told,)


def _dependabot_alert(payload: Part) -> Lines:
    alert = payload["alert"].an_object()
    done = _ALERTS.get(payload["action"].text(MAX_NAME))
    if done is None:
        return ()
    advisory = alert["security_advisory"]
    severity = (
        alert["security_vulnerability"]["severity"].text(MAX_NAME)
        or advisory["severity"].text(MAX_NAME)
        or "unknown severity"
    )
    name = alert["dependency"]["package"]["name"].text(MAX_NAME) or "a dependency"
    fixed = alert["security_vulnerability"]["first_patched_version"]["identifier"].text(MAX_NAME)
    remedy = f" (fixed in {fixed})" if fixed else ""
    what = f"Dependabot alert #{alert['number'].text(20)} {done}: {severity}: {name}: "
    what += f"{advisory['summary'].text()}{remedy}"
    return (" ".join(filter(None, [f"{repository(payload)}: {what}", alert["html_url"].link()])),)


def _release(payload: Part) -> Lines:
    release = payload["release"].an_object()
    # Ignore "created" and "released", which accompany "published".
    if payload["action"].value != "published":
        return ()
    tag, name = release["tag_name"].text(MAX_NAME), release["name"].text(MAX_NAME)
    kind = "prerelease" if is_true(release["prerelease"]) else "release"
    shown = f"{tag} ({name})" if name and name != tag else tag
    return (sentence(payload, f"published the {kind} {shown}", release["html_url"].link()),)


def _of_ref(verb: str, payload: Part) -> Lines:
    kind = payload["ref_type"].text(20) or "ref"
    return (sentence(payload, f"{verb} the {kind} {payload['ref'].text(MAX_NAME)}"),)


def _ping(payload: Part) -> Lines:
    zen = payload["zen"].text()
    return (f"{repository(payload)}: this webhook is set up" + (f": {zen}" if zen else ""),)


def _other(event: str, payload: Part) -> Lines:
    action = payload["action"].text(MAX_NAME)
    what = " ".join(filter(None, [event, action])).replace("_", " ")
    who = person(payload)
    by = f" by {who}" if who else ""
    return (f"{repository(payload)}: {what}{by}",)


_EVENTS: Mapping[str, Callable[[Part], Lines]] = {
    "push": _push,
    "pull_request": _pull_request,
    "issues": _issues,
    "issue_comment": _issue_comment,
    "release": _release,
    "pull_request_review": _review,
    "dependabot_alert": _dependabot_alert,
    "create": partial(_of_ref, "made"),
    "delete": partial(_of_ref, "deleted"),
    "ping": _ping,
    **RESULTS,
}
