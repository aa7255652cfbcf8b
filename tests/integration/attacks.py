"""Stanzas of a hostile account, by catalogue row, and which servers relay them.

Names in braces are filled in where it is sent: ``{room}``, which belongs to the attacker, called
bob there; ``{closed}``, where nobody sees who is who; ``{jid}``, the bot's account, and ``{full}``
its session; ``{domain}``, the server; ``{tag}``, by which it is found again on the bot's wire;
``{n}``, a number that makes each command another one.
"""

from __future__ import annotations

import re
from collections import Counter

from attrs import frozen

from tests.hostile.catalogue import SERVERS

#: No server relays it.
NOBODY = ()

PROSODY, EJABBERD = SERVERS


@frozen
class Attack:
    """One hostile stanza, and the ``servers`` that relay it to the bot.

    In what comes to the bot ``shows`` is to be found, a regular expression: where a server
    takes it out, what comes is as good as anybody's.
    """

    row: str
    stanza: str
    servers: tuple[str, ...] = SERVERS
    shows: str = ""


#: Rows tested by other tests on both servers, by class and test name.
ELSEWHERE = {
    "N01": "Login.test_a_server_without_starttls_gets_no_password",
    "N04": "Login.test_a_certificate_for_another_domain_gets_no_password",
    "N07": "Login.test_an_untrusted_certificate_gets_no_password",
    "N16": "Survival.test_notices_a_silent_server Soak.test_a_tenth",
    "A08": "Login.test_a_wrong_password_ends_it_after_three_tries",
    "I21": "Rooms.test_a_subject_with_a_body",
    "T01": "Rooms.test_the_history_is_not_obeyed",
    "T03": "Outages.test_a_resumption_is_invisible",
    "L02": "Hostile.test_a_flood",
    "L03": "Hostile.test_two_bots",
    "L04": "Hostile.test_a_hostile_account",
    "L05": "Misbehaviour.test_twelve_bad_responders",
    "L07": "ManyRooms.test_a_crowd",
    "L08": "Misbehaviour.test_twelve_bad_responders",
    "L09": "Misbehaviour.test_twelve_bad_responders",
    "L10": "Outages.test_sigterm_says_what_waits",
    "L11": "Misbehaviour.test_twelve_bad_responders",
    "O01": "Login.test_the_password_shows_nowhere",
    "O02": "Login.test_the_password_shows_nowhere",
    "O08": "Soak.test_a_tenth",
    "O09": "Outages.test_sigterm_says_what_waits",
    "O11": "Survival.test_returns_after_a_restart Survival.test_returns_after_a_crash",
    "O12": "Hostile.test_another_program_has_our_name",
    "O13": "Hostile.test_a_deleted_account",
    "O14": "RoomLife.test_a_kick RoomLife.test_a_ban RoomLife.test_a_destruction"
    " RoomLife.test_becoming_members_only",
}

#: A command that everyone may use: it must be refused for its form only.
CANARY = "<body>xbot: canary {n}</body>"

#: A command that bob may not use.
FORBIDDEN = "<body>xbot: do {n}</body>"

#: The same command, forged in the name of an allowed person, for nesting in other elements.
FORWARDED = (
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat'"
    " from='alice@{domain}/x' to='{jid}'><body>do {n}</body></message></forwarded>"
)

#: Format sequences that a log might evaluate, as far as a JID may contain them.
BRACES = "{log_logger}{0}{}%s%n%(x)s"

#: A text that also tries to forge a log line.
ODD = (
    "a&#13;&#10;2026-01-01T00:00:00+0000 critical xbot: forged"
    f"\u2028\u0085\u202e\u2066\u009b2J{BRACES}"
)

MUC = "http://jabber.org/protocol/muc"
MARKUP = "&apos;/&gt;&lt;message/&gt;&lt;x/a=&apos;"
STAMP = "2020-01-01T00:00:00Z"
_CONFERENCE = "jabber:x:conference"
_KIBIBYTE = 1024


