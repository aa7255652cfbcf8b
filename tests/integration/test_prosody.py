"""The contract on Prosody."""

from __future__ import annotations

import unittest

from tests.integration import contract
from tests.integration.prosody import Prosody


class Login(contract.LoginContract, unittest.TestCase):
    kind = Prosody


class Answers(contract.AnswerContract, unittest.TestCase):
    kind = Prosody


class Rooms(contract.RoomContract, unittest.TestCase):
    kind = Prosody


class Survival(contract.SurvivalContract, unittest.TestCase):
    kind = Prosody
