"""Find a domain's server: SRV look-ups, target order and endpoint (RFC 6120 3.2, XEP-0368)."""

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

#: Maximum number of targets tried.
MAX_TARGETS = 16

#: Time-out in seconds for one address of one target.
ADDRESS_TIMEOUT = 10.0

#: The SRV services, and whether they use direct TLS.
_SERVICES = (("_xmpp-client", False), ("_xmpps-client", True))

Uniform = Callable[[float, float], float]


class Target(NamedTuple):
    """A host and port to try; lower ``priority`` first, random by ``weight`` among equals.

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
    """Sort targets by priority, and weighted at random within each priority (RFC 2782).

    Of more than ``limit`` targets only the first are kept, before the random choice.
    """
    kept = sorted(targets, key=lambda target: (target.priority, -target.weight))[:limit]
    ordered: list[Target] = []
    # RFC 2782: targets of weight 0 stand first, which gives them a small chance.
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
    """Endpoint that connects to the first server of ``domain`` that answers.

    ``resolver`` is an :class:`twisted.internet.interfaces.IResolver`;
    ``connect_to(target)`` returns the endpoint for one target.
    ``has_worked(protocol)`` tells whether the last connection was of use. If not, its
    target is tried last the next time: a record may name a port that accepts
    connections but never speaks XMPP.
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
        """Connect; fails with the last target's error when no target answers."""
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

        RFC 6120 3.2.1: the domain itself is the fallback only when its SRV records do
        not exist or no name server answers. There is no fallback when any record names
        a target, when one says "." (XEP-0368, section 5), or when a name server reports
        a failure: then the records are unknown, and the look-up is retried later.
        """
        # Imported here: only a look-up needs it.
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
        # Only a failed look-up of _xmpp-client forbids the fallback, which replaces that
        # service; a failed look-up of _xmpps-client does not matter.
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
    """Whether a look-up found no record, or got no answer at all.

    :raises CancelledError: when the look-up was cancelled.
    """
    if isinstance(error, CancelledError):
        raise error
    if isinstance(error, DNSNameError | AuthoritativeDomainError | DNSQueryTimeoutError | OSError):
        # OSError: no resolver on this machine. Python's TimeoutError is an OSError, too.
        return True
    # twisted.names raises plain DomainError when it found nothing, and has several
    # time-out classes of its own.
    return type(error) is DomainError or "Timeout" in type(error).__name__


def host_endpoint(reactor: Any, host: str, port: int, direct_tls: Any = None) -> Any:
    """An endpoint for a host name or address, with all its IPv6 and IPv4 addresses.

    They are tried in parallel, each a little after the one before (Happy Eyeballs,
    RFC 8305). With ``direct_tls`` (TLS options) TLS begins with the first byte.
    """
    endpoint = HostnameEndpoint(reactor, host.encode("idna"), port, timeout=ADDRESS_TIMEOUT)
    return endpoint if direct_tls is None else wrapClientTLS(direct_tls, endpoint)
