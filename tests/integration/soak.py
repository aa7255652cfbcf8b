"""Contract test: a tenth of the soak (``tests/soak``)."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.integration.contract import Base
from tests.integration.daemon import CHECKOUT
from tests.integration.process import say_figures
from tests.integration.server import Server
from tests.soak.soak import TENTH, soak


class SoakContract(Base):
    """Cuts, kills and stops at once."""

    kind: type[Server]

    def test_a_tenth(self) -> None:
        """No command runs twice, is lost, misdirected, or obeyed though past; memory is flat."""
        kept = Path(os.environ.get("XBOT_ARTEFACTS", CHECKOUT / "build")) / "soak"
        outcome = soak(self.kind, TENTH, random.SystemRandom().randrange(2**32), kept)
        say_figures(outcome.text())
        self.assertTrue(outcome.is_good, outcome.text())
