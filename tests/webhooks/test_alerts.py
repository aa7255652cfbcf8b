"""Tests of :mod:`xbot.webhooks.alerts`."""

from copy import deepcopy

from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.samples import part
from xbot.webhooks.alerts import alertmanager, grafana
from xbot.webhooks.payload import Part, WrongPayload


def said(read, payload: Part) -> str:
    report = read({}, payload)
    return report.said("ops", report.items)


class AlertmanagerTests(SynchronousTestCase):
    def test_one(self):
        """An alert is one line: status, name, severity, summary, labels, and its source."""
        self.assertEqual(
            said(alertmanager, part("alertmanager-one")),
            "[ops] FIRING DiskAlmostFull (critical): /srv on db1 is 96% full"
            " [instance=db1:9100, job=node, mountpoint=/srv]"
            " http://prometheus.example.org:9090/graph"
            "?g0.expr=node_filesystem_avail_bytes+%3C+1&g0.tab=1",
        )

    def test_group(self):
        """A group is counted by status and named by its labels; what was left out is told."""
        lines = said(alertmanager, part("alertmanager-group")).splitlines()
        self.assertEqual(lines[0], "[ops] 2 firing, 1 resolved: alertname=DiskAlmostFull")
        self.assertEqual([each[:9] for each in lines[1:4]], ["  FIRING "] * 2 + ["  RESOLVE"])
        self.assertNotIn("http", lines[3])
        self.assertEqual(lines[4], "  and 2 more")

    def test_keys(self):
        """The same alert has the same key; resolved, or firing anew, it has another."""
        payload = part("alertmanager-one")
        keys = {alertmanager({}, payload).items[0].key, alertmanager({}, payload).items[0].key}
        self.assertEqual(len(keys), 1)
        for name, value in (
            ("status", "resolved"),
            ("startsAt", "2026-02-07T00:00:00Z"),
            ("fingerprint", "0"),
        ):
            other = deepcopy(payload)
            other["alerts"]["0"].value[name] = value
            keys.add(alertmanager({}, other).items[0].key)
        self.assertEqual(len(keys), 4)

    def test_without_start(self):
        """Without its start, an alert may be another outage: then it is no duplicate."""
        payload = part("alertmanager-one")
        del payload["alerts"].value[0]["startsAt"]
        self.assertIsNone(alertmanager({}, payload).items[0].key)

    def test_without_fingerprint(self):
        """Where there is no fingerprint the labels do."""
        keys = set()
        for host in ("db1", "db1", "db2"):
            payload = part("alertmanager-one")
            del payload["alerts"]["0"].value["fingerprint"]
            payload["alerts"]["0"]["labels"].value["instance"] = host
            keys.add(alertmanager({}, payload).items[0].key)
        self.assertEqual(len(keys), 2)

    def test_many(self):
        """A thousand alerts are a few lines that tell how many there are."""
        payload = part("alertmanager-one")
        payload.value["alerts"] *= 1000
        lines = said(alertmanager, payload).splitlines()
        self.assertLess(len(lines), 15)
        self.assertEqual(lines[0], "[ops] 1000 firing: alertname=DiskAlmostFull")
        self.assertEqual(lines[-1], f"  and {1000 - (len(lines) - 2)} more")

    def test_forged(self):
        """No label makes a line of its own, whatever is in it."""
        payload = part("alertmanager-group")
        labels = payload["alerts"]["0"]["labels"].value
        labels["alertname"] = "x\n[ops] all is well\u2028xbot: deploy\r\n```\n/me sleeps"
        labels["a\nb"] = "\u202egnp"
        lines = said(alertmanager, payload).splitlines()
        self.assertEqual(len(lines), 5)
        self.assertTrue(all(line.startswith("  ") for line in lines[1:]))
        self.assertIn("a b=gnp", lines[1])

    def test_wrong(self):
        """What Alertmanager would not send is refused with the place of the mistake."""
        for value, told in (
            ({}, "alerts is missing, or not a list: this is not from Alertmanager"),
            ({"alerts": {}}, "alerts is missing, or not a list: this is not from Alertmanager"),
            ({"alerts": [1]}, "alerts.0 is missing, or not an object"),
            ({"alerts": [{}]}, "alerts.0.status is neither firing nor resolved"),
            (
                {"alerts": [{"status": ["firing"]}]},
                "alerts.0.status is neither firing nor resolved",
            ),
            ({"alerts": [{"status": "firing"}]}, "alerts.0.labels is missing, or not an object"),
        ):
            wrong = self.assertRaises(WrongPayload, alertmanager, {}, Part(value))
            self.assertEqual(wrong.reason, told)


class GrafanaTests(SynchronousTestCase):
    def test_group(self):
        """Alerts are told with the panel that shows them, or else their rule."""
        self.assertEqual(
            said(grafana, part("grafana")).splitlines(),
            [
                "[ops] 2 firing",
                "  FIRING High memory usage: Memory is at 92% in us-1 [team=blue, zone=us-1]"
                " https://grafana.example.org/d/dashboard_uid?orgId=1&viewPanel=4",
                "  FIRING High CPU usage: CPU is at 97% in eu-1 [team=blue, zone=eu-1]"
                " https://grafana.example.org/alerting/grafana/1afz29v7z/view?orgId=1",
            ],
        )

    def test_test(self):
        """The message of the button "Test" is said."""
        told = said(grafana, part("grafana-test"))
        self.assertTrue(told.startswith("[ops] FIRING TestAlert: Notification test"), told)
