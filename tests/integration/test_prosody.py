"""The contract on Prosody."""

from __future__ import annotations

import unittest

from tests.integration import (
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
