"""GitHub's events about results: checks, statuses, workflows, jobs and deployments. Pure.

Only final results are reported; what is queued or in progress is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xbot.webhooks.payload import Part
from xbot.webhooks.sentences import MAX_NAME, Lines, ref_of, repository, sentence

#: States of a commit status, and of a deployment, that are final.
_STATUSES = frozenset({"success", "failure", "error"})


def _workflow_run(payload: Part) -> Lines:
    run = payload["workflow_run"].an_object()
    # Ignore "requested" and "in_progress", which come before.
    if payload["action"].value != "completed":
        return ()
    name = run["name"].text(MAX_NAME) or "a workflow"
    about = run["display_title"].text(MAX_NAME) or run["head_commit"]["message"].first_line()
    what = f"{name} #{run['run_number'].text(20)}{_on(run['head_branch'])}"
    return _result(payload, what, run["conclusion"], about, run["html_url"].link())


def _workflow_job(payload: Part) -> Lines:
    job = payload["workflow_job"].an_object()
    if payload["action"].value != "completed":
        return ()
    names = (job["workflow_name"].text(MAX_NAME), job["name"].text(MAX_NAME))
    what = f"{' / '.join(filter(None, names)) or 'a job'}{_on(job['head_branch'])}"
    return _result(payload, what, job["conclusion"], "", job["html_url"].link())


def _check_run(payload: Part) -> Lines:
    check = payload["check_run"].an_object()
    if payload["action"].value != "completed":
        return ()
    what = f"{check['name'].text(MAX_NAME) or 'a check'}{_on(check['check_suite']['head_branch'])}"
    link = check["html_url"].link() or check["details_url"].link()
    return _result(payload, what, check["conclusion"], check["output"]["title"].text(), link)


def _status(payload: Part) -> Lines:
    state = payload["state"]
    if state.needed() not in _STATUSES:
        return ()
    branch = payload["branches"]["0"]["name"]
    what = f"{payload['context'].text(MAX_NAME) or 'a status'} of {payload['sha'].text()[:8]}"
    link = payload["target_url"].link() or payload["commit"]["html_url"].link()
    return _result(payload, f"{what}{_on(branch)}", state, payload["description"].text(), link)


def _deployment(payload: Part) -> Lines:
    deployment = payload["deployment"].an_object()
    if payload["action"].value not in ("created", None):
        return ()
    told = f"started the deployment of {_deployed(deployment)}"
    return (sentence(payload, told, payload["workflow_run"]["html_url"].link()),)


def _deployment_status(payload: Part) -> Lines:
    status, deployment = payload["deployment_status"].an_object(), payload["deployment"]
    if status["state"].text(MAX_NAME) not in _STATUSES:
        return ()
    links = (status[name].link() for name in ("log_url", "target_url", "environment_url"))
    what = f"deployment of {_deployed(deployment)}"
    about, link = status["description"].text(), next(filter(None, links), "")
    return _result(payload, what, status["state"], about, link)


def _deployed(deployment: Part) -> str:
    ref = deployment["ref"].text(MAX_NAME)
    name = ref_of(ref)[1] if ref else "(no ref)"
    return f"{name} to {deployment['environment'].text(MAX_NAME) or '(no environment)'}"


def _on(branch: Part) -> str:
    name = branch.text(MAX_NAME)
    return f" on {name}" if name else ""


def _result(payload: Part, what: str, result: Part, about: str, link: str) -> Lines:
    """``REPOSITORY: what: result: about LINK``."""
    came_to = result.text(MAX_NAME).replace("_", " ") or "came to nothing"
    told = ": ".join(filter(None, [repository(payload), what, came_to, about]))
    return (" ".join(filter(None, [told, link])),)


#: The parsers, by the name of the event.
RESULTS: Mapping[str, Callable[[Part], Lines]] = {
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "check_run": _check_run,
    "status": _status,
    "deployment": _deployment,
    "deployment_status": _deployment_status,
}
