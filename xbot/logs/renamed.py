"""Log namespaces of the old layout, and what they are called now.

COMPAT: until version 0.2 was out, modules stood elsewhere, and ``log-level``
names them. The old names go with the release after it.
"""

from __future__ import annotations

#: By the old name's beginning; the longest that fits counts.
NAMES = {
    "xbot.xmpp": "xbot.chat.xmpp",
    "xbot.xmpp.bounces": "xbot.chat.xmpp",
    "xbot.xmpp.managed": "xbot.chat.xmpp.stream.stream_management",
    "xbot.shell": "xbot.chat.terminal",
    "xbot.dispatch": "xbot.engine.dispatch",
    "xbot.dispatch.accepting": "xbot.engine.dispatch.journal_gate",
    "xbot.dispatch.in_order": "xbot.engine.dispatch.ordering",
    "xbot.loading": "xbot.engine.loading",
    "xbot.loading.lives": "xbot.engine.loading.lifecycle",
    "xbot.outbox": "xbot.engine.outbox",
    "xbot.brain": "xbot.state.brain",
    "xbot.journal": "xbot.state.journal",
    "xbot.durable": "xbot.state.sqlite",
    "xbot.say": "xbot.control",
    "xbot.listening": "xbot.web.listener",
    "xbot.embedded": "xbot.embedded_server",
    "xbot.systemd": "xbot.process.systemd",
    "xbot.hangup": "xbot.process.sighup",
    "xbot.threads": "xbot.process.threads",
    "xbot.timer": "xbot.runtime.timer",
    "xbot.scope": "xbot.runtime.scope",
}


def current_name(namespace: str) -> str:
    """What ``namespace`` is called now: the same, unless it is a name of the old layout."""
    beginning = namespace
    while beginning:
        if beginning in NAMES:
            return NAMES[beginning] + namespace[len(beginning) :]
        beginning = beginning.rpartition(".")[0]
    return namespace
