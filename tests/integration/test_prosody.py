"""The contract on Prosody."""

from __future__ import annotations

import unittest

from tests.integration import (
    alerts,
    commands,
    contract,
    hostile,
    mechanisms,
    misbehaviour,
    reliability,
    reload,
    rooms,
    sizes,
    soak,
    stops,
    voice,
    webhooks,
)
from tests.integration.prosody import Prosody


class Login(contract.LoginContract, unittest.TestCase):
    kind = Prosody


class Answers(contract.AnswerContract, unittest.TestCase):
    kind = Prosody


class Rooms(contract.RoomContract, unittest.TestCase):
    kind = Prosody


class Status(contract.StatusContract, unittest.TestCase):
    kind = Prosody


class Alerts(alerts.AlertsContract, unittest.TestCase):
    kind = Prosody


class Say(contract.SayContract, unittest.TestCase):
    kind = Prosody


class Webhooks(webhooks.WebhookContract, unittest.TestCase):
    kind = Prosody


class Survival(contract.SurvivalContract, unittest.TestCase):
    kind = Prosody


class Misbehaviour(misbehaviour.MisbehaviourContract, unittest.TestCase):
    kind = Prosody


class Mechanisms(mechanisms.MechanismContract, unittest.TestCase):
    kind = Prosody


class Outages(reliability.OutageContract, unittest.TestCase):
    kind = Prosody


class Kills(reliability.KillContract, unittest.TestCase):
    kind = Prosody


class Reload(reload.ReloadContract, unittest.TestCase):
    kind = Prosody


class Invitations(reload.InvitationContract, unittest.TestCase):
    kind = Prosody


class RoomLife(rooms.RoomLifeContract, unittest.TestCase):
    kind = Prosody

    def test_private_answers_after_a_return(self) -> None:
        """A private answer that waits for the bot's return reaches who asked, not the next nick.

        The room hides addresses, and tells by occupant ids (XEP-0421) who is who.
        """
        alice, bob, owner = self.person(), self.person("bob"), self.person("carol")
        room = self.room()
        owner.create(room, "carol", whois="moderators")
        alice.join(room, "asker")
        bot = self.bot(
            [room], extra="[responder slow]\nmatch = slow\nrun = sh -c 'sleep 2; echo done'\n"
        )
        bot.start_and_join()
        alice.tell(f"{room}/xbot", "slow")
        self.check_answers(alice, room)
        since = bot.now()
        self.admin(owner, room, "nick='xbot' role='none'>")
        bot.await_log(f"{room}: absent: we were kicked", since)
        alice.appear(f"{room}/asker", "unavailable")
        owner.expect_presence(f"{room}/asker", "unavailable")
        bob.join(room, "asker")
        alice.join(room, "renamed")
        bot.await_rooms(since)
        alice.expect(f"{room}/xbot", "done", "chat")
        self.assertEqual([each for each in bob.messages if each.body == "done"], [])


class GivenNick(rooms.GivenNickContract, unittest.TestCase):
    kind = Prosody


class ManyRooms(rooms.ManyRoomsContract, unittest.TestCase):
    kind = Prosody


class Commands(commands.CommandContract, unittest.TestCase):
    kind = Prosody


class Hostile(hostile.HostileContract, unittest.TestCase):
    kind = Prosody


class Soak(soak.SoakContract, unittest.TestCase):
    kind = Prosody


class Stops(stops.StopContract, unittest.TestCase):
    kind = Prosody


class Sizes(sizes.SizeContract, unittest.TestCase):
    kind = Prosody


class Voice(voice.VoiceContract, unittest.TestCase):
    kind = Prosody
    visitors_speak = False
