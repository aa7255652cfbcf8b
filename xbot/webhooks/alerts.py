"""Webhook payloads of Alertmanager and Grafana, which share a format. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (version 4),
https://grafana.com/docs/grafana/latest/alerting/ (the webhook contact point).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xbot.webhooks.payload import Part, WrongPayload, line
from xbot.webhooks.report import Item, Report, key_of

#: The states of an alert.
STATUSES = ("firing", "resolved")

#: Maximum number of labels that are shown, and length of each, in characters.
MAX_LABELS, MAX_LABEL = 6, 80

# Labels that are left out: shown elsewhere, or only of interest to the rule's author.
_UNTOLD = frozenset({"alertname", "severity", "prometheus", "monitor", "grafana_folder"})


def alertmanager(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from Alertmanager."""
    return _report(payload, "Alertmanager", lambda alert: alert["generatorURL"].link())


def grafana(headers: Mapping[str, str], payload: Part) -> Report:
    """The report of a payload from Grafana's unified alerting."""
    return _report(payload, "Grafana", _grafana_link)


def _grafana_link(alert: Part) -> str:
    links = (alert[name].link() for name in ("panelURL", "dashboardURL", "generatorURL"))
    return next(filter(None, links), "")


def _report(payload: Part, sender: str, link: Callable[[Part], str]) -> Report:
    if not isinstance(payload["alerts"].value, list):
        raise WrongPayload(f"alerts is missing, or not a list: this is not from {sender}")
    alerts = payload["alerts"].parts()
    items = tuple(_item(alert.an_object(), link(alert)) for alert in alerts)
    left_out = payload["truncatedAlerts"].value
    unseen = left_out if isinstance(left_out, int) and left_out > 0 else 0
    unseen += len(payload["alerts"]) - len(alerts)
    return Report(items, _labels(payload["groupLabels"], frozenset()), unseen)


def _item(alert: Part, link: str) -> Item:
    status = alert["status"].value
    if status not in STATUSES:
        raise WrongPayload(f"{alert.path}.status is neither {' nor '.join(STATUSES)}")
    labels, annotations = alert["labels"].an_object(), alert["annotations"]
    told = annotations["summary"].text() or annotations["description"].text()
    told = told or annotations["message"].text()
    name = labels["alertname"].text(MAX_LABEL) or "an alert without a name"
    severity = labels["severity"].text(MAX_LABEL)
    shown = f"{name} ({severity})" if severity else name
    parts = [f"{shown}: {told}" if told else shown]
    if rest := _labels(labels, _UNTOLD):
        parts.append(f"[{rest}]")
    if link and status == "firing":
        parts.append(link)
    # The fingerprint identifies the labels; Alertmanager before 0.19 sends none.
    who = alert["fingerprint"].text(64) or key_of(sorted(_all_labels(labels)))
    # Without its start an alert cannot be told from the next one with the same labels.
    began = alert["startsAt"].text(64)
    key = key_of("alert", who, status, began) if began else None
    return Item(key, (" ".join(parts),), str(status).upper())


def _all_labels(labels: Part) -> list[tuple[str, str]]:
    return [(name, value.text()) for name, value in labels.items()]


def _labels(labels: Part, untold: frozenset[str]) -> str:
    told = [
        f"{line(name, MAX_LABEL)}={value.text(MAX_LABEL)}"
        for name, value in sorted(labels.items(), key=lambda each: each[0])
        if name not in untold and not name.startswith("__")
    ]
    more = [f"{len(told) - MAX_LABELS} more"] if len(told) > MAX_LABELS else []
    return ", ".join([*told[:MAX_LABELS], *more])
