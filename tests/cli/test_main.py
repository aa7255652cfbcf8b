"""The xbot command."""

import importlib.metadata
import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import EntryPoint
from pathlib import Path

from twisted.trial import unittest

from tests.daemon import ROOT, XBOT, finish
from xbot.cli import main
from xbot.config import places
from xbot.engine.loading import finding
from xbot.model.message import Message
from xbot.state.brain.brain import FILE_NAME as BRAIN_NAME
from xbot.state.brain.file import BrainFile, read_content
from xbot.state.journal.file import FILE_NAME, JournalFile
from xbot.state.sqlite.file import take_lock
from xbot.testing import Bot


class CommandCase(unittest.TestCase):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of one command."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            try:
                status = main(arguments)
            except SystemExit as ended:  # argparse's way.
                status = ended.code
        return status, out.getvalue(), errors.getvalue()


class OutputTests(CommandCase):
    def run_into(self, file: str | int, *arguments: str) -> tuple[int, str]:
        """Exit status and errors of a command that prints into ``file``."""
        errors = io.StringIO()
        with open(file, "w") as stream, redirect_stdout(stream), redirect_stderr(errors):
            with self.assertRaises(SystemExit) as ended:
                main(arguments)
            stream.flush()
        return ended.exception.code, errors.getvalue()

    def test_other_encoding(self):
        """What the terminal's encoding does not have is escaped, and no traceback."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver = embedded\n[responder grüß]\nmatch = x\nreply = y\n")
        done = finish([*XBOT, "check", str(path)], PYTHONIOENCODING="ascii")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("gr\\xfc\\xdf: on command x", done.stdout)

    def test_nobody_reads(self):
        """Whoever had enough of it (``xbot ... | head``) is told nothing more."""
        reader, writer = os.pipe()
        os.close(reader)
        self.assertEqual(self.run_into(writer, "--help"), (128 + 13, ""))

    def test_full(self):
        """A full disk is told, and fails."""
        status, errors = self.run_into("/dev/full", "check", "--help")
        self.assertEqual(
            (status, errors), (74, "xbot: cannot be written: No space left on device\n")
        )


class CheckTests(CommandCase):
    def test_the_shipped_ini_is_valid(self):
        """etc/xbot.ini passes the check, which tells what would be joined and loaded."""
        status, out, errors = self.run_main("check", str(ROOT / "etc" / "xbot.ini"))
        # A checkout may belong to another user, as in many a CI: that is only a warning.
        told = [line for line in errors.splitlines() if "belongs to another user" not in line]
        self.assertEqual((status, told), (0, []))
        self.assertIn("demo@conference.localhost as xbot", out)
        self.assertIn("help: bundled", out)

    def test_the_shipped_ini_greets(self):
        """A newcomer's first words to the shipped bot are answered."""
        bot = Bot.from_ini(ROOT / "etc" / "xbot.ini")
        for text in ("hello xbot", "xbot: hello", "xbot hi"):
            answers = bot.say(text, room="demo@conference.localhost", nick="ann")
            self.assertEqual(answers, ["Hello ann!"], text)

    def test_mistakes_are_told_with_78(self):
        """A faulty ini gives the daemon's own lines and status."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver = embedded\n[responder x]\nmatch = (\nreply = y\n")
        status, out, errors = self.run_main("check", str(path))
        self.assertEqual((status, out), (78, ""))
        self.assertIn(f"{path}:4: [responder x] match:", errors)

    def test_a_responder_that_fails_to_load(self):
        """The check loads Python responders as the daemon does."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver=embedded\n[responder x]\nmatch=x\nuse=xbot:nothing\n")
        status, _, errors = self.run_main("check", str(path))
        self.assertEqual(status, 78)
        self.assertIn("[responder x] use:", errors)

    def test_offers(self):
        """What installed packages offer is listed where the ini does not use it."""
        offer = EntryPoint("weather", "xbot.responders.ping:ping", finding.GROUP)
        self.patch(importlib.metadata, "entry_points", lambda group, name=None: [offer])
        path = Path(self.mktemp())
        line = "  entry-point:weather is installed, and not used: xbot.responders.ping:ping"
        for more, lines in (("", [line]), ("[responder x]\nuse = entry-point:weather\n", [])):
            path.write_text(f"[xmpp]\nserver = embedded\n{more}")
            status, out, _ = self.run_main("check", str(path))
            self.assertEqual(status, 0)
            self.assertEqual([each for each in out.splitlines() if "installed" in each], lines)

    def test_warnings(self):
        """What is hardly meant is told with its line, and is no mistake."""
        path = Path(self.mktemp())
        path.write_text(
            "[xmpp]\nserver = embedded\n"
            "[responder all]\nmatch = deploy .*\nreply = a\n"
            "[responder one]\nmatch = deploy (?P<app>\\w+)\nreply = b\n"
            "[responder evil]\nhear = ^(?!x)(\\w+\\s?)*$\nreply = c\n"
            "[responder own-ping]\nmatch = ping\nreply = d\n"
            "[room ops@rooms.example]\n[responder here]\nmatch = here\nreply = e\n"
            "rooms = opps@rooms.example\n"
        )
        status, out, errors = self.run_main("check", str(path))
        self.assertEqual(status, 0)
        self.assertIn("evil", out)
        self.assertEqual(
            errors.splitlines(),
            [
                f"warning: {path}:9: [responder evil] hear: a repeat inside a repeat,"
                " (\\w+\\s?)*, may take long; a text of more than 3"
                " characters is given up after 50 ms",
                f"warning: {path}:6: [responder one] match: never reached: 'deploy x' goes to all"
                " (deploy .*), which comes before it",
                f"warning: {path}:19: [responder here] rooms: the bot is never in"
                " opps@rooms.example: there is no [room opps@rooms.example];"
                " did you mean ops@rooms.example?",
            ],
        )

    def test_against(self):
        """--against tells what a reload from one ini to another would do."""
        old, new = Path(self.mktemp()), Path(self.mktemp())
        old.write_text("[xmpp]\nserver = embedded\n[room a@b]\n")
        new.write_text("[xbot]\nstate = x\n[xmpp]\nserver = embedded\nport = 1\n[room c@b]\n")
        status, out, errors = self.run_main("check", "--against", str(old), str(new))
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                "reload: join +1, leave -1, nick 0, responders +0 -0 ~0, needs a restart: state,"
                " account changed (port)",
                "join c@b as xbot",
                "leave a@b",
            ],
        )
        status, _, errors = self.run_main("check", "--against", "/nowhere", str(new))
        self.assertEqual(status, 78)
        self.assertIn("/nowhere", errors)

    def test_help(self):
        """--help names the commands and how the daemon is run."""
        told = finish([*XBOT, "--help"])
        self.assertEqual(told.returncode, 0)
        for word in ("check", "demo", "journal", "brain", "twistd -n xbot"):
            self.assertIn(word, told.stdout)


