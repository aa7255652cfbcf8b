"""Summary of a configuration as text, for ``xbot check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xbot.config.options import OPEN
from xbot.config.permissions import names_of, permissions
from xbot.config.settings import (
    EMBEDDED,
    RESPONDER,
    WEBHOOK_TEMPLATES,
    Config,
    ResponderSettings,
    RoomSettings,
    WebhookSettings,
    XmppSettings,
)
from xbot.model.access import AccessList
from xbot.model.people import NOBODY
from xbot.text.durations import written


def describe(config: Config, bundled: Sequence[str] = OPEN) -> str:
    """Summarise the account, rooms, webhooks and responders as plain text, without secrets.

    Arguments of programs and values of a Python responder's own settings are left
    out: they may hold tokens.
    """
    return "\n".join(_lines(config, bundled)) + "\n"


def _lines(config: Config, bundled: Sequence[str]) -> Iterator[str]:
    """The summary, line by line."""
    bot, xmpp = config.bot, config.xmpp
    calls = [f'"{bot.name}: ping"']
    if bot.prefix:
        calls.append(f'"{bot.prefix}ping"')
    yield f"ini        {config.path}"
    yield f"account    {xmpp.jid}"
    yield f"server     {_server(xmpp)}"
    if xmpp.ca_file:
        yield f"CA         {xmpp.ca_file}"
    if xmpp.pins:
        yield f"pins       {len(xmpp.pins)}, one of which the server must have"
    if xmpp.certificate_file:
        yield f"our own    {xmpp.certificate_file}"
    if xmpp.sasl is not None:
        yield f"login by   {', '.join(xmpp.sasl)}"
    interval, timeout = written(xmpp.ping_interval), written(xmpp.ping_timeout)
    yield f"pings      every {interval}, answered within {timeout}"
    if xmpp.accept_invites != NOBODY:
        yield f"invited by {', '.join(names_of(AccessList(xmpp.accept_invites)))}"
    yield f"commands   {' or '.join(calls)}"
    yield f"state      {bot.state}"
    if people := [*map(str, bot.may_write_to.jids), *(f"@{d}" for d in bot.may_write_to.domains)]:
        yield f"writes to  {' '.join(sorted(people))}, also unasked"
    if config.http is not None:
        yield f"status at  {config.http.listen}"
    for webhook in config.webhooks:
        yield f"webhook    {_webhook(webhook)}"
    yield ""
    yield "rooms" if config.rooms else "no rooms"
    for room in config.rooms:
        yield f"  {_room(room)}"
    yield ""
    yield "permissions"
    for line in permissions(config, bundled):
        yield f"  {line}"
    if config.groups:
        yield ""
        yield "groups"
    for name, members in config.groups.items():
        yield f"  {name}: {', '.join(names_of(AccessList(members)))}"
    yield ""
    yield "responders"
    for responder in config.responders:
        yield f"  {responder.name}: {_responder(responder)}"
    configured = {responder.name for responder in config.responders}
    for name in bundled:
        if name not in configured:
            yield f"  {name}: bundled"


def _webhook(webhook: WebhookSettings) -> str:
    is_named = webhook.template in (*WEBHOOK_TEMPLATES, RESPONDER)
    template = webhook.template if is_named else "its own template"
    proof = "with a secret" if webhook.secret else "without a secret"
    return f"{webhook.name} at {webhook.path}: {template}, {proof}, in {', '.join(webhook.rooms)}"


def _server(xmpp: XmppSettings) -> str:
    if xmpp.server == EMBEDDED:
        return f"embedded in this process, port {xmpp.port}"
    if xmpp.host:
        return f"{xmpp.host}, port {xmpp.port}{', direct TLS' if xmpp.direct_tls else ''}"
    return f"wherever the SRV records of {xmpp.jid.domain} say"


def _room(room: RoomSettings) -> str:
    answering = "all responders"
    if room.responders is not None:
        answering = "responders " + ", ".join(sorted(room.responders))
    password = ", with a password" if room.password else ""
    return f"{room.jid} as {room.nick}, {answering}{password}"


def _responder(responder: ResponderSettings) -> str:
    """One line about a responder, without its arguments and the values of its own settings."""
    facts = [] if responder.enabled else ["switched off"]
    limit = f"(at most {written(responder.timeout)})"
    if responder.match is not None:
        facts.append(f"on command {responder.match}")
    if responder.hear is not None:
        facts.append(f"on hearing {responder.hear}")
    if responder.reply is not None:
        facts.append("replies")
    elif responder.run:
        facts.append(f"runs {responder.run[0]} {limit}")
    else:
        facts.append(f"calls {responder.use or responder.file} {limit}")
    if responder.settings:
        facts.append(f"with its own {', '.join(sorted(responder.settings))}")
    return ", ".join(facts)