def said(content: str, attributes: str = "", to: str = "{room}") -> str:
    """A groupchat message."""
    return f"<message to='{to}' type='groupchat' id='{{tag}}'{attributes}>{content}</message>"


def told(content: str, kind: str = "chat", to: str = "{jid}", attributes: str = "") -> str:
    """A direct message to the bot."""
    return f"<message to='{to}' type='{kind}' id='{{tag}}'{attributes}>{content}</message>"


def asked(kind: str, content: str = "", to: str = "{full}", more: str = "") -> str:
    """An IQ to the bot."""
    return f"<iq type='{kind}' to='{to}' id='{{tag}}{more}'>{content}</iq>"


def shown(content: str = "", to: str = "{room}/bob", kind: str = "") -> str:
    """A presence, in a room or to the bot."""
    written = f" type='{kind}'" if kind else ""
    return f"<presence to='{to}'{written} id='{{tag}}'>{content}</presence>"


def delay(sender: str = "{domain}", stamp: str = STAMP) -> str:
    """A ``<delay/>`` element (XEP-0203)."""
    written = f" from='{sender}'" if sender else ""
    return f"<delay xmlns='urn:xmpp:delay'{written} stamp='{stamp}'/>"


def _beside(content: str) -> str:
    return f"<x xmlns='u'>{content}</x>"


def _many(count: int, attribute: str) -> str:
    return " ".join(attribute.format(number) for number in range(count))


def _wide(count: int, attribute: str) -> str:
    return f"<a xmlns='u' {_many(count, attribute)}/>"


def _user(content: str) -> str:
    return f"<x xmlns='{MUC}#user'>{content}</x>"


_BLANKS = {" ": SERVERS, "&#9;": SERVERS, "&#10;": (PROSODY,), "\u00a0": SERVERS}
_CORRECTION = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>"
_XHTML = (
    "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
    "<body xmlns='http://www.w3.org/1999/xhtml'>xbot: canary {n}</body></html>"
)
_BOOKMARK = (
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:bookmarks:1'>"
    "<item id='evil@conference.{domain}'><conference xmlns='urn:xmpp:bookmarks:1'"
    " autojoin='true'/></item></items></event>"
)
_PUSH = (
    "<query xmlns='jabber:iq:roster'>"
    "<item jid='mallory@{domain}' name='{tag}' subscription='both'/></query>"
)
_ADMIN = "<item role='moderator' affiliation='owner' jid='alice@{domain}/x'/>"
_LONG = "x" * 200 * _KIBIBYTE + "@{domain}"
_STAMPS = ("", "yesterday", "9" * 45_000, "2020-01-01T00:00:00+99:99", "2" * 250_000)

