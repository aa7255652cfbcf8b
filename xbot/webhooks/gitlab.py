"""Webhook payloads of GitLab. Pure.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, delivery_key
from xbot.webhooks.sentences import MAX_NAME, NOTHING, Lines, is_true, push_lines, pushed, ref_of

#: Actions on issues and merge requests that are reported, and their verbs.
_DONE = {
    "open": "opened",
    "close": "closed",
    "reopen": "reopened",
    "merge": "merged",
    "approved": "approved",
    "unapproved": "revoked the approval of",
}

#: Final states of a pipeline; those before, and "skipped" and "manual", are not reported.
_ENDED = {"success": "success", "failed": "failed", "canceled": "cancelled"}

#: Kinds of things that people comment on, and the member with the thing.
_NOTED = {
    "MergeRequest": ("merge request", "merge_request", "!"),
    "Issue": ("issue", "issue", "#"),
    "Snippet": ("snippet", "snippet", "$"),
}


def gitlab(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from GitLab, a project's or a group's."""
    kind = payload["object_kind"].text(MAX_NAME)
    if not kind:
        raise WrongPayload("object_kind is missing: this is not from GitLab")
    lines = _EVENTS.get(kind, partial(_other, kind))(payload)
    if not lines:
        return Report(())
    return Report((Item(delivery_key(headers, kind, lines), lines),))


def _push(payload: Part) -> Lines:
    kind, name = ref_of(payload["ref"].needed())
    if payload["after"].text() == NOTHING:
        return (_sentence(payload, f"deleted the {kind} {name}"),)
    is_new = payload["before"].text() == NOTHING
    commits = payload["commits"].parts() if payload["commits"].value is not None else []
    if not commits or kind == "tag":
        what = f"made the {kind} {name}" if is_new else f"moved the {kind} {name}"
        return (_sentence(payload, what, _page(payload, f"tree/{name}")),)
    total = payload["total_commits_count"].value
    count = total if isinstance(total, int) and total > len(commits) else len(commits)
    to = f"the new {kind} {name}" if is_new else name
    return (
        _sentence(payload, f"{pushed(count)} to {to}", _page(payload, f"commits/{name}")),
        *push_lines(commits, count),
    )


def _issue(payload: Part) -> Lines:
    return _of_thing(payload, "issue", "#")


def _merge_request(payload: Part) -> Lines:
    return _of_thing(payload, "merge request", "!")


def _of_thing(payload: Part, kind: str, mark: str) -> Lines:
    thing = payload["object_attributes"].an_object()
    done = _DONE.get(thing["action"].text(MAX_NAME))
    if done is None:
        return ()
    is_draft = is_true(thing["draft"]) or is_true(thing["work_in_progress"])
    what = f"{done} {'draft ' if is_draft else ''}{kind} {mark}{thing['iid'].text(20)}"
    return (_sentence(payload, f"{what}: {thing['title'].text()}", thing["url"].link()),)


def _note(payload: Part) -> Lines:
    note = payload["object_attributes"].an_object()
    # Notes of GitLab itself tell what other events tell; edits are too frequent.
    if is_true(note["system"]) or note["action"].text(MAX_NAME) not in ("create", ""):
        return ()
    known = _NOTED.get(note["noteable_type"].text(MAX_NAME))
    if known is None:
        commit = payload["commit"]
        about = f"commit {commit['id'].text()[:8]} ({commit['message'].first_line(MAX_NAME)})"
    else:
        kind, member, mark = known
        thing = payload[member]
        number = thing["iid"].text(20) or thing["id"].text(20)
        about = f"{kind} {mark}{number} ({thing['title'].text(MAX_NAME)})"
    told = _sentence(payload, f"commented on {about}", note["url"].link())
    return (told, note["note"].first_line() or "(nothing)")


def _pipeline(payload: Part) -> Lines:
    pipeline = payload["object_attributes"].an_object()
    came_to = _ENDED.get(pipeline["status"].text(MAX_NAME))
    if came_to is None:
        return ()
    number = pipeline["id"].text(20)
    name = pipeline["name"].text(MAX_NAME)
    commit = payload["commit"]
    about = commit["title"].text() or commit["message"].first_line()
    told = f"pipeline #{number}" + (f" ({name})" if name else "")
    told += f" on {pipeline['ref'].text(MAX_NAME)}: {came_to}"
    failed = [
        build["name"].text(MAX_NAME)
        for build in (payload["builds"].parts() if payload["builds"].value is not None else [])
        if build["status"].value == "failed" and not is_true(build["allow_failure"])
    ]
    told += f" in {line(', '.join(failed))}" if failed else ""
    link = pipeline["url"].link() or _page(payload, f"pipelines/{number}")
    told = ": ".join(filter(None, [_project(payload), told, about]))
    return (" ".join(filter(None, [told, link])),)


def _other(kind: str, payload: Part) -> Lines:
    attributes = payload["object_attributes"]
    action = attributes["action"].text(MAX_NAME) or payload["action"].text(MAX_NAME)
    what = " ".join(filter(None, [kind, action])).replace("_", " ")
    who = _person(payload)
    by = f" by {who}" if who else ""
    link = attributes["url"].link() or payload["url"].link()
    return (" ".join(filter(None, [f"{_project(payload)}: {what}{by}", link])),)


_EVENTS: Mapping[str, Callable[[Part], Lines]] = {
    "push": _push,
    "tag_push": _push,
    "issue": _issue,
    "work_item": _issue,
    "merge_request": _merge_request,
    "note": _note,
    "pipeline": _pipeline,
}


def _sentence(payload: Part, what: str, link: str = "") -> str:
    told = f"{_project(payload)}: {_person(payload) or 'somebody'} {what}"
    return " ".join(filter(None, [told, link]))


def _page(payload: Part, path: str) -> str:
    """The URL of a page of the project; empty if the payload has no URL of the project."""
    project = payload["project"]["web_url"].link()
    return Part(f"{project}/-/{path}").link() if project else ""


def _project(payload: Part) -> str:
    project = payload["project"]
    name = project["path_with_namespace"].text(MAX_NAME) or project["name"].text(MAX_NAME)
    return name or payload["repository"]["name"].text(MAX_NAME) or "(no project)"


def _person(payload: Part) -> str:
    paths = ("user.username", "user_username", "user.name", "user_name")
    return next(filter(None, (payload.at(path).text(MAX_NAME) for path in paths)), "")