class TestTests(CommandCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.ini = self.folder / "xbot.ini"
        self.ini.write_text("[xmpp]\njid = xbot@example.org\n[responder hi]\nmatch=hi\nreply=ho\n")
        self.talk = self.folder / "talk.txt"

    def play(self, text: str) -> tuple[int, str, str]:
        self.talk.write_text(text)
        return self.run_main("test", "--config", str(self.ini), str(self.talk))

    def test_all_right(self) -> None:
        """Transcripts that come true give 0 and one line; no password is needed."""
        self.assertEqual(
            self.play("a@x> hi\nxbot< ho\n"), (0, "1 transcript, 1 step: all right\n", "")
        )

    def test_unfinished(self) -> None:
        """A responder that still runs at the end is named, and that alone is no mistake."""
        with self.ini.open("a") as ini:
            ini.write("effect = yes\nconfirm = yes\n")
        status, out, _ = self.play("a@x> hi\n...\n")
        self.assertEqual(status, 0)
        self.assertIn(f"{self.talk}:1: note: hi still runs at the end", out)

    def test_wrong(self) -> None:
        """What is wrong is told with file and line, and gives 1."""
        status, out, errors = self.play("a@x> hi\nxbot< hm\n")
        self.assertEqual((status, errors), (1, ""))
        self.assertIn(f"{self.talk}:1: a> hi\n  expected: hm\n  got:      ho\n", out)

    def test_unusable(self) -> None:
        """A transcript or an ini with mistakes gives 78 before anything is played."""
        status, out, errors = self.play("alice> hi\n")
        self.assertEqual((status, out), (78, ""))
        self.assertIn(f"{self.talk}:1: who is alice?", errors)
        self.ini.write_text("[xmpp]\njid = xbot@example.org\n[responder empty]\n")
        status, out, errors = self.play("a@x> hi\n")
        self.assertEqual((status, out), (78, ""))
        self.assertIn("[responder empty]", errors)


class ExplainTests(CommandCase):
    def setUp(self) -> None:
        self.ini = Path(self.mktemp())
        self.ini.write_text(
            "[xmpp]\njid = xbot@example.org\n[room ops@conference.example.org]\n"
            "[responder deploy]\nmatch = deploy (?P<app>\\w+)\nrun = false\n"
            "allow = room-owners\nconfirm = yes\napprove = 1\n"
        )

    def explain(self, *arguments: str) -> tuple[int, str, str]:
        return self.run_main("explain", "--config", str(self.ini), *arguments)

    def test_in_words(self) -> None:
        """It says who answers, what comes before, and why the others do not; nothing runs."""
        room = ["--as", "a@x", "--room", "ops@conference.example.org"]
        status, out, errors = self.explain(*room, "--affiliation", "owner", "xbot: deploy web")
        self.assertEqual((status, errors), (0, ""))
        for line in (
            "said to the bot: deploy web",
            "answers: deploy (deploy APP)",
            "  app = web",
            "  asks the same person to confirm it",
            "  asks for the approval of 1 other who may use it",
            "  is journalled before it runs",
            "  may take 30 s, say 65,536 characters, and run 4 times at once; up to 32 more wait",
            "rates: 10 in 20 s of one sender, 20 in 10 s in one room",
        ):
            self.assertIn(line, out.splitlines())
        self.assertRegex(out, r"(?m)^not ping: its pattern does not fit: ")

    def test_denied(self) -> None:
        """It says why somebody may not use what would answer."""
        status, out, _ = self.explain("--as", "a@x", "deploy web")
        self.assertEqual(status, 0)
        self.assertIn("denied: deploy (deploy APP): allow does not include a@x\n", out)
        self.assertIn("rates: 10 in 20 s of one sender\n", out)
        _, out, _ = self.explain("--room", "other@x", "xbot: deploy web")
        self.assertIn("the sender's real address is hidden here", out)

    def test_only_a_text(self) -> None:
        """A text alone is said by the shell's default person in private; words need no quotes."""
        for arguments in (("deploy web",), ("deploy", "web"), ("xbot: deploy web",)):
            status, out, errors = self.explain(*arguments)
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("said to the bot: deploy web\n", out)
            self.assertIn("allow does not include you@localhost", out)

    def test_nobody(self) -> None:
        """Where nobody answers it exits with 1."""
        status, out, _ = self.explain("--as", "a@x", "--room", "other@x", "hello")
        self.assertEqual(status, 1)
        self.assertIn("no responder answers\n", out)
        self.assertEqual(self.explain("--as", "a@x", " ")[0], 1)

    def test_json(self) -> None:
        """--json gives all of it to programs."""
        status, out, _ = self.explain("--json", "--as", "a@x", "deploy web")
        told = json.loads(out)
        self.assertEqual((status, told["fate"], told["addressed"]), (0, "dispatched", "deploy web"))
        self.assertEqual(told["answering"][0]["groups"], {"app": "web"})
        self.assertIn("ping", [each["responder"] for each in told["silent"]])

    def test_mistakes(self) -> None:
        """Addresses that are none, and an unknown speaker outside of rooms, are told."""
        for arguments in (
            ("--as", "@", "hello"),
            ("--as", "nobody", "hello"),
            ("--as", "a@x", "--nick", "a", "b"),
            ("--as", "a@x", "--private", "b"),
        ):
            status, out, errors = self.explain(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(errors)
        self.assertEqual(self.run_main("explain", "--config", "none", "--as", "a@x", "b")[0], 78)


class JournalTests(CommandCase):
    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()

    def fill(self) -> None:
        """Three entries in a journal that stays open."""
        file = JournalFile(self.state / FILE_NAME)
        self.addCleanup(file.close)
        for key in "abc":
            message = Message("al@x/y", "b@x", f"deploy {key}\x1b", {"type": "chat"}, key=key)
            file.commit([lambda file, message=message: file.accept(message, "deploy", 0.0)])

    def test_table(self) -> None:
        """It lists the newest entries while the daemon has the file, safe for any terminal."""
        self.fill()
        status, out, errors = self.run_main("journal", "--state", str(self.state), "-n", "2")
        self.assertEqual((status, errors), (0, ""))
        self.assertNotIn("\x1b", out)
        self.assertNotIn("deploy a", out)
        self.assertRegex(out, r"unfinished .*deploy b.*\n.*deploy c")

    def test_json_by_ini(self) -> None:
        """The ini says where the journal is; --json gives an object in each line."""
        self.fill()
        ini = self.state / "xbot.ini"
        # The password's file is not there, as for an operator without systemd's credentials.
        ini.write_text("[xbot]\nstate = .\n[xmpp]\njid = x@b.example\npassword-file = none\n")
        status, out, errors = self.run_main("journal", "--config", str(ini), "--json")
        self.assertEqual((status, errors), (0, f"state folder: {self.state.absolute()}\n"))
        self.assertEqual([json.loads(line)["number"] for line in out.splitlines()], [1, 2, 3])

    def test_instance(self) -> None:
        """The journal of an instance is found by the instance's name."""
        self.fill()
        self.patch(places, "SYSTEM_INIS", self.state.absolute())
        (self.state / "ops.ini").write_text("[xbot]\nstate = .\n")
        status, out, _ = self.run_main("journal", "--instance", "ops", "--json", "-n", "1")
        self.assertEqual((status, json.loads(out)["number"]), (0, 3))
        self.assertEqual(self.run_main("journal", "--instance", "dev")[0], 78)

    def test_errors(self) -> None:
        """Without a journal it says so; a faulty ini is told as by check."""
        status, out, errors = self.run_main("journal", "--state", str(self.state))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("there is no journal here", errors)
        status, _, errors = self.run_main("journal", "--config", str(self.state / "none.ini"))
        self.assertEqual(status, 78)
        for count in ("0", "-1", "x"):
            status, out, errors = self.run_main("journal", "-n", count)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(f"{count!r} is no number of entries: 1 or more", errors)


class BrainTests(CommandCase):
    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()
        self.file = self.state / "export.json"

    def write(self, **values: object) -> None:
        """An export with these values in one namespace."""
        entries = {key: {"value": value} for key, value in values.items()}
        self.file.write_text(json.dumps({"version": 1, "namespaces": {"a": entries}}))

    def run_brain(self, *arguments: str) -> tuple[int, str, str]:
        return self.run_main("brain", *arguments, "--state", str(self.state))

    def test_there_and_back(self) -> None:
        """What is imported is exported, also while the daemon has the file."""
        self.write(x=[1], y="\x1b")
        self.assertEqual(
            self.run_brain("import", str(self.file)), (0, "imported: 2 new, 0 replaced\n", "")
        )
        lock = take_lock(self.state / BRAIN_NAME)
        file = BrainFile(self.state / BRAIN_NAME)
        status, out, errors = self.run_brain("export")
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(json.loads(out), json.loads(self.file.read_text()))
        status, out, errors = self.run_brain("import", str(self.file))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("the bot is running; stop it first; nothing was changed", errors)
        file.close()
        os.close(lock)

    def test_by_ini(self) -> None:
        """The ini says where the brain is."""
        ini = self.state / "xbot.ini"
        ini.write_text("[xbot]\nstate = there\n[xmpp]\nserver = embedded\n")
        self.write(x=1)
        status, _, errors = self.run_main("brain", "import", str(self.file), "--config", str(ini))
        self.assertEqual((status, errors), (0, f"state folder: {self.state.absolute()}/there\n"))
        self.assertEqual(len(read_content(self.state / "there" / BRAIN_NAME).rows), 1)
        status, out, _ = self.run_main("brain", "export", "--config", str(ini))
        self.assertEqual((status, json.loads(out)["version"]), (0, 1))
        for deed in (["export"], ["import", str(self.file)]):
            status, _, errors = self.run_main("brain", *deed, "--config", str(self.state / "no"))
            self.assertEqual(status, 78)

    def test_unused(self) -> None:
        """Where nothing was remembered yet, that is the export, and what is read is told."""
        status, out, errors = self.run_brain("export")
        self.assertEqual((status, json.loads(out)), (0, {"version": 1, "namespaces": {}}))
        self.assertEqual(errors, f"{self.state}: nothing is remembered here yet\n")
        self.assertEqual(list(self.state.iterdir()), [])
        self.file.write_text(out)
        status, out, _ = self.run_brain("import", str(self.file))
        self.assertEqual((status, out), (0, "imported: 0 new, 0 replaced\n"))

    def test_a_folder_of_others(self) -> None:
        """A folder that we may not look into is told as that."""

        def stat(path: object, **how: object) -> os.stat_result:
            raise PermissionError(13, "Permission denied")

        self.patch(os, "listdir", stat)
        self.patch(os, "stat", stat)
        status, out, errors = self.run_brain("export")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(errors, f"{self.state / BRAIN_NAME}: Permission denied\n")

    def test_errors(self) -> None:
        """What cannot be done is told in words, and nothing is changed."""
        nowhere = self.state / "nowhere"
        status, out, errors = self.run_main("brain", "export", "--state", str(nowhere))
        self.assertEqual((status, out, "there is no brain here" in errors), (1, "", True))
        for text in ("{", '{"version": 1, "namespaces": {"a": {"x": {"value": NaN}}}}'):
            self.file.write_text(text)
            status, out, errors = self.run_brain("import", str(self.file))
            self.assertEqual((status, out), (1, ""))
            self.assertIn("no JSON", errors)
            self.assertIn("nothing was changed", errors)
        status, _, errors = self.run_brain("import", str(self.state / "none.json"))
        told = f"{self.state / 'none.json'}: cannot be read: No such file or directory"
        self.assertEqual((status, errors.splitlines()), (1, [told, "nothing was changed"]))
        self.assertFalse((self.state / BRAIN_NAME).exists())
        self.write(x=1)
        (self.state / BRAIN_NAME).write_text("something else")
        status, _, errors = self.run_brain("import", str(self.file))
        self.assertEqual((status, "not a database" in errors), (1, True))


class StateTests(CommandCase):
    def test_backup_and_restore(self):
        """A state folder is moved by two commands; mistakes are told with status 1."""
        old, new = Path(self.mktemp()), Path(self.mktemp())
        old.mkdir(mode=0o700)
        (old / "rooms.json").write_text("[]")
        archive = str(Path(self.mktemp()))
        done = self.run_main("state", "backup", archive, "--state", str(old))
        self.assertEqual(done, (0, "rooms.json: 2 bytes\n", ""))
        restoring = ("state", "restore", archive, "--state", str(new))
        self.assertEqual(self.run_main(*restoring), (0, "restored rooms.json\n", ""))
        for command in (("state", "backup", archive, "--state", str(old)), restoring):
            status, out, errors = self.run_main(*command)
            self.assertEqual((status, out), (1, ""))
            self.assertRegex(errors, "; (no backup was made|nothing was restored)\n$")
        status, out, _ = self.run_main(*restoring, "--replace")
        self.assertEqual(status, 0)
        self.assertIn("before-restore-", out)