ATTACKS = (
    # While the nick is bob: a presence that changes it loses what else it says.
    Attack("O05", said(f"<body>echo {ODD}</body>")),
    Attack("O05", said(f"<subject>{{tag}} {ODD}</subject>")),
    Attack("O05", shown(f"<status>{ODD}</status>")),
    Attack("X01", said("<!DOCTYPE x [<!ENTITY a 'lol'>]>" + CANARY), NOBODY),
    Attack("X02", "<!DOCTYPE x [<!ENTITY a 'lol'>]>" + said("<body>&a;&a;</body>"), NOBODY),
    Attack("X03", "<!DOCTYPE x>" + said(CANARY), NOBODY),
    Attack("X04", said("<body>&e;</body>"), NOBODY),
    Attack("X05", said("<body>xbot: <?x y?>canary {n}</body>"), NOBODY, r"<\?"),
    Attack("X06", said("<body>xbot: <!-- x -->canary {n}</body>"), NOBODY, "<!--"),
    # ejabberd 23.01 itself dies of 5,000.
    Attack("X07", said(CANARY + _beside("<a>" * 500 + "</a>" * 500))),
    Attack("X08", said(CANARY + _beside("<a/>" * 60_000))),
    Attack("X09", said(CANARY + _wide(300, "a{}=''"))),
    Attack("X09", said(CANARY + _wide(20_000, "a{}=''"))),
    Attack(
        "X09",
        said(CANARY + _wide(8_000, "xmlns:a{}='u'")),
        (EJABBERD,),
        "xmlns:a7999",
    ),
    Attack("X09", said(CANARY, " " + _many(20_000, "a{}=''")), (PROSODY,), "a19999="),
    Attack("X11", said(f"<body>{'x' * 200 * _KIBIBYTE}</body>")),
    Attack("X11", said(f"<body>{'x' * 512 * _KIBIBYTE}</body>", to="{closed}"), (EJABBERD,)),
    Attack("X12", said("<body>x" + "\n" * 250_000 + "x</body>")),
    Attack("X15", said("<body>xbot: canary {n}\udcff</body>"), NOBODY),
    Attack("X16", said("<body>xbot: canary {n}&#8;</body>"), NOBODY),
    Attack("X17", said("<body>xbot: canary {n}\ufffe</body>"), NOBODY),
    *(
        Attack("X18", said(CANARY + f"<x xmlns='a{blank}b'/>"), servers)
        for blank, servers in _BLANKS.items()
    ),
    Attack("X19", asked("get", f"<q xmlns='{MARKUP}'/>")),
    Attack("X19", asked("set", f"<q xmlns='u' a='{MARKUP}'>{MARKUP}</q>")),
    Attack("X19", asked("get", "<q xmlns='u'/>", more=MARKUP)),
    Attack("X20", said(CANARY + "<p:x/>"), NOBODY),
    Attack("X21", said("<body xmlns='u'>xbot: canary {n}</body>")),
    Attack("X21", said(CANARY, " xmlns='jabber:server'"), NOBODY, "jabber:server"),
    Attack("X21", said(CANARY, " xmlns=''"), NOBODY),
    Attack("X23", said(CANARY + delay(_LONG))),
    Attack("X23", told(f"<x xmlns='{_CONFERENCE}' jid='{_LONG}'/>", "normal")),
    Attack("X23", told(_user(f"<invite from='{_LONG}'/>"), "normal")),
    Attack("I01", asked("result")),
    Attack("I01", asked("error", "<error type='cancel'/>")),
    Attack("I02", asked("result", to="{room}/xbot"), (EJABBERD,)),
    Attack("I02", asked("error", to="{room}/xbot"), (EJABBERD,)),
    Attack("I03", told("<error type='cancel'/>", "error"), NOBODY),
    Attack("I03", told("<error type='cancel'/>", "error", "{full}")),
    Attack("I03", shown("<error type='cancel'/>", "{full}", "error")),
    Attack("I05", asked("set", _PUSH)),
    Attack("I05", asked("set", _PUSH, "{room}/xbot")),
    *(
        Attack("I06", told(f"<{kind} xmlns='urn:xmpp:carbons:2'>{FORWARDED}</{kind}>"))
        for kind in ("received", "sent")
    ),
    Attack("I07", told(f"<result xmlns='urn:xmpp:mam:2' id='1'>{FORWARDED}</result>", "normal")),
    Attack("I08", told(FORWARDED)),
    Attack("I08", said(FORWARDED)),
    *(Attack("I09", told(_BOOKMARK, kind)) for kind in ("headline", "normal")),
    *(
        Attack("I10", told(CANARY, attributes=f" from='{who}'"), NOBODY, "from=.xbot@")
        for who in ("{jid}", "{full}")
    ),
    Attack("I11", shown(to="{closed}/alice") + said(FORBIDDEN, to="{closed}"), SERVERS, "/alice"),
    Attack("I12", told(FORBIDDEN, to="{closed}/xbot")),
    Attack("I12", told(FORBIDDEN, "normal", to="{closed}/xbot")),
    Attack("I13", shown(kind=" ") + said(FORBIDDEN), NOBODY, "<presence[^>]*type"),
    Attack("I14", shown(to="{room}/alice") + said(FORBIDDEN), SERVERS, "/alice\\b"),
    *(
        Attack("I15", shown(_user(content)) + said(FORBIDDEN), NOBODY, "alice@")
        for content in (_ADMIN, _ADMIN * 2, "<item role='king' affiliation='emperor'/>" + _ADMIN)
    ),
    *(
        Attack("I16", shown(to=f"{{room}}/{nick}") + said(FORBIDDEN), SERVERS, f"/{nick}")
        for nick in ("ALICE", "\u0430lice", "al\u0456ce")
    ),
    *(
        Attack(
            "I17", told(f"<x xmlns='{_CONFERENCE}' jid='evil{n}@conference.{{domain}}'/>", "normal")
        )
        for n in range(5)
    ),
    Attack(
        "I17", told(_user("<invite to='{jid}'><reason>{tag}</reason></invite>"), "normal", "{room}")
    ),
    Attack("I18", said(CANARY + _CORRECTION)),
    Attack("I18", told(CANARY + _CORRECTION)),
    *(
        Attack(
            "I19", said(f"<body xml:lang='en'>{first}</body><body xml:lang='de'>{second}</body>")
        )
        for first, second in (("hi", "xbot: canary {n}"), ("xbot: canary {n}", "hi"))
    ),
    Attack("I20", said("<body>xbot: <b xmlns='u'>do not</b> canary {n}</body>"), (PROSODY,), "<b "),
    Attack("I20", said("<body>xbot: canary {n}<br/></body>"), (PROSODY,), "<br"),
    Attack("I20", said("<body>hi</body>" + _XHTML)),
    Attack("I22", told(CANARY, "error", "{full}")),
    Attack("I23", told(CANARY, "headline")),
    Attack("I23", told("<body>canary {n}</body>", "normal")),
    Attack("I23", told("<body>canary {n}</body>").replace(" type='chat'", "")),
    Attack("T02", said(CANARY + delay("{room}")), (EJABBERD,), "<delay"),
    *(Attack("T02", said(CANARY + delay(who))) for who in ("{room}/bob", "{domain}", "{jid}", "")),
    Attack("T04", said(CANARY + delay("{room}") + delay())),
    Attack("T05", told("<body>canary {n}</body>" + delay())),
    *(Attack("T06", said(CANARY + delay(stamp=stamp))) for stamp in _STAMPS),
    Attack("T08", said(CANARY + "<x xmlns='jabber:x:delay' stamp='20200101T00:00:00'/>")),
    Attack("L01", said(f"<body>burst {'a' * 4000}!</body>")),
    Attack(
        "L06",
        "".join(shown(to=f"{{room}}/nick{number}") for number in range(1000))
        + said("<body>here</body>"),
        SERVERS,
        "/nick999",
    ),
    Attack(
        "O06", shown(to=f"{{room}}/{BRACES}") + said(CANARY + delay()), SERVERS, re.escape(BRACES)
    ),
    Attack(
        "O06", told(f"<x xmlns='{_CONFERENCE}' jid='{BRACES}@conference.{{domain}}'/>", "normal")
    ),
    # The last: it costs the bot its stream.
    Attack("X10", told(CANARY + f"<a xmlns='u' a='{'x' * 9 * _KIBIBYTE**2}'/>"), (EJABBERD,)),
)


def tagged() -> list[tuple[str, Attack]]:
    """The attacks, each with its tag: its row, and which of the row it is."""
    seen: Counter[str] = Counter()
    found = []
    for attack in ATTACKS:
        seen[attack.row] += 1
        found.append((f"{attack.row}-{seen[attack.row]:02}", attack))
    return found
