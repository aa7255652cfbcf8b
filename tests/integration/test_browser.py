"""Tests of the status page in a real browser: Debian's headless chromium."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from tests.daemon import environment
from tests.integration.process import DEADLINE, Process, wait_until
from tests.ports import free_port
from tests.web.scene import EVIL

#: Time-out in seconds for the browser on a busy machine.
PATIENCE = 120

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars"),
    "--enable-logging=stderr",
)


class StatusPage(unittest.TestCase):
    def setUp(self) -> None:
        self.chromium = shutil.which("chromium")
        if self.chromium is None:
            if os.environ.get("XBOT_REQUIRE_SERVERS") == "1":
                self.fail("chromium is not installed")
            self.skipTest("chromium is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="xbot-browser-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        wanted = os.environ.get("XBOT_ARTEFACTS")
        self.pictures = Path(wanted) if wanted else self.folder
        self.pictures.mkdir(parents=True, exist_ok=True)

    def serve(self, name: str) -> str:
        """The address of a status page."""
        port = free_port()
        argv = [sys.executable, "-m", "tests.web", str(port), name]
        server = Process(argv, self.folder / "output", environment(), self.folder)
        self.addCleanup(server.stop)
        address = f"http://127.0.0.1:{port}/"

        def is_up() -> bool:
            try:
                with urllib.request.urlopen(f"{address}healthz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_until(is_up, lambda: f"the status server\n{server.text()}", DEADLINE)
        return address

    def browse(self, address: str, *options: str) -> tuple[str, str]:
        """What chromium prints, and what its console says."""
        ended = subprocess.run(
            [str(self.chromium), *_QUIET, f"--user-data-dir={tempfile.mkdtemp(dir=self.folder)}",
             *options, address],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )  # fmt: skip
        said = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
        return ended.stdout, "\n".join(said)

    def test_pictures(self) -> None:
        """At the widths of a desk and of a phone, by day and by night, the page is drawn."""
        address = self.serve("good")
        for name, width, height, night in (
            ("desktop", 1280, 1800, False),
            ("desktop-dark", 1280, 1800, True),
            ("phone", 500, 3500, False),
        ):
            path = self.pictures / f"status-{name}.png"
            scheme = f"--blink-settings=preferredColorScheme={0 if night else 1}"
            _, console = self.browse(
                address, scheme, f"--window-size={width},{height}", f"--screenshot={path}"
            )
            self.assertEqual(console, "")
            data = path.read_bytes()
            self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual(struct.unpack(">II", data[16:24]), (width, height))
            # A page that shows little is a small picture.
            self.assertGreater(len(data), 40_000, path)

    def test_hostile(self) -> None:
        """What is hostile is shown as the text that it is, and the browser has no objection."""
        dom, console = self.browse(self.serve("bad"), "--dump-dom")
        self.assertEqual(console, "")
        self.assertNotIn("<script", dom)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", dom)
        self.assertEqual(dom.count("<table"), dom.count("</table>"))
        self.assertIn("<script>", EVIL)

    def test_the_policy_holds(self) -> None:
        """The browser enforces the policy: a script of the page's own would not run."""
        address = self.serve("good")
        with urllib.request.urlopen(address, timeout=5) as answer:
            policy = answer.headers["content-security-policy"]
            body = answer.read()
        page = self.folder / "page.html"
        injected = body.replace(
            b"<head>",
            b'<head><meta http-equiv="content-security-policy" content="'
            + policy.replace("frame-ancestors 'none'", "").encode()
            + b'">',
        ).replace(b"</body>", b"<script>document.title = 'ran'</script></body>")
        page.write_bytes(injected)
        dom, console = self.browse(page.as_uri(), "--dump-dom")
        self.assertNotIn("<title>ran</title>", dom)
        self.assertIn("Content Security Policy", console)
