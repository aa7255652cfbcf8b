"""Scenes for the status server: a good day, and one with hostile data everywhere."""

import random

from attrs import evolve

from xbot.model.recent_events import Change, Command
from xbot.model.status import Link, Overview, Phase, Place, Posts, Skill
from xbot.web.samples import COUNT, Sample

NOW = 1_772_355_600.0

#: What would act if anything in a page, a terminal or a query could.
EVIL = "<script>alert(1)</script>\"'&\u202e\x1b[2J\x00</td></table>"

ROOMS = ("ops", "lounge", "deploys", "support", "on-call")

GOOD = Overview(
    Phase.RUNNING,
    Link(
        "online",
        48_213.0,
        "the connection was lost",
        None,
        0.0,
        0.0134,
        3,
        1,
        {"unreachable": 2, "lost": 2, "ping-timeout": 1},
        stale={"away": 2},
        lost=3,
    ),
    (
        *(
            Place(f"{name}@conference.example.org", "xbot", "joined", "", 48_200.0 - number)
            for number, name in enumerate(ROOMS)
        ),
        Place(
            "board@conference.example.org", "xbot", "refused", "it is for members only", 48_190.0
        ),
        Place("ext@conference.example.net", "robo", "absent", "no answer within 30 s", 61.0, 42.0),
        Place("party@conference.example.org", "xbot", "joined", "", 1_260.0, is_named=False),
    ),
    "xbot",
    "xbot@example.org/bot",
    3 * 86400.0 + 7 * 3600,
    2,
    "ok",
    {
        "dispatched": 1204,
        "unmatched": 58_322,
        "echo": 1188,
        "delayed": 41,
        "answered": 1150,
        "failed": 7,
        "undelivered": 1,
    },
    {"error": 12, "correction": 3},
    (
        Skill("deploy", "deploy APP [to ENV]", "ship APP", True),
        Skill("uptime", "uptime", "how long this host has been up", False),
        Skill("hello", "", "", False),
        Skill("ping", "ping", "whether it listens", False),
        Skill("help", "help [COMMAND]", "what it can do", False),
    ),
    tuple(
        Command(NOW - 60.0 * (14 - number) ** 2, responder, who, where, outcome, seconds)
        for number, (responder, who, where, outcome, seconds) in enumerate(
            [
                ("uptime", "bob", "lounge@conference.example.org", "answered", 0.042),
                ("deploy", "alice", "deploys@conference.example.org", "answered", 41.7),
                ("help", "carol@example.org/phone", "", "answered", 0.0008),
                ("deploy", "mallory", "lounge@conference.example.org", "denied", None),
                ("deploy", "alice", "deploys@conference.example.org", "failed", 3.31),
                ("deploy", "alice", "deploys@conference.example.org", "timed-out", 600.0),
                ("ping", "bob", "ops@conference.example.org", "answered", 0.0004),
                ("uptime", "dave", "on-call@conference.example.org", "answered", 0.051),
            ]
        )
    ),
    (
        Change(NOW - 48_400, "connecting"),
        Change(NOW - 48_390, "waiting", "connection refused"),
        Change(NOW - 48_240, "connecting", "connection refused"),
        Change(NOW - 48_214, "negotiating"),
        Change(NOW - 48_213, "online"),
    ),
    Posts({"alerts": {"202": 7, "403": 0}}, {"delivered": 5, "failed": 0}, 2),
)

BAD = evolve(
    GOOD,
    name=EVIL,
    jid=EVIL,
    link=Link("waiting", 12.0, EVIL * 50, 40.0),
    rooms=tuple(Place(f"{EVIL}{n}", EVIL, "refused", EVIL * 9, 5.0, 3.0) for n in range(300)),
    skills=(Skill(EVIL, EVIL, EVIL, True),),
    commands=(Command(NOW, EVIL, EVIL, EVIL, EVIL, 1.0),),
    changes=(Change(NOW, EVIL, EVIL),),
    posts=Posts({EVIL: {"202": 1}}, {}, 1),
)


def samples(seed: int = 8) -> tuple[Sample, ...]:
    """An hour with a gap in it."""
    chance = random.Random(seed)
    return tuple(
        Sample(
            not 30 < number < 36,
            0.8 if 36 <= number < 40 else 1.0,
            0 if 30 < number < 36 else int(chance.expovariate(0.12)),
            chance.choice((0, 0, 0, 1, 1, 2, 4)),
            None if 30 < number < 36 else 0.011 + chance.expovariate(300),
            chance.expovariate(900),
        )
        for number in range(COUNT)
    )
