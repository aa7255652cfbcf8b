"""The contract on ejabberd."""

from __future__ import annotations

import unittest

from tests.integration import contract
from tests.integration.ejabberd import Ejabberd


class Login(contract.LoginContract, unittest.TestCase):
    kind = Ejabberd


class Answers(contract.AnswerContract, unittest.TestCase):
    kind = Ejabberd


class Rooms(contract.RoomContract, unittest.TestCase):
    kind = Ejabberd


class Survival(contract.SurvivalContract, unittest.TestCase):
    kind = Ejabberd
