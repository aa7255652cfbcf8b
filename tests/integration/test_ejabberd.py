"""The contract on ejabberd."""

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
    voice,
)
from tests.integration.ejabberd import Ejabberd


class Login(contract.LoginContract, unittest.TestCase):
    kind = Ejabberd


class Answers(contract.AnswerContract, unittest.TestCase):
    kind = Ejabberd


class Rooms(contract.RoomContract, unittest.TestCase):
    kind = Ejabberd


class Status(contract.StatusContract, unittest.TestCase):
    kind = Ejabberd


class Say(contract.SayContract, unittest.TestCase):
    kind = Ejabberd


class Survival(contract.SurvivalContract, unittest.TestCase):
    kind = Ejabberd


class Misbehaviour(misbehaviour.MisbehaviourContract, unittest.TestCase):
    kind = Ejabberd


class Mechanisms(mechanisms.MechanismContract, unittest.TestCase):
    kind = Ejabberd


class Outages(reliability.OutageContract, unittest.TestCase):
    kind = Ejabberd


class Kills(reliability.KillContract, unittest.TestCase):
    kind = Ejabberd


class Reload(reload.ReloadContract, unittest.TestCase):
    kind = Ejabberd


class Invitations(reload.InvitationContract, unittest.TestCase):
    kind = Ejabberd


class RoomLife(rooms.RoomLifeContract, unittest.TestCase):
    kind = Ejabberd


# No rooms.GivenNickContract: ejabberd 23.01 lets people in under the nick they asked for, or
# not at all. It has no status 210, and no way to rename an occupant.


class ManyRooms(rooms.ManyRoomsContract, unittest.TestCase):
    kind = Ejabberd


class Commands(commands.CommandContract, unittest.TestCase):
    kind = Ejabberd


class Hostile(hostile.HostileContract, unittest.TestCase):
    kind = Ejabberd


class Soak(soak.SoakContract, unittest.TestCase):
    kind = Ejabberd


class Stops(stops.StopContract, unittest.TestCase):
    kind = Ejabberd


class Sizes(sizes.SizeContract, unittest.TestCase):
    kind = Ejabberd
    # It counts by the blocks that it reads; its documentation recommends this.
    limit = 65_536


class Poison(sizes.PoisonContract, unittest.TestCase):
    kind = Ejabberd


class Voice(voice.VoiceContract, unittest.TestCase):
    kind = Ejabberd
    visitors_speak = True
