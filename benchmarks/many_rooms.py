"""``python -m benchmarks.many_rooms``: enter many rooms through a server's shipped rate limits.

On a real Prosody or ejabberd with the limits of the configuration that Debian ships, one
after the other: rooms that do not exist yet, which the bot makes; rooms that exist; rooms with
a crowd in them. Meanwhile a person in the first room says one command after the other.
ejabberd's limit of rooms for one account (``max_user_conferences``, 100) is raised to 2,000.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import bots
from benchmarks.person import Person
from tests.integration.ejabberd import Ejabberd
from tests.integration.process import read
from tests.integration.prosody import Prosody
from tests.integration.server import ACCOUNTS, Server

#: Time-out in seconds of one scenario.
PATIENCE = 900.0

#: Seconds between an answer and the next command.
PAUSE = 0.25


class QuietProsody(Prosody):
    """Prosody with the log level of Debian's configuration."""

    log_level = "info"


SERVERS: dict[str, type[Server]] = {"prosody": QuietProsody, "ejabberd": Ejabberd}


class Asker(threading.Thread):
    """Says commands in ``room`` until it is stopped; ``latencies`` are those of the answers.

    It begins when the bot's ``log`` says that it is there.
    """

    def __init__(self, person: Person, room: str, log: Path) -> None:
        super().__init__(daemon=True)
        self._person, self._room, self._log = person, room, log
        self._is_stopped = threading.Event()
        self.latencies: list[float] = []

    def run(self) -> None:
        """Wait until the bot is in the room, then ask."""
        # The room's history has the nick of the last bot, too.
        while f"{self._room}: joined" not in read(self._log):
            if self._is_stopped.wait(0.05):
                return
        # Until it has the room's subject.
        time.sleep(0.5)
        while not self._is_stopped.wait(PAUSE):
            self.latencies.append(self._person.ask(self._room))

    def stop(self) -> None:
        """The last answer is awaited."""
        self._is_stopped.set()
        self.join(PATIENCE)


def measure(server: Server, what: str, count: int, folder: Path) -> str:
    """One line of figures: ``count`` rooms entered."""
    rooms = [f"room{number}@{server.muc}" for number in range(count)]
    person = Person(server.port, server.domain, "alice", ACCOUNTS["alice"])
    person.join(rooms[0])
    log = folder / f"bot-{server.name}-{what.replace(' ', '-')}.log"
    bot = bots.xbot(folder, "tls = starttls\nping-interval = 30s")
    asker = Asker(person, rooms[0], log)
    began = time.monotonic()
    process = bot.start(
        bots.Server(
            server.port, server.ca_file, f"xbot@{server.domain}/b", ACCOUNTS["xbot"], server.muc
        ),
        count,
        0,
        log,
    )
    try:
        asker.start()
        while (joined := len(set(re.findall(r"(room\d+@\S+): joined", read(log))))) < count:
            if time.monotonic() - began > PATIENCE:
                break
            time.sleep(0.1)
        took = time.monotonic() - began
        asker.stop()
        said = read(log)
        latencies = sorted(asker.latencies) or [float("nan")]
        return (
            f"{server.name}, {count} {what}: {joined} joined in {took:.1f} s;"
            f" {len(latencies)} answers meanwhile, median {latencies[len(latencies) // 2]:.2f} s,"
            f" worst {latencies[-1]:.2f} s;"
            f" {len(re.findall('logged in as|resumed the session', said)) - 1} reconnects,"
            f" {said.count('is not obeyed')} times stale,"
            f" {said.count('no answer within')} joins timed out"
        )
    finally:
        process.stop()
        person.close()


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_rooms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--servers", nargs="+", default=list(SERVERS), choices=SERVERS)
    parser.add_argument("--rooms", type=int, default=1000)
    parser.add_argument("--occupants", type=int, default=500, help="in each crowded room")
    parser.add_argument("--crowded", type=int, default=100, help="number of crowded rooms")
    parser.add_argument("--unlimited", action="store_true", help="without the rate limits")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="xbot-bench-"))
    print(f"logs are in {folder}", file=sys.stderr)
    for name in options.servers:
        server = SERVERS[name](is_throttled=not options.unlimited)
        server.start()
        server.log_less()
        try:
            for what in "new rooms", "known rooms":
                print(measure(server, what, options.rooms, folder), flush=True)
            # Not the room where commands are said: they would be returned by its artificial
            # occupants, each of whom Prosody then removes, and tells each of the others.
            crowded = min(options.crowded, options.rooms - 1)
            if not crowded:
                continue
            for number in range(1, crowded + 1):
                server.crowd_room(f"room{number}@{server.muc}", options.occupants)
            what = f"rooms, {crowded} of them with {options.occupants} occupants"
            print(measure(server, what, options.rooms, folder), flush=True)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
