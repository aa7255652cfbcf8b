"""Where a domain's server is: the SRV look-ups and what they name (RFC 6120 3.2, XEP-0368)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSNameError,
    DNSQueryTimeoutError,
    DomainError,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from xbot.chat.xmpp.wire.errors import ConnectionProblem, in_words

XMPP_PORT = 5222

#: Targets beyond these are not tried: nobody honest has so many.
MAX_TARGETS = 16

#: Seconds for one address of one target.
ADDRESS_TIMEOUT = 10.0

#: The services that are looked up, and whether they begin with TLS.
_SERVICES = (("_xmpp-client", False), ("_xmpps-client", True))

Uniform = Callable[[float, float], float]


class Target(NamedTuple):
    """A host and port to try; lower ``priority`` first, ``weight`` shares among equals.

    ``direct`` means TLS from the first byte (XEP-0368), else STARTTLS.
    """

    host: str
    port: int
    priority: int = 0
    weight: int = 0
    direct: bool = False


class ServiceNotOffered(ConnectionProblem):
    """The domain says in DNS that it has no XMPP service (RFC 2782: a target of ".")."""


def order_targets(
    targets: Iterable[Target], uniform: Uniform, limit: int = MAX_TARGETS
) -> list[Target]:
    """The order in which to try them: by priority, and by weighted chance within it (RFC 2782).

    Of many the ``limit`` foremost are kept, before any chance is thrown.
    """
    kept = sorted(targets, key=lambda target: (target.priority, -target.weight))[:limit]
    ordered: list[Target] = []
    # RFC 2782 puts those of weight 0 first, which gives them a small chance.
    waiting = sorted(kept, key=lambda target: (target.priority, target.weight))
    while waiting:
        equals = [target for target in waiting if target.priority == waiting[0].priority]
        mark = uniform(0, sum(target.weight for target in equals))
        for target in equals:
            mark -= target.weight
            if mark <= 0:
                break
        ordered.append(target)
        waiting.remove(target)
    return ordered


@implementer(IStreamClientEndpoint)
class DomainEndpoint:
    """Connects to the first server of ``domain`` that answers.

    ``resolver`` is an :class:`twisted.internet.interfaces.IResolver`;
    ``connect_to(target)`` gives the endpoint for one target. A target whose
    last connection came to nothing, as ``has_worked(protocol)`` tells, is
    tried after all others the next time: a record may lead to a port that
    accepts us and has nothing to say.
    """

    def __init__(
        self,
        domain: str,
        resolver: Any,
        uniform: Uniform,
        connect_to: Callable[[Target], Any],
        has_worked: Callable[[Any], bool] = lambda protocol: True,
    ) -> None:
        self._domain = domain
        self._resolver = resolver
        self._uniform = uniform
        self._connect_to = connect_to
        self._has_worked = has_worked
        self._last: tuple[Target, Any] | None = None

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with the last target's error when none answers."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        problem: Exception | None = None
        targets = order_targets(await self._look_up(), self._uniform)
        if self._last is not None and not self._has_worked(self._last[1]):
            failed = self._last[0]
            targets.sort(
                key=lambda target: (target.host, target.port) == (failed.host, failed.port)
            )
        self._last = None
        for target in targets:
            try:
                connected: IProtocol = await self._connect_to(target).connect(factory)
                self._last = (target, connected)
                return connected
            except (ConnectError, DNSLookupError, UnicodeError) as error:
                # UnicodeError: the record names what cannot be a host.
                problem = ConnectionProblem(f"{target.host}:{target.port}: {in_words(error)}")
        assert problem is not None
        raise problem

    async def _look_up(self) -> list[Target]:
        """The targets of both services as one pool (XEP-0368, section 3).

        RFC 6120 3.2.1: the domain itself is tried where its SRV records do not
        exist or nobody answers, and only there. It is not where any record
        names a target, where one says "." (XEP-0368, section 5), nor where a
        name server answers that it failed: then nobody knows what the domain
        wants, and its owner may want us elsewhere. We ask again later.
        """
        # Only who looks servers up pays for the messages of DNS.
        from twisted.names import dns

        asked = [
            self._resolver.lookupService(f"{service}._tcp.{self._domain}")
            for service, _ in _SERVICES
        ]
        outcomes = await DeferredList(asked, consumeErrors=True)
        targets: list[Target] = []
        refusals, failures = 0, []
        for (service, direct), (_, outcome) in zip(_SERVICES, outcomes, strict=True):
            if isinstance(outcome, Failure):
                error = outcome.value
                assert error is not None
                failures.append(None if _is_no_answer(error) else (service, error))
                continue
            failures.append(None)
            records = [answer.payload for answer in outcome[0] if answer.type == dns.SRV]
            found = [_target(record, direct) for record in records]
            targets += [target for target in found if target.host]
            refusals += any(not target.host for target in found)
        if targets:
            return targets
        # Whether there is direct TLS is of no interest where the older service is
        # known not to be: the fallback is that one's alone.
        if failures[0] is not None:
            service, error = failures[0]
            raise ConnectionProblem(
                f"the look-up of {service}._tcp.{self._domain} failed: {type(error).__name__}"
            ) from error
        if refusals:
            raise ServiceNotOffered(f"{self._domain} says in DNS that it offers no XMPP")
        return [Target(self._domain, XMPP_PORT)]


def _target(record: Any, direct: bool) -> Target:
    host = str(record.target).rstrip(".")
    return Target(host, record.port, record.priority, record.weight, direct)


def _is_no_answer(error: BaseException) -> bool:
    """Whether a look-up found that there is nothing, or heard nothing at all.

    :raises CancelledError: when it was given up.
    """
    if isinstance(error, CancelledError):
        raise error
    if isinstance(error, DNSNameError | AuthoritativeDomainError | DNSQueryTimeoutError | OSError):
        # OSError: no resolver on this machine; Python's TimeoutError is one as well.
        return True
    # twisted.names raises the plain class where it looked and found nothing, and
    # has several time-outs of its own.
    return type(error) is DomainError or "Timeout" in type(error).__name__


def host_endpoint(reactor: Any, host: str, port: int, direct_tls: Any = None) -> Any:
    """An endpoint for a host by name or address: all its addresses, IPv6 and IPv4.

    They are tried side by side, each a little after the one before (RFC 8305).
    With ``direct_tls`` (TLS options) TLS begins with the first byte.
    """
    endpoint = HostnameEndpoint(reactor, host.encode("idna"), port, timeout=ADDRESS_TIMEOUT)
    return endpoint if direct_tls is None else wrapClientTLS(direct_tls, endpoint)
