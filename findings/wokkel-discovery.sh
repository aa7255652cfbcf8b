#!/bin/sh
# Finding: wokkel 18.0.0's DiscoHandler does not announce service discovery itself.
#
# Guess: a client that is given DiscoHandler announces the feature disco#info, which
#        XEP-0030, section 3.1, asks of each entity, as its PingHandler announces ping.
# Seen:  DiscoHandler answers for the other handlers only (it does not provide IDisco). Its
#        answer has neither that feature nor an identity, of which there must be one at least.
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
from twisted.words.xish.domish import Element
from wokkel.disco import NS_DISCO_INFO, DiscoHandler, DiscoInfo
from wokkel.ping import NS_PING, PingHandler
from wokkel.subprotocols import StreamManager

factory = xmlstream.XmlStreamFactory(xmlstream.Authenticator())
manager = StreamManager(factory, Clock())
for handler in DiscoHandler(), PingHandler():
    handler.setHandlerParent(manager)
stream = factory.buildProtocol(None)
stream.makeConnection(StringTransport())
stream.dispatch(stream, xmlstream.STREAM_AUTHD_EVENT)
sent = []
stream.send = sent.append
request = Element((None, "iq"))
request.attributes.update(type="get", id="1", **{"from": "alice@example.org/x"})
request.addElement((NS_DISCO_INFO, "query"))
stream.dispatch(request)
(answer,) = sent
info = DiscoInfo.fromElement(answer.firstChildElement())
print(f"wokkel 18.0.0, Twisted {twisted.__version__}: {answer.toXml()}")
print(f"features: {sorted(info.features)}, identities: {sorted(info.identities)}")
sys.exit((info.features, info.identities) != ({NS_PING}, {}))
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/try.py"
