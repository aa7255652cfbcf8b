"""Webhook payloads of GitHub and Gitea (Forgejo), which share a format. Pure.

https://docs.github.com/en/webhooks/webhook-events-and-payloads,
https://docs.gitea.com/usage/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report

#: Maximum number of commits of a push that are shown, and length of names, in characters.
MAX_COMMITS, MAX_NAME = 5, 100

#: Actions on issues and pull requests that are reported, and their verbs; others are too frequent.
_TOLD = {
    "opened": "opened",
    "closed": "closed",
    "reopened": "reopened",
    "ready_for_review": "marked as ready",
    "deleted": "deleted",
    "transferred": "transferred",
}

#: Git's null commit: "before" of a new branch, "after" of a deleted one.
_NOTHING = "0" * 40

Lines = tuple[str, ...]
"""Lines of text; empty if the event is not reported."""


def github(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from GitHub."""
    return _report("GitHub", "x-github-event", "x-github-delivery", headers, payload)


def gitea(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from Gitea or Forgejo."""
    return _report("Gitea", "x-gitea-event", "x-gitea-delivery", headers, payload)


def _report(
    sender: str, event_header: str, id_header: str, headers: Mapping[str, str], payload: Part
) -> Report:
    event = line(headers.get(event_header, ""), MAX_NAME)
    if not event:
        raise WrongPayload(f"the header {event_header} is missing: this is not from {sender}")
    lines = _EVENTS.get(event, lambda payload: _other(event, payload))(payload)
    if not lines:
        return Report(())
    # The delivery's ID deduplicates: a manual redelivery has the same one.
    identity = line(headers.get(id_header, ""), MAX_NAME)
    return Report((Item(f"{event} {identity}" if identity else "\n".join(lines), lines),))


def _push(payload: Part) -> Lines:
    before, after = payload["before"].text(), payload["after"].text()
    kind, name = _ref(payload["ref"].needed())
    if _is_true(payload["deleted"]) or after == _NOTHING:
        return (_sentence(payload, f"deleted the {kind} {name}"),)
    commits = payload["commits"].parts()
    is_new = _is_true(payload["created"]) or before == _NOTHING
    link = (payload["compare"].link() or payload["compare_url"].link()) if commits else ""
    if not commits:
        what = f"made the {kind} {name}" if is_new else f"moved the {kind} {name}"
        return (_sentence(payload, what, link),)
    total = payload["total_commits"].value
    count = len(payload["commits"])
    count = total if isinstance(total, int) and total > count else count
    how = "force-pushed" if _is_true(payload["forced"]) else "pushed"
    new = f"the new {kind} " if is_new else ""
    what = f"{how} {count} commit{'s' * (count != 1)} to {new}{name}"
    told = [_commit(commit) for commit in commits[:MAX_COMMITS]]
    more = [f"and {count - MAX_COMMITS} more"] if count > MAX_COMMITS else []
    return (_sentence(payload, what, link), *told, *more)


def _commit(commit: Part) -> str:
    author = commit["author"]
    name = author["username"].text(MAX_NAME) or author["name"].text(MAX_NAME)
    return f"{commit['id'].text()[:8]} {commit['message'].first_line()}" + (
        f" ({name})" if name else ""
    )


def _pull_request(payload: Part) -> Lines:
    pull = payload["pull_request"].an_object()
    action, done = _action(payload)
    if action == "closed" and _is_true(pull["merged"]):
        done = "merged"
    if done is None:
        return ()
    draft = "draft " if _is_true(pull["draft"]) else ""
    number = payload["number"].text(20) or pull["number"].text(20)
    what = f"{done} {draft}pull request #{number}: {pull['title'].text()}"
    return (_sentence(payload, what, pull["html_url"].link()),)


def _issues(payload: Part) -> Lines:
    issue = payload["issue"].an_object()
    action, done = _action(payload)
    if done is None:
        return ()
    why = issue["state_reason"].text(MAX_NAME).replace("_", " ")
    reason = f" ({why})" if why and action == "closed" else ""
    what = f"{done} issue #{issue['number'].text(20)}{reason}: {issue['title'].text()}"
    return (_sentence(payload, what, issue["html_url"].link()),)


def _action(payload: Part) -> tuple[object, str | None]:
    """The action on an issue or a pull request, and its verb if it is reported."""
    action = payload["action"].value
    return action, _TOLD.get(action) if isinstance(action, str) else None


def _issue_comment(payload: Part) -> Lines:
    issue, comment = payload["issue"].an_object(), payload["comment"].an_object()
    if payload["action"].value != "created":
        return ()
    is_pull = issue["pull_request"].value is not None or _is_true(payload["is_pull"])
    kind = "pull request" if is_pull else "issue"
    what = f"commented on {kind} #{issue['number'].text(20)} ({issue['title'].text(MAX_NAME)})"
    return (
        _sentence(payload, what, comment["html_url"].link()),
        comment["body"].first_line() or "(nothing)",
    )


def _release(payload: Part) -> Lines:
    release = payload["release"].an_object()
    # Ignore "created" and "released", which accompany "published".
    if payload["action"].value != "published":
        return ()
    tag, name = release["tag_name"].text(MAX_NAME), release["name"].text(MAX_NAME)
    kind = "prerelease" if _is_true(release["prerelease"]) else "release"
    shown = f"{tag} ({name})" if name and name != tag else tag
    return (_sentence(payload, f"published the {kind} {shown}", release["html_url"].link()),)


def _workflow_run(payload: Part) -> Lines:
    run = payload["workflow_run"].an_object()
    # Ignore "requested" and "in_progress", which come before.
    if payload["action"].value != "completed":
        return ()
    name = run["name"].text(MAX_NAME) or "a workflow"
    came_to = run["conclusion"].text(MAX_NAME).replace("_", " ") or "came to nothing"
    number, branch = run["run_number"].text(20), run["head_branch"].text(MAX_NAME)
    about = run["display_title"].text(MAX_NAME) or run["head_commit"]["message"].first_line()
    where = _repository(payload)
    what = f"{where}: {name} #{number} on {branch}: {came_to}"
    what = f"{what}: {about}" if about else what
    return (" ".join(filter(None, [what, run["html_url"].link()])),)


def _of_ref(verb: str, payload: Part) -> Lines:
    kind = payload["ref_type"].text(20) or "ref"
    return (_sentence(payload, f"{verb} the {kind} {payload['ref'].text(MAX_NAME)}"),)


def _ping(payload: Part) -> Lines:
    zen = payload["zen"].text()
    return (f"{_repository(payload)}: this webhook is set up" + (f": {zen}" if zen else ""),)


def _other(event: str, payload: Part) -> Lines:
    action = payload["action"].text(MAX_NAME)
    what = " ".join(filter(None, [event, action])).replace("_", " ")
    who = _person(payload)
    by = f" by {who}" if who else ""
    return (f"{_repository(payload)}: {what}{by}",)


_EVENTS: Mapping[str, Callable[[Part], Lines]] = {
    "push": _push,
    "pull_request": _pull_request,
    "issues": _issues,
    "issue_comment": _issue_comment,
    "release": _release,
    "workflow_run": _workflow_run,
    "create": partial(_of_ref, "made"),
    "delete": partial(_of_ref, "deleted"),
    "ping": _ping,
}


def _sentence(payload: Part, what: str, link: str = "") -> str:
    """``REPOSITORY: PERSON what LINK``."""
    who = _person(payload) or "somebody"
    return " ".join(filter(None, [f"{_repository(payload)}: {who} {what}", link]))


def _repository(payload: Part) -> str:
    name = payload["repository"]["full_name"].text(MAX_NAME)
    return name or payload["organization"]["login"].text(MAX_NAME) or "(no repository)"


def _person(payload: Part) -> str:
    paths = ("sender.login", "sender.username", "pusher.login", "pusher.name")
    return next(filter(None, (payload.at(path).text(MAX_NAME) for path in paths)), "")


def _ref(ref: str) -> tuple[str, str]:
    for start, kind in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(start):
            return kind, line(ref.removeprefix(start), MAX_NAME)
    return "ref", line(ref, MAX_NAME)


def _is_true(part: Part) -> bool:
    return part.value is True
