"""``python -m tests.web PORT NAME``: serve the status page of a scene (good or hostile)."""

import sys

from twisted.internet import reactor

from tests.web.scene import BAD, GOOD, NOW, samples
from xbot.config.settings import HttpSettings, Listen
from xbot.web.service import StatusServer


def main(port: int, name: str) -> None:
    """Serve until we are killed."""
    overview = {"good": GOOD, "bad": BAD}[name]
    settings = HttpSettings(Listen("127.0.0.1", port))
    server = StatusServer(settings, lambda: overview, reactor, lambda: NOW)
    server._samples.taken.extend(samples())
    server.start()
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
