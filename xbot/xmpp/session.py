"""What a new session does first, and says of itself (RFC 6121, XEP-0030)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.xmpp import ns
from xbot.xmpp._wokkel import DiscoFeature, DiscoIdentity, DiscoInfo
from xbot.xmpp.handlers import Handler
from xbot.xmpp.iq import Iq, IqRefused
from xbot.xmpp.problems import ConnectionProblem

FEATURES = (ns.DISCO_INFO, ns.MUC, ns.PING)


class Session(Handler):
    """Fetches the roster, then tells that we are available."""

    _log = Logger("xbot.xmpp")

    def __init__(self, iq: Iq) -> None:
        super().__init__()
        self._iq = iq
        self.contacts: int | None = None
        iq.answer("get", ns.DISCO_INFO, "query", self._disco_info)

    def connectionInitialized(self) -> None:
        answer: Deferred[Any] = self._iq.request("get", None, domish.Element((ns.ROSTER, "query")))
        answer.addCallback(self._got_roster)
        answer.addErrback(self._got_no_roster)
        # RFC 6121 2.2: the roster is asked for first, but not waited for.
        self.send(domish.Element((ns.CLIENT, "presence")))

    def _got_roster(self, iq: domish.Element) -> None:
        query = iq.firstChildElement()
        self.contacts = len(list(query.elements(ns.ROSTER, "item"))) if query is not None else 0
        self._log.debug("the roster holds {contacts} contacts", contacts=self.contacts)

    def _got_no_roster(self, failure: Failure) -> None:
        failure.trap(IqRefused, ConnectionProblem)
        self._log.info("no roster: {reason}", reason=failure.getErrorMessage())

    def _disco_info(self, iq: domish.Element) -> domish.Element:
        info = DiscoInfo()
        info.append(DiscoIdentity("client", "bot", "xbot"))
        for feature in FEATURES:
            info.append(DiscoFeature(feature))
        answer: domish.Element = info.toElement()
        return answer
