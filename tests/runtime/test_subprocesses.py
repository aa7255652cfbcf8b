"""Tests of :mod:`xbot.runtime.subprocesses`, with real child processes."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import TestCase

from xbot.runtime.failures import Failed
from xbot.runtime.subprocesses import (
    CannotRun,
    Capture,
    ProgramResult,
    answer_of,
    environment,
    run_program,
)

#: Seconds: much less than the 60 that the programs sleep, and enough on a busy machine.
PATIENCE = 20


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        # Gone before the file was opened, or before it was read.
        return False


class RunProgramTests(TestCase):
    def run_shell(self, script: str, limit_bytes: int = 16384) -> ProgramResult:
        return run_program(["/bin/sh", "-c", script], threading.Event(), Capture(limit_bytes))

    def assert_dies(self, pid: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(is_alive(pid))

    def test_output(self) -> None:
        """Output, errors and exit status come back."""
        result = self.run_shell("echo out; echo err >&2; exit 3")
        self.assertEqual(result, ProgramResult("out\n", 3, False, "err\n"))

    def test_no_shell(self) -> None:
        """An argument is one argument, whatever it contains."""
        hostile = "$(id); `id` | > 'x' \"y\"\n*"
        result = run_program(["/bin/echo", "-n", hostile], threading.Event())
        self.assertEqual(result.output, hostile)

    def test_cannot_run(self) -> None:
        """A missing program, a directory, and an impossible argument fail by name."""
        for argv in (
            ["/nonexistent"],
            ["/"],
            ["/bin/echo", "a\0b"],
            ["/bin/echo", "\ud800"],
            ["/bin/echo", "x" * 10_000_000],
        ):
            with self.assertRaises(CannotRun):
                run_program(argv, threading.Event())

    def test_prints_too_much(self) -> None:
        """A program that prints too much runs to its end; no half character is kept."""
        done = Path(self.mktemp()).absolute()
        flood = "head -c 3000000 /dev/zero | sed 's/\\x0/ä€/g'"
        result = self.run_shell(f"{flood}; touch {done}; exit 4", 1001)
        self.assertTrue(done.exists())
        self.assertTrue(result.truncated)
        self.assertEqual((result.output, result.status), ("ä€" * 200, 4))
        self.assertEqual((result.limit, result.size), (1001, 15_000_000))
        self.assertEqual(result.cut, "only the first 1,001 of 15,000,000 bytes")

    def test_endless_flood(self) -> None:
        """One that floods without end is ended by its time-out, and its output is bounded."""
        result, took = self.cancel_soon("while :; do echo flood; done")
        self.assertEqual((result.status, len(result.output)), (-signal.SIGTERM, 16384))
        self.assertTrue(result.truncated)
        self.assertLess(took, 2)

    def test_flood_of_errors(self) -> None:
        """Errors are read to the end and kept to a limit."""
        result = self.run_shell("head -c 300000 /dev/zero | tr '\\0' x >&2; echo done")
        self.assertEqual((result.output, result.status), ("done\n", 0))
        self.assertEqual(result.errors, "x" * 2048)

    def test_not_utf_8(self) -> None:
        """What is not UTF-8 is replaced."""
        self.assertEqual(self.run_shell("printf 'a\\377b'").output, "a\ufffdb")

    def test_standard_input_is_empty(self) -> None:
        """A program that reads gets the end of file and does not hang."""
        self.assertEqual(self.run_shell("cat; echo end").output, "end\n")

    def test_signal(self) -> None:
        """A program that died of a signal has a negative status."""
        self.assertEqual(self.run_shell("kill -KILL $$").status, -signal.SIGKILL)

    def test_group_is_killed(self) -> None:
        """What a program leaves running in its group is killed, and holds us but a moment."""
        began = time.monotonic()
        result = self.run_shell("sleep 60 & echo $!")
        self.assertLess(time.monotonic() - began, PATIENCE)
        self.assert_dies(int(result.output))

    def test_escaped_grandchild(self) -> None:
        """A grandchild that left the group with our pipe does not hold us."""
        script = (
            "import os, sys, time\n"
            "if os.fork(): os.waitpid(-1, os.WNOHANG); sys.exit()\n"
            "os.setsid(); print(os.getpid(), flush=True); time.sleep(60)\n"
        )
        began = time.monotonic()
        result = run_program([sys.executable, "-S", "-c", script], threading.Event())
        self.assertLess(time.monotonic() - began, PATIENCE)
        if result.output:
            os.kill(int(result.output), signal.SIGKILL)

    def test_closed_output(self) -> None:
        """A program that closes its pipes is waited for."""
        self.assertEqual(self.run_shell("exec >&- 2>&-; sleep 0.1; exit 5").status, 5)

    def cancel_soon(self, script: str) -> tuple[ProgramResult, float]:
        cancelled = threading.Event()
        timer = threading.Timer(0.2, cancelled.set)
        timer.start()
        began = time.monotonic()
        result = run_program(["/bin/sh", "-c", script], cancelled)
        timer.join()
        return result, time.monotonic() - began

    def test_output_so_far(self) -> None:
        """What a program has printed can be read while it runs."""
        output, cancelled = Capture(), threading.Event()
        argv = ["/bin/sh", "-c", "echo one; echo two; sleep 60"]
        running = threading.Thread(target=run_program, args=(argv, cancelled, output))
        running.start()
        deadline = time.monotonic() + PATIENCE
        while output.size < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        result = output.result()
        cancelled.set()
        running.join()
        self.assertIsNone(result.status)
        self.assertEqual(answer_of("x", result), "```\none\ntwo\n```")
        self.assertEqual(answer_of("x", Capture().result()), "")

    def test_cancelled(self) -> None:
        """A cancelled program gets SIGTERM and may clean up."""
        result, took = self.cancel_soon("sleep 60")
        self.assertEqual(result.status, -signal.SIGTERM)
        self.assertLess(took, PATIENCE)

    def test_ignores_term(self) -> None:
        """One that forks and ignores SIGTERM is killed with its children."""
        result, took = self.cancel_soon("trap '' TERM; sleep 60 & echo $!; wait; sleep 60")
        self.assertEqual(result.status, -signal.SIGKILL)
        self.assertLess(took, PATIENCE)
        self.assert_dies(int(result.output))

    def test_environment(self) -> None:
        """Our credentials and systemd's sockets are not inherited."""
        ours = {
            "PATH": "/bin",
            "CREDENTIALS_DIRECTORY": "/x",
            "NOTIFY_SOCKET": "y",
            "LISTEN_FDS": "1",
        }
        self.assertEqual(environment(ours), {"PATH": "/bin"})
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": "secret"})
        self.assertNotIn("secret", self.run_shell("env").output)


