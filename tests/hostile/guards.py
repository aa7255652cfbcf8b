"""Mutation tests of the guards: how to remove each guard, and a test that must then fail.

A guard that can go without a test that notices is one that somebody will take
away some day, to make things simpler.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import succeed

from xbot.app import state_folder
from xbot.chat.xmpp import adapter, disco, messages, ping
from xbot.chat.xmpp.rooms import invitations, occupant_ids, room, rooms
from xbot.chat.xmpp.security import downgrade, scram, tls
from xbot.chat.xmpp.stanzas import fast_path_bytes, message, occupants, stanza
from xbot.chat.xmpp.stream import (
    endpoints,
    freshness,
    handlers,
    iq,
    login,
    reconnect_policy,
    redirect,
    stream,
    stream_management,
)
from xbot.chat.xmpp.wire import _wokkel, elements, fast_elements, nodes, serialize
from xbot.engine import outbox
from xbot.engine.dispatch import (
    dispatcher,
    gates,
    journal_gate,
    limits,
    output,
    person,
    run_queue,
    runs,
)
from xbot.logs import record, repeats
from xbot.matching import breaker, guarded_search
from xbot.model import access, cooldown, jid
from xbot.process import file_trust, threads
from xbot.runtime import answers, scope
from xbot.webhooks import door, proof

#: A number that stands for "no bound".
MUCH = 10**12

Patch = Callable[[Any, str, Any], object]
"""``TestCase.patch``: object, attribute name, and its value until the end of the test."""


@frozen
class Guard:
    """``remove(patch)`` removes the guard; ``test`` is a catalogue row, or a test's name."""

    name: str
    test: str
    remove: Callable[[Patch], object]

    @property
    def test_name(self) -> str:
        """The full name of its test."""
        if "." in self.test:
            return f"tests.{self.test}"
        return f"tests.hostile.{_HOMES[self.test[0]]}.test_{self.test}"


_HOMES = {
    "N": "test_network.StreamTests",
    "A": "test_login.LoginTests",
    "X": "test_stream.XmlTests",
    "I": "test_identity.IdentityTests",
    "T": "test_time.TimeTests",
    "L": "test_load.LoadTests",
}


def put(where: Any, name: str, what: Any) -> Callable[[Patch], object]:
    """Replace the attribute ``name`` of ``where`` by ``what``."""
    return lambda patch: patch(where, name, what)


def bound(
    name: str, what: Any, where: tuple[Any, ...] = (elements, fast_elements)
) -> Callable[[Patch], object]:
    """Replace a limit in every module that has it, such as both parsers."""

    def remove(patch: Patch) -> None:
        for module in where:
            if hasattr(module, name):
                patch(module, name, what)

    return remove


def nothing(*arguments: Any, **more: Any) -> None:
    """Replacement for a guard: do nothing."""


def yes(*arguments: Any, **more: Any) -> bool:
    """Replacement for a predicate: always true."""
    return True


def same(text: Any, *more: Any) -> Any:
    """Replacement for a sanitiser: return the text unchanged."""
    return text


async def _no_tls(stream: Any, features: Any, options: Any) -> None:
    """Continue without TLS."""


def _any_header(patch: Patch) -> None:
    got_header = stream.Stream.onDocumentStart

    def got_any(self: Any, root: Any) -> None:
        root["from"] = self.domain
        got_header(self, root)

    patch(stream.Stream, "onDocumentStart", got_any)


def _echo(patch: Patch) -> None:
    def echo(request: Any, condition: str, kind: str = "cancel") -> Any:
        reply = stanza.error_reply(request, condition, kind)
        reply.children += request.children
        return reply

    patch(iq, "error_reply", echo)


def _first_body(bodies: Any) -> str:
    return nodes.text_of(bodies[0])


def _by_nick(patch: Patch) -> None:
    def speaker(self: Any, nick: str, id: str | None) -> Any:
        return occupants.Occupant(address=f"{nick}@example.org/x"), None

    patch(occupants.Occupants, "speaker", speaker)


def _claimed_ids(patch: Patch) -> None:
    def number_of_id(self: Any, id: str | None) -> str | None:
        return id

    patch(occupants.Occupants, "_number_of_id", number_of_id)


