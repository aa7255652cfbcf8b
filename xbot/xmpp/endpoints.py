"""Where a domain's server is: the SRV look-up and what it names (RFC 6120, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.names import dns
from twisted.names.error import DNSNameError, DomainError
from zope.interface import implementer

from xbot.xmpp.problems import ConnectionProblem

XMPP_PORT = 5222

#: Targets beyond these are not tried: nobody honest has so many.
MAX_TARGETS = 16

#: Seconds for one address of one target.
ADDRESS_TIMEOUT = 10.0

Uniform = Callable[[float, float], float]


@frozen
class Target:
    """A host and port to try; lower ``priority`` first, ``weight`` shares among equals."""

    host: str
    port: int
    priority: int = 0
    weight: int = 0


class ServiceNotOffered(ConnectionProblem):
    """The domain says in DNS that it has no XMPP service (RFC 2782: a target of ".")."""


def order_targets(targets: Iterable[Target], uniform: Uniform) -> list[Target]:
    """The order in which to try them: by priority, and by weighted chance within it (RFC 2782)."""
    ordered: list[Target] = []
    # RFC 2782 puts those of weight 0 first, which gives them a small chance.
    waiting = sorted(targets, key=lambda target: (target.priority, target.weight))
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
    ``connect_to(host, port)`` gives the endpoint for one target.
    """

    def __init__(
        self,
        domain: str,
        resolver: Any,
        uniform: Uniform,
        connect_to: Callable[[str, int], Any],
    ) -> None:
        self._domain = domain
        self._resolver = resolver
        self._uniform = uniform
        self._connect_to = connect_to

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with the last target's error when none answers."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        problem: Exception | None = None
        for target in await self._look_up():
            try:
                connected: IProtocol = await self._connect_to(target.host, target.port).connect(
                    factory
                )
                return connected
            except (ConnectError, DNSLookupError, UnicodeError) as error:
                # UnicodeError: the record names what cannot be a host.
                problem = ConnectionProblem(f"{target.host}:{target.port}: {error}")
        assert problem is not None
        raise problem

    async def _look_up(self) -> Sequence[Target]:
        fallback = [Target(self._domain, XMPP_PORT)]
        try:
            answers, _, _ = await self._resolver.lookupService(f"_xmpp-client._tcp.{self._domain}")
        except (DNSNameError, DomainError, TimeoutError):
            # RFC 6120 3.2.2: no answer, or that there is none, leads to the domain itself.
            return fallback
        except CancelledError:
            raise
        except Exception as error:
            # twisted.names has several time-outs of its own, and OSErrors for a
            # resolver that is not there; RFC 6120 3.2.1 treats them like no answer.
            if isinstance(error, OSError) or "Timeout" in type(error).__name__:
                return fallback
            raise ConnectionProblem(
                f"the SRV look-up of {self._domain} failed: {type(error).__name__}"
            ) from error
        records = [answer.payload for answer in answers if answer.type == dns.SRV]
        targets = [
            Target(str(record.target).rstrip("."), record.port, record.priority, record.weight)
            for record in records
        ]
        if len(targets) == 1 and not targets[0].host:
            raise ServiceNotOffered(f"{self._domain} says in DNS that it offers no XMPP")
        usable = [target for target in targets if target.host]
        return order_targets(usable, self._uniform)[:MAX_TARGETS] or fallback


def host_endpoint(reactor: Any, host: str, port: int) -> Any:
    """An endpoint for a host by name or address: all its addresses, IPv6 and IPv4."""
    return HostnameEndpoint(reactor, host.encode("idna"), port, timeout=ADDRESS_TIMEOUT)