class AnswerTests(TestCase):
    def test_success(self) -> None:
        """Output is the answer; without any there is a word nevertheless."""
        self.assertEqual(answer_of("x", ProgramResult(" up 3 days\n\n", 0)), " up 3 days")
        self.assertEqual(answer_of("x", ProgramResult("\n", 0)), "x: done")

    def test_several_lines(self) -> None:
        """Output of several lines is a block, so that its columns stay aligned."""
        self.assertEqual(answer_of("x", ProgramResult("a  b\nc  d\n", 0)), "```\na  b\nc  d\n```")
        with self.assertRaises(Failed) as caught:
            answer_of("x", ProgramResult("a\nb\n", 3))
        self.assertEqual(caught.exception.answer, "```\na\nb\n```\nx failed (exit status 3).")

    def test_cut(self) -> None:
        """Output that was cut says so first, and so does a failure, which is none the less."""
        cut = ProgramResult("a\nb", 0, truncated=True, size=30_000, limit=16_384)
        mark = "[only the first 16,384 of 30,000 bytes]"
        self.assertEqual(answer_of("x", cut), f"{mark}\n```\na\nb\n```")
        with self.assertRaises(Failed) as caught:
            answer_of("x", evolve(cut, status=3))
        first = f"x failed (exit status 3).\n{mark}\n```"
        self.assertTrue(caught.exception.answer.startswith(first))

    def test_failure(self) -> None:
        """A failure is told with what there was of output; the log gets the errors."""
        with self.assertRaises(Failed) as caught:
            answer_of("x", ProgramResult("abc\n", 3, errors="no disk"))
        self.assertEqual(caught.exception.answer, "abc\nx failed (exit status 3).")
        self.assertIn("no disk", caught.exception.reason)
        with self.assertRaises(Failed) as caught:
            answer_of("x", ProgramResult("y" * 16000, 3))
        self.assertTrue(caught.exception.answer.endswith("\nx failed (exit status 3)."))
        with self.assertRaises(Failed) as caught:
            answer_of("x", ProgramResult("", -11))
        self.assertEqual(caught.exception.answer, "x failed (killed by SIGSEGV).")
