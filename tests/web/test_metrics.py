"""Tests of :mod:`xbot.web.metrics`, parsed as Prometheus does."""

from attrs import evolve
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial import unittest

from tests.web.scene import BAD, EVIL, GOOD
from xbot.model.recent_events import Command
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
