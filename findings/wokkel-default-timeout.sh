#!/bin/sh
# Finding: StreamManager.timeout of wokkel 18.0.0 is never applied to its own requests.
#
# Guess: "setting a default timeout in StreamManager's timeout attribute" (its docstring of
#        request()) ends each request that has no time-out of its own.
# Seen:  generic.Request has a class attribute `timeout = None`, and request() reads
#        getattr(request, "timeout", self.timeout): the default is never looked at. A request
#        of DiscoClientProtocol waits for ever. With request.timeout set, it does time out.
#
# Exits with 0 while that is so, and with another status once it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q wokkel==18.0.0 twisted==26.10.0 constantly==23.10.4
cat >"$folder/try.py" <<'PYTHON'
import sys
import types

import constantly
import twisted
from twisted.python import compat

# wokkel 18.0.0 imports names that Twisted dropped in 21.2; these stand in for them.
shim = types.ModuleType("twisted.python.compat")
shim.__dict__.update(
    _PY3=True,
    unicode=str,
    StringType=str,
    iteritems=lambda mapping: iter(mapping.items()),
    itervalues=lambda mapping: iter(mapping.values()),
    __getattr__=lambda name: getattr(compat, name),
)
sys.modules["twisted.python.compat"] = shim
sys.modules["twisted.python.constants"] = constantly

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.words.protocols.jabber import xmlstream
from twisted.words.protocols.jabber.jid import JID
from wokkel.disco import _DiscoRequest
from wokkel.subprotocols import StreamManager


def outcome(request_timeout):
    clock = Clock()
    factory = xmlstream.XmlStreamFactory(xmlstream.Authenticator())
    manager = StreamManager(factory, clock)
    manager.timeout = 5
    stream = factory.buildProtocol(None)
    stream.makeConnection(StringTransport())
    stream.dispatch(stream, xmlstream.STREAM_AUTHD_EVENT)
    request = _DiscoRequest("info", recipient=JID("example.org"))
    if request_timeout is not None:
        request.timeout = request_timeout
    results = []
    manager.request(request).addBoth(results.append)
    clock.advance(3600)
    return type(results[0].value).__name__ if results else "still waits"


print(f"wokkel 18.0.0, Twisted {twisted.__version__}, an hour without an answer:")
default, own = outcome(None), outcome(5)
print(f"StreamManager.timeout = 5: {default}")
print(f"request.timeout = 5:       {own}")
sys.exit((default, own) != ("still waits", "TimeoutError"))
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/try.py"
