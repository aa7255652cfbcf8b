"""Contract test: the documented alerts fire in a real Prometheus, at the first failure."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from tests.integration.contract import Scene
from tests.integration.process import DEADLINE, Process, wait_until
from tests.ports import free_port

RULES = Path(__file__).resolve().parents[2] / "etc" / "xbot.rules.yml"

_BOOM = "[responder boom]\nmatch = boom\nrun = /bin/false\neffect = no\n"


class AlertsContract(Scene):
    """A bot that Prometheus scrapes each second, with the rules of ``etc/xbot.rules.yml``."""

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("prometheus") is None or shutil.which("promtool") is None:
            if os.environ.get("XBOT_REQUIRE_SERVERS") == "1":
                self.fail("there is no prometheus")
            raise unittest.SkipTest("there is no prometheus")
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.port = free_port()

    def start_prometheus(self, target: int) -> None:
        """Start it on loopback, with the rules, but without the waits (``for``) in them."""
        rules = self.folder / "rules.yml"
        rules.write_text(re.sub(r"\n +for: \w+", "", RULES.read_text()))
        config = self.folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{rules}]\n"
            "scrape_configs:\n"
            f"  - {{job_name: xbot, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
        )
        server = Process(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            self.folder / "log",
            {"PATH": os.environ["PATH"]},
            self.folder,
        )
        self.addCleanup(server.kill)

    def get(self, path: str) -> list[dict[str, dict[str, str]]]:
        """The result of an API call; empty while Prometheus does not answer."""
        try:
            url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                data = json.load(answer)["data"]
        except OSError:
            return []
        found: list[dict[str, dict[str, str]]] = data.get("result", data.get("alerts"))
        return found

    def await_alert(self, name: str, **labels: str) -> None:
        """Returns once the alert fires."""
        wanted = {"alertname": name, **labels}.items()

        def fires() -> bool:
            alerts = [a for a in self.get("alerts") if str(a["state"]) == "firing"]
            return any(wanted <= alert["labels"].items() for alert in alerts)

        wait_until(fires, lambda: f"{name}: {self.get('alerts')}", DEADLINE)

    def test_the_first_failure(self) -> None:
        """The first failed command and a refused reload are alerts; before them, nothing is."""
        subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
        room, port, alice = self.room(), free_port(), self.person()
        alice.create(room)
        extra = f"[http]\nlisten = 127.0.0.1:{port}\n{_BOOM}"
        bot = self.bot([room], extra=extra)
        bot.start_and_join()
        self.start_prometheus(port)
        scraped = "query?" + urllib.parse.urlencode(
            {"query": 'count_over_time(xbot_commands_total{responder="boom"}[1m]) >= 2'}
        )
        wait_until(lambda: self.get(scraped), lambda: "two scrapes", DEADLINE)
        wait_until(lambda: self.get("query?query=xbot_ready==1"), lambda: "it is ready", DEADLINE)
        alice.say(room, "xbot: boom")
        alice.expect(f"{room}/xbot", "boom failed (exit status 1).")
        self.await_alert("XbotCommandsFail", responder="boom", outcome="failed")
        fired = {alert["labels"]["alertname"] for alert in self.get("alerts")}
        self.assertEqual(fired, {"XbotCommandsFail"})
        bot.ini.write_text(bot.ini.read_text() + "\n[romo x]\n")
        bot.process.signal(signal.SIGHUP)
        self.await_alert("XbotReloadRefused")
