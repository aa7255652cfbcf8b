"""Tests of :mod:`xbot.web.metrics`, parsed as Prometheus does."""

import re

from attrs import evolve
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial import unittest

from tests.daemon import ROOT
from tests.web.scene import BAD, EVIL, GOOD
from xbot.model.recent_events import Command
from xbot.model.status import Overview, Phase, Reload, Skill
from xbot.web import metrics
from xbot.web.metrics import Metrics


class MetricsTests(unittest.TestCase):
    def setUp(self):
        self.overview = GOOD
        self.metrics = Metrics(lambda: self.overview)

    def samples(self):
        """Every sample by its name and labels."""
        text = self.metrics.answer().body.decode()
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def test_what_can_be_read(self):
        """States, rooms, queues and counts are those of the moment."""
        samples = self.samples()
        for key, value in (
            (("xbot_connection_state", ("state", "online")), 1),
            (("xbot_connection_state", ("state", "waiting")), 0),
            (("xbot_ready",), 0),
            (("xbot_rooms_wanted",), 8),
            (("xbot_rooms_joined",), 6),
            (("xbot_rooms_mute",), 0),
            (("xbot_ping_seconds",), 0.0134),
            (("xbot_outbox_messages",), 2),
            (("xbot_unacknowledged_stanzas",), 1),
            (("xbot_resumptions_total",), 3),
            (("xbot_connection_ends_total", ("reason", "ping-timeout")), 1),
            (("xbot_standstills_total", ("reason", "away")), 2),
            (("xbot_messages_total", ("fate", "unmatched")), 58_322),
            (("xbot_stanzas_dropped_total", ("reason", "correction")), 3),
            (("xbot_answers_undelivered_total",), 1),
            (("xbot_webhook_posts_total", ("status", "202"), ("webhook", "alerts")), 7),
            (("xbot_webhook_posts_total", ("status", "403"), ("webhook", "alerts")), 0),
            (("xbot_webhook_texts_total", ("fate", "delivered")), 5),
            (("xbot_webhook_texts_waiting",), 2),
        ):
            self.assertEqual(samples[key], value, key)
        self.assertNotIn(("xbot_messages_total", ("fate", "answered")), samples)
        self.overview = evolve(GOOD, waiting=7)
        self.assertEqual(self.samples()["xbot_outbox_messages",], 7)
        self.overview = evolve(GOOD, posts=None)
        self.assertEqual([name for name, *_ in self.samples() if "webhook" in name], [])

    def test_commands(self):
        """Runs are counted by responder and outcome, and by how long they took."""
        for outcome, seconds in (("answered", 0.3), ("answered", 2.0), ("denied", None)):
            self.metrics.got_command(Command(0.0, "deploy", "a", "b", outcome, seconds))
        samples = self.samples()
        deploy = ("responder", "deploy")
        answered = samples["xbot_commands_total", ("outcome", "answered"), deploy]
        self.assertEqual(answered, 2)
        self.assertEqual(samples["xbot_commands_total", ("outcome", "denied"), deploy], 1)
        self.assertEqual(samples["xbot_command_seconds_count", deploy], 2)
        self.assertEqual(samples["xbot_command_seconds_sum", deploy], 2.3)
        self.assertEqual(samples["xbot_command_seconds_bucket", ("le", "0.5"), deploy], 1)
        self.assertEqual([name for name, *_ in samples if name.endswith("_created")], [])

    def test_from_the_start(self):
        """Each series is there with 0 before its first event, also after a reload."""
        self.overview = Overview(Phase.RUNNING, GOOD.link, skills=GOOD.skills)
        samples = self.samples()
        deploy = ("responder", "deploy")
        self.assertEqual(samples["xbot_commands_total", ("outcome", "failed"), deploy], 0)
        self.assertEqual(samples["xbot_messages_total", ("fate", "throttled")], 0)
        self.assertEqual(samples["xbot_connection_ends_total", ("reason", "login-memory")], 0)
        self.metrics.got_command(Command(0.0, "deploy", "a", "b", "failed", 1.0))
        more = Skill("backup", "backup", "", True)
        self.overview = evolve(self.overview, skills=(*GOOD.skills, more))
        samples = self.samples()
        self.assertEqual(samples["xbot_commands_total", ("outcome", "failed"), deploy], 1)
        backup = ("responder", "backup")
        self.assertEqual(samples["xbot_commands_total", ("outcome", "failed"), backup], 0)

    def test_process_and_files(self):
        """Versions, the process, and the files that cannot be written."""
        self.overview = evolve(GOOD, writable={"brain": True, "journal": False})
        samples = self.samples()
        self.assertEqual(samples["xbot_state_writable", ("file", "brain")], 1)
        self.assertEqual(samples["xbot_state_writable", ("file", "journal")], 0)
        names = {name for name, *_ in samples}
        self.assertLessEqual({"xbot_build_info", "process_resident_memory_bytes"}, names)

    def test_rules(self):
        """The alert rules name only metrics and labels that there are, and docs name the file."""
        rules = (ROOT / "etc" / "xbot.rules.yml").read_text()
        self.overview = evolve(GOOD, reload=Reload(0.0, 0.0), writable={"brain": True})
        names = {name for name, *_ in self.samples()}
        used = set(re.findall(r"\b(xbot_\w+)", rules))
        self.assertEqual(used - names, set())
        self.assertIn("etc/xbot.rules.yml", (ROOT / "docs" / "running.md").read_text())
        outcomes = set(re.search(r'outcome=~"([^"]*)"', rules)[1].split("|"))
        self.assertLessEqual(outcomes, set(metrics._OUTCOMES))

    def test_lag(self):
        """The reactor's lag is a histogram."""
        self.metrics.got_lag(0.01)
        self.metrics.got_lag(9.0)
        samples = self.samples()
        self.assertEqual(samples["xbot_reactor_lag_seconds_bucket", ("le", "5.0")], 1)
        self.assertEqual(samples["xbot_reactor_lag_seconds_count",], 2)

    def test_hostile(self):
        """Nothing that anyone is called breaks the text."""
        self.overview = evolve(BAD, dropped={EVIL: 1}, fates={f"a\n{EVIL}": 2})
        self.metrics.got_command(Command(0.0, EVIL, EVIL, EVIL, "answered", 1.0))
        samples = self.samples()
        self.assertEqual(samples["xbot_stanzas_dropped_total", ("reason", EVIL)], 1)
        posts = samples["xbot_webhook_posts_total", ("status", "202"), ("webhook", EVIL)]
        self.assertEqual(posts, 1)

    def test_own_registry(self):
        """Nothing is put into the registry that all share."""
        names = {family.name for family in REGISTRY.collect()}
        self.assertEqual([name for name in names if name.startswith("xbot")], [])
