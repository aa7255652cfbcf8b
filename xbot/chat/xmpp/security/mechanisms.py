"""Choose the SASL mechanism and channel-binding type (RFC 5802, XEP-0440)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from attrs import field, frozen
from twisted.words.xish import domish

from xbot.chat.xmpp.security.channel_binding import END_POINT, EXPORTER, UNIQUE
from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ProtocolViolation
from xbot.config.settings import SASL_MECHANISMS

PLUS = "-PLUS"

#: Maximum number of mechanisms, and of channel-binding types, in an offer.
MAX_NAMES = 64

_SASL_CB = "urn:xmpp:sasl-cb:0"


class Offer(NamedTuple):
    """The server's SASL offer. ``binding_types`` is None without XEP-0440."""

    mechanisms: frozenset[str]
    binding_types: frozenset[str] | None = None


@frozen
class Choice:
    """The chosen mechanism, with SCRAM's gs2 header and the channel binding it names."""

    mechanism: str
    gs2_header: str = "n,,"
    binding_type: str | None = None
    binding_data: bytes = field(default=b"", repr=False)


def read_offer(features: domish.Element) -> Offer:
    """Parse the SASL offer in the stream features.

    :raises ProtocolViolation: when they offer no SASL, or too many names.
    """
    mechanisms = child(features, ns.SASL, "mechanisms")
    if mechanisms is None:
        raise ProtocolViolation("the server offers no SASL login")
    names = [str(name).strip() for name in mechanisms.elements(ns.SASL, "mechanism")]
    bindings = child(features, _SASL_CB, "sasl-channel-binding")
    types = None
    if bindings is not None:
        announced = bindings.elements(_SASL_CB, "channel-binding")
        types = [element.getAttribute("type", "").strip() for element in announced]
    if max(len(names), len(types or ())) > MAX_NAMES:
        raise ProtocolViolation("the server offers too many mechanisms")
    return Offer(frozenset(names), None if types is None else frozenset(types))


def allowed_mechanisms(
    asked_for: Collection[str] | None, *, has_password: bool, has_certificate: bool
) -> frozenset[str]:
    """The mechanisms among ``asked_for`` (None: all) that we have credentials for."""
    return frozenset(
        mechanism
        for mechanism in (SASL_MECHANISMS if asked_for is None else asked_for)
        if (has_certificate if mechanism == "EXTERNAL" else has_password)
    )


def choose(offer: Offer, allowed: Collection[str], bindings: Mapping[str, bytes]) -> Choice:
    """Choose the best mechanism that is offered and allowed.

    ``bindings`` maps the channel-binding types that the connection has to their data,
    best first. The gs2 flag (RFC 5802, section 6) tells the server what we saw:

    - ``p=TYPE``: a -PLUS mechanism, bound.
    - ``y``: we could have bound, but saw no -PLUS of this mechanism. A server that
      did offer one then detects the man in the middle who removed it, and refuses.
    - ``n``: we cannot bind: no TLS data, no -PLUS that the configuration allows, or
      (XEP-0440) the server offers -PLUS only with types that we do not have.

    :raises ProtocolViolation: when no mechanism is left, or when the offer contradicts
        itself as one changed by a man in the middle would (XEP-0440, business rules 5
        and 6).
    """
    usable = [name for name in SASL_MECHANISMS if name in offer.mechanisms and name in allowed]
    if "EXTERNAL" in usable:
        # It authenticates by the TLS connection's client certificate: no binding needed.
        return Choice("EXTERNAL")
    can_bind = bool(bindings) and any(name.endswith(PLUS) for name in allowed)
    kind = _binding_type(offer, bindings) if can_bind else None
    if can_bind:
        _check_contradictions(offer, kind)
    for mechanism in usable:
        if mechanism.endswith(PLUS):
            if kind is not None:
                return Choice(mechanism, f"p={kind},,", kind, bindings[kind])
        elif can_bind and mechanism + PLUS not in offer.mechanisms:
            return Choice(mechanism, "y,,")
        else:
            return Choice(mechanism)
    raise ProtocolViolation(
        f"the server offers no login that xbot may use (it offers {sorted(offer.mechanisms)[:10]})"
    )


def second_try(offer: Offer, choice: Choice, finished: bytes | None) -> Choice | None:
    """The choice to try after the server refused a binding, or None; never an unbound login.

    COMPAT: ejabberd 23.01 (Debian 12) offers -PLUS on TLS 1.3, does not announce
    types, knows tls-unique only, and takes our Finished message for it. That message
    is as unique to the connection as in TLS 1.2; RFC 9266 defines another type because
    TLS 1.3 leaves tls-unique undefined. Can go with Debian 12.
    """
    if offer.binding_types is not None or choice.binding_type != EXPORTER or not finished:
        return None
    return Choice(choice.mechanism, f"p={UNIQUE},,", UNIQUE, finished)


def _binding_type(offer: Offer, bindings: Mapping[str, bytes]) -> str | None:
    """The best type that both sides have; without XEP-0440 the one of the TLS version.

    RFC 9266, section 3, and RFC 5802, section 6.1: tls-exporter on TLS 1.3,
    tls-unique before it.
    """
    types = offer.binding_types
    return next((kind for kind in bindings if types is None or kind in types), None)


def _check_contradictions(offer: Offer, kind: str | None) -> None:
    way_out = "if the server is really like this, allow it: sasl = SCRAM-SHA-256 (or what it has)"
    types = offer.binding_types
    scram = {name for name in offer.mechanisms if name.startswith("SCRAM-")}
    if any(name.endswith(PLUS) for name in scram):
        # Rule 6: every server has tls-server-end-point. A list of unknown types only is
        # how a man in the middle would keep us from binding.
        if kind is None and types is not None and END_POINT not in types:
            raise ProtocolViolation(
                f"the server's channel-binding types ({sorted(types)[:5]}) were tampered with,"
                f" or it is misconfigured; {way_out}"
            )
    elif scram and types:
        # Rule 5. Without any SCRAM no -PLUS can be missing: some servers announce types
        # regardless of their mechanisms.
        raise ProtocolViolation(
            "the server announces channel binding but offers no -PLUS mechanism: the list was"
            f" tampered with, or it is misconfigured; {way_out}"
        )
