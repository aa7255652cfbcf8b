"""Tests in the style of pytest, which runs those of unittest as well."""

import socket

import pytest
from ourbots.dig import answer
from ourbots.standup import Standup

from xbot import Failed
from xbot.testing import Bot

LOUNGE = "lounge@conference.example.org"


@pytest.fixture
def bot():
    return Bot([Standup], room=LOUNGE, most=2, ini=f"[room {LOUNGE}]\n")


def test_nobody(bot):
    assert bot.say("standup") == ["Nobody has said anything yet."]


def test_every_hour(bot):
    bot.say("today tests", sender="alice@example.org")
    assert bot.replies == ["Noted: alice is at tests."]
    bot.clock.advance(3600)
    assert bot.replies == ["alice: tests"]
    assert bot.replies[0].room == LOUNGE


def test_silence_where_there_is_nothing_to_tell(bot):
    bot.clock.advance(3 * 3600)
    assert bot.replies == []


def test_too_many(bot):
    for who in ("alice", "bob"):
        bot.say("today tests", sender=f"{who}@example.org")
    assert bot.say("today tests", sender="eve@example.org") == ["There are too many of us."]
    assert bot.say("today docs", sender="bob@example.org") == ["Noted: bob is at docs."]


def test_examples(bot):
    bot.check_examples()


def test_a_function_of_its_own():
    """What needs no bot is best tested without one."""

    def look_up(host, port, type):
        return [(0, 0, 0, "", ("192.0.2.1", 0)), (0, 0, 0, "", ("192.0.2.1", 0))]

    assert "192.0.2.1" in answer("host.example", look_up)

    def fail(*_, **__):
        raise socket.gaierror("no such host")

    with pytest.raises(Failed):
        answer("host.example", fail)