def _by_address(patch: Patch) -> None:
    in_room = messages.Messages._in_room

    def of_anyone(self: Any, *arguments: Any) -> Any:
        return evolve(in_room(self, *arguments), identity="alice@example.org")

    patch(messages.Messages, "_in_room", of_anyone)


def _said_by_us(patch: Patch) -> None:
    reason = gates.reason_to_drop
    patch(dispatcher, "reason_to_drop", lambda message: reason(evolve(message, echo=False)))


def _any_number_of_headers(patch: Patch) -> None:
    got_start = fast_elements.FastElementStream._got_start

    def got(self: Any, name: str, attributes: Any) -> None:
        got_start(self, name, attributes)
        self._root = ""

    patch(fast_elements.FastElementStream, "_got_start", got)


def _any_certificate(patch: Patch) -> None:
    options = tls.ssl.optionsForClientTLS
    patch(
        tls.ssl,
        "optionsForClientTLS",
        # The name that the host has, and not the account's domain.
        lambda domain, **more: options("xmpp.example.net", **more),
    )


def _caught_up(patch: Patch) -> None:
    become = room.Room._become

    def become_caught_up(self: Any, *arguments: Any) -> None:
        become(self, *arguments)
        self.caught_up = True

    patch(room.Room, "_become", become_caught_up)


def _no_delay(patch: Patch) -> None:
    patch(message, "_READ", message._READ - message.DELAYS)
    # Then all stanzas come to the reader on nodes.
    patch(fast_path_bytes, "read_plain", nothing)


def _no_delay_in_bytes(patch: Patch) -> None:
    read = fast_path_bytes.read_plain

    def read_live(data: bytes) -> Any:
        found = read(data)
        if found is None or not isinstance(found[0], message.MessageStanza):
            return found
        return found[0]._replace(delayed=False), found[1]

    patch(fast_path_bytes, "read_plain", read_live)


def _uncut(patch: Patch) -> None:
    for module in answers, output:
        patch(module, "cut", same)


class _Uncounted(Counter[str]):
    def __getitem__(self, key: str) -> int:
        return 0


def _succeeds(*arguments: Any) -> Any:
    return succeed(True)


def _no_text(*arguments: Any) -> str:
    return ""


def _believed(self: Any, stamp: float) -> float:
    ago: float = self._wall_clock() - stamp
    return ago


def _just_now(stanza: Any, servers: Any, now: float, max_age: float) -> float:
    return now


def _begin_at_once(self: Any, run: Any) -> None:
    self._runs.start(run)


_LONG = "hostile.test_bounds.LongTests.test_long"

GUARDS = (
    # The network
    Guard("TLS before anything else", "A01", put(login, "_start_tls", _no_tls)),
    Guard("the header names our domain", "N03", _any_header),
    Guard(
        "the certificate names our domain",
        "N04",
        _any_certificate,
    ),
    Guard(
        "we ask for the name ourselves",
        "chat.xmpp.security.test_peer.LoginTests.test_no_byte",
        put(tls, "_check_name", nothing),
    ),
    Guard(
        "no byte before the handshake's end",
        "chat.xmpp.security.test_peer.WaitTests.test_silence",
        put(stream.Stream, "handshake", _succeeds),
    ),
    Guard(
        "no renegotiation",
        "chat.xmpp.security.test_tls.HandshakeTests.test_renegotiation",
        put(tls, "_OP_NO_RENEGOTIATION", 0),
    ),
    Guard(
        "what a presence told that nobody could read",
        "chat.xmpp.rooms.test_lost_presence.LostPresenceTests.test_not_read",
        put(rooms.Rooms, "got_lost", nothing),
    ),
    Guard(
        "nothing behind <proceed/>",
        "N10",
        put(fast_elements.FastElementStream, "supersede", nothing),
    ),
    Guard("so many redirects", "N12", put(redirect, "MAX_REDIRECTS", MUCH)),
    Guard(
        "so many targets",
        "N13",
        put(endpoints, "order_targets", lambda targets, uniform: list(targets)),
    ),
    Guard("a login ends in time", "N15", put(login, "NEGOTIATION_TIMEOUT", 1e9)),
    Guard("the server is asked whether it lives", "N16", put(ping.Ping, "_ask_again", nothing)),
    # The login
    Guard(
        "the best login is remembered", "A02", put(downgrade.DowngradeProtection, "check", nothing)
    ),
    Guard(
        "a binding of the certificate is less than one of the connection",
        "chat.xmpp.security.test_secure_login.RefusedTests.test_only_the_end_point",
        put(downgrade, "_OF_CONNECTION", ("tls-exporter", "tls-unique", "tls-server-end-point")),
    ),
    Guard("the server proves itself", "A03", put(scram.ScramClient, "check_success", nothing)),
    Guard("so few iterations", "A05", put(scram, "MIN_ITERATIONS", 0)),
    Guard("so many iterations", "A05", put(scram, "MAX_ITERATIONS", MUCH)),
    Guard("so long a challenge", "A06", put(scram, "MAX_CHALLENGE", MUCH)),
    Guard("so many refusals", "A08", put(reconnect_policy, "LOGIN_TRIES", MUCH)),
    Guard(
        "so many conflicts",
        "hostile.test_operation.AroundTests.test_O12",
        put(reconnect_policy, "CONFLICTS", MUCH),
    ),
    # XML
    Guard("no DTD", "X03", put(elements.ElementStream, "_refuse_doctype", nothing)),
    Guard("no instruction", "X05", put(elements.ElementStream, "_refuse_instruction", nothing)),
    Guard("no comment", "X06", put(elements.ElementStream, "_refuse_comment", nothing)),
    Guard("so deep", "X07", bound("MAX_DEPTH", MUCH)),
    Guard("so wide", "X08", bound("MAX_ELEMENTS", MUCH)),
    Guard("so many attributes", "X09", bound("MAX_ATTRIBUTES", MUCH)),
    Guard(
        "so long a tag",
        "chat.xmpp.wire.test_elements.DroppedTests.test_a_long_tag",
        bound("MAX_TAG_BYTES", MUCH),
    ),
    Guard(
        "so many values before the parser sees them",
        "chat.xmpp.wire.test_elements.DroppedTests.test_a_long_tag",
        bound("MAX_VALUES", MUCH),
    ),
    Guard(
        "so long a comment",
        "chat.xmpp.wire.test_elements.DroppedTests.test_markup_that_does_not_end",
        bound("MAX_TOKEN_BYTES", MUCH),
    ),
    Guard("so large", "X11", bound("MAX_STANZA_BYTES", MUCH)),
    Guard("so long without an end", "X13", bound("MAX_UNFINISHED_BYTES", 2**23)),
    Guard("no blank in a namespace", "X18", bound("WHITE_SPACE", re.compile("(?!)"))),
    Guard(
        "names are forgotten",
        "chat.xmpp.wire.test_elements.NamesTests.test_forgotten",
        put(elements.ElementStream, "_renew", nothing),
    ),
    Guard("one header", "X22", _any_number_of_headers),
    Guard(
        "the fast path only where a stanza may begin",
        "chat.xmpp.wire.test_fast_elements.SameTests.test_where_nothing_plain_may_be",
        put(fast_elements.FastElementStream, "_may_be_plain", yes),
    ),
    Guard("attributes are escaped", "X19", put(serialize, "_attribute", same)),
    Guard("characters that XML forbids", "L09", put(serialize, "sanitize", same)),
    Guard("errors repeat nothing", "I05", _echo),
    # Who says it
    Guard("the one who was asked answers", "I01", put(iq.Iq, "_is_from", yes)),
    Guard(
        "ids that nobody guesses",
        "chat.xmpp.stream.test_iq.AskingTests.test_question",
        put(iq, "new_ident", lambda: "H_0123456789"),
    ),
    Guard("the roster is the server's", "I05", put(iq.Iq, "is_from_account", yes)),
    Guard("our own words", "L04", _said_by_us),
    Guard("rights", "I11", put(access.Access, "allows", yes)),
    Guard("a nick is no right", "I11", _by_nick),
    Guard("nor is the address written from", "I12", _by_address),
    Guard(
        "an occupant id that the room does not announce",
        "chat.xmpp.test_private_messages.OccupantIdTests.test_claims",
        _claimed_ids,
    ),
    Guard(
        "an announcement by the room",
        "chat.xmpp.test_private_messages.OccupantIdTests.test_claims",
        put(occupant_ids, "_has_feature", yes),
    ),
    Guard(
        "newcomers are one party",
        "engine.dispatch.test_limits.LimitsTests.test_ever_new_people",
        put(limits, "party_of", person.name_of),
    ),
    Guard("who left is gone", "I14", put(occupants.Occupants, "rename", nothing)),
    Guard("with a session its occupants", "I14", put(occupants.Occupants, "clear", nothing)),
    Guard("who may invite", "I17", put(invitations.Invitations, "_is_welcome", yes)),
    Guard("corrections are not said", "I18", put(message, "_CORRECTION", "")),
    Guard("bodies that differ", "I19", put(message, "_body", _first_body)),
    Guard("no effects outside a conversation", "I23", put(gates, "may_have_effects", yes)),
    # When
    Guard("a delay is the past", "T02", _no_delay),
    Guard("also on the fast path on bytes", "T02", _no_delay_in_bytes),
    Guard(
        "before the subject is the past",
        "T01",
        _caught_up,
    ),
    Guard(
        "after a stop is the past",
        "hostile.test_operation.AroundTests.test_O15",
        put(freshness.Freshness, "woke", nothing),
    ),
    Guard(
        "what was missed is told once", "T05", put(journal_gate.JournalGate, "is_new", _succeeds)
    ),
    Guard("what is sent again is fresh", "T04", put(messages, "resent_stamp", _just_now)),
    Guard(
        "journalled before it runs",
        "hostile.test_operation.DaemonTests.test_O07",
        put(journal_gate.JournalGate, "begin", _begin_at_once),
    ),
    # How much
    Guard("so long a JID", "model.test_jid.JidTests.test_lengths", put(jid, "MAX_PART", MUCH)),
    Guard("so long an answer", "L05", _uncut),
    Guard(
        "so many runs", "hostile.test_bounds.BoundTests.test_runs", put(runs, "Counter", _Uncounted)
    ),
    Guard(
        "so many messages wait",
        "L10",
        put(
            outbox.Outbox.__init__,
            "__kwdefaults__",
            {
                **outbox.Outbox.__init__.__kwdefaults__,
                "max_messages": MUCH,
                "max_bytes": MUCH,
            },
        ),
    ),
    Guard(
        "a share of what waits for each place",
        "engine.test_outbox.ShareTests.test_room_for",
        put(outbox.Outbox, "_fits_there", yes),
    ),
    Guard(
        "the place where most waits yields",
        "engine.test_outbox.ShareTests.test_many_rooms_that_are_gone",
        put(outbox.Outbox, "_fullness", lambda self, place: 0),
    ),
    Guard(
        "one person leaves a run to others",
        "engine.dispatch.test_dispatcher.LimitTests.test_one_person_leaves_a_run_to_others",
        put(runs, "_whose", lambda run: (str(id(run)), "")),
    ),
    Guard(
        "one responder leaves threads to others",
        "process.test_threads.InThreadTests.test_owners",
        put(threads, "may_have_more", yes),
    ),
    Guard(
        "one person leaves places in a queue to others",
        "engine.dispatch.test_run_queue.RunQueueTests.test_fair",
        put(run_queue, "may_have_more", yes),
    ),
    Guard(
        "rights are asked again after a wait in a queue",
        "engine.dispatch.test_run_queue.WaitingTests.test_rights_of_now",
        put(dispatcher.Dispatcher, "_objection_after_wait", _no_text),
    ),
    Guard(
        "stamps count within the outage",
        "chat.xmpp.test_outage_rates.OutageRatesTests.test_a_clock_that_lies",
        put(messages.Messages, "_waited", _believed),
    ),
    Guard(
        "one domain leaves something to others",
        "model.test_cooldown.ThrottleTests.test_shares",
        put(cooldown, "may_have_more", yes),
    ),
    Guard(
        "answers are asked about",
        "chat.xmpp.stream.test_stream_management.ManagedTests.test_asks_about_answers",
        put(stream_management.StreamManagement, "_ask", nothing),
    ),
    Guard(
        "a server that does not read",
        "chat.xmpp.stream.test_stream.OutTests.test_a_server_that_does_not_read",
        put(stream, "MAX_UNREAD", MUCH),
    ),
    Guard(
        "so long an id that is answered",
        "chat.xmpp.stream.test_iq.DroppedTests.test_too_long_to_answer",
        put(iq, "MAX_ECHOED", MUCH),
    ),
    Guard(
        "so long a node that is repeated",
        "chat.xmpp.test_disco.AnswersTests.test_huge_node",
        put(disco, "MAX_NODE", MUCH),
    ),
    Guard(
        "what a handler of wokkel's asks cannot be guessed",
        "chat.xmpp.stream.test_handlers.RequestTests.test_not_guessed",
        put(handlers.Handlers, "request", _wokkel.StreamManager.request),
    ),
    Guard("so long an id that is kept", _LONG, bound("MAX_ID", MUCH, (messages, message))),
    Guard(
        "so long a name that is kept",
        _LONG,
        bound("MAX_REMEMBERED", MUCH, (nodes, fast_elements)),
    ),
    Guard(
        "denials are told once",
        "engine.dispatch.test_dispatcher.AccessTests.test_denied_again_and_again",
        put(dispatcher.Cooldown, "allows", yes),
    ),
    Guard(
        "a private answer is for the person who asked",
        "chat.xmpp.test_private_messages.PrivateTests.test_another_has_the_nick",
        put(adapter, "readdressed", lambda message, recipient, occupants: message),
    ),
    Guard(
        "private answers wait on a resumed stream",
        "chat.xmpp.test_private_messages.ResumedTests.test_what_waited",
        put(
            adapter.XmppAdapter,
            "_readdressed",
            lambda self, message, recipient, room: adapter.readdressed(
                message, recipient, room.occupants
            ),
        ),
    ),
    Guard(
        "rights of now",
        "engine.dispatch.test_consent.RightsOfNowTests.test_who_asked",
        put(dispatcher.Dispatcher, "_now", lambda self, message: message),
    ),
    Guard(
        "rights before a slow pattern",
        "engine.dispatch.test_pattern_guard.RightsTests.test_never_matched",
        put(dispatcher.Dispatcher, "_may_have_searched", yes),
    ),
    Guard(
        "strangers switch no pattern off for trusted people",
        "engine.dispatch.test_pattern_guard.BreakerTests.test_many_addresses",
        put(dispatcher.Dispatcher, "_is_named", lambda self, message: False),
    ),
    Guard(
        "one sender switches no pattern off for others",
        "engine.dispatch.test_pattern_guard.BreakerTests.test_stranger_and_admin",
        put(breaker, "MANY", 1),
    ),
    Guard(
        "one share of texts for slow patterns",
        "matching.test_guarded_search.BoundsTests.test_one_share",
        put(guarded_search, "may_have_more", yes),
    ),
    Guard(
        "a signed body keeps its event",
        "webhooks.test_door.AnswerTests.test_replayed",
        put(door, "signed", nothing),
    ),
    Guard(
        "unasked, only to people whom the ini names",
        "runtime.test_scope.SayTests.test_who",
        put(scope.Scope, "check_person", nothing),
    ),
    Guard(
        "an old signed post is not taken again",
        "webhooks.test_proof.SignatureTests.test_grafana_with_a_time",
        put(proof, "_stale", lambda name, time, now: ""),
    ),
    # Whose files are obeyed
    Guard(
        "nobody else can replace the ini",
        "config.test_reader.MistakesTests.test_replaceable",
        put(file_trust, "distrust", nothing),
    ),
    Guard(
        "an ini of ours",
        "config.test_reader.MistakesTests.test_another_owner",
        put(file_trust, "distrust", nothing),
    ),
    Guard(
        "a state folder of ours",
        "app.test_state_folder.StateTests.test_another_owner",
        put(state_folder, "find_distrust", lambda path, users: ()),
    ),
    # What is logged
    Guard(
        "one line for each record",
        "hostile.test_operation.SecretTests.test_O05",
        put(record, "escape", same),
    ),
    Guard(
        "not a thousand times",
        "hostile.test_bounds.LogVolumeTests.test_flood",
        put(repeats, "BURST", MUCH),
    ),
)
