"""The ledger counts what breaks a promise, and nothing else."""

from twisted.trial import unittest

from tests.soak.ledger import MUST_BE_ZERO, Command, Facts, Heard


def facts(*ways, **more):
    """Ann's commands of these ways, numbered from 0, with all that was observed."""
    commands = {number: Command(number, way, "ann", 0.0) for number, way in enumerate(ways)}
    return Facts(commands, **more)


def broken(found):
    """The counts that must be 0 and are not."""
    return {name: found.found()[name] for name in MUST_BE_ZERO if found.found()[name]}


def room(number):
    """Heard by the whole room."""
    return Heard(number, "")


def ann(number):
    """Heard by Ann, in private."""
    return Heard(number, "ann")


class Ledger(unittest.TestCase):
    def test_all_well(self):
        """Commands that ran once and were answered once, in order, are no finding."""
        well = facts(
            "room", "room", "aside", "webhook",
            ran=[0, 1, 2], answers=[room(0), room(1), ann(2), room(3)],
            received=[0, 1, 2], sent=[0, 1, 2, 3],
        )  # fmt: skip
        self.assertEqual(broken(well), {})

    def test_told(self):
        """A command that was told as missed, or only counted in a notice, is no finding."""
        self.assertEqual(broken(facts("room", told=[room(0)])), {})
        self.assertEqual(broken(facts("room", "room", told=[room(0)], more=1)), {})

    def test_a_notice_counts_for_as_many_as_it_says(self):
        """A notice about one more command does not cover two."""
        self.assertEqual(broken(facts("room", "room", more=1)), {"neither run nor told": [1]})

    def test_run_twice(self):
        """A command that ran twice is one, however it was answered."""
        self.assertEqual(broken(facts("room", ran=[0, 0], answers=[room(0)])), {"run twice": [0]})

    def test_neither_run_nor_told(self):
        """A command that vanished is one; not if the bot was away, or it awaits a yes."""
        self.assertEqual(broken(facts("room")), {"neither run nor told": [0]})
        self.assertEqual(broken(facts("room", unheard={0})), {})
        self.assertEqual(broken(facts("confirm", asked={0})), {})

    def test_to_the_wrong_one(self):
        """A private answer or notice that another person or the room reads is one."""
        for heard in Heard(0, "ben"), room(0):
            wrong = facts("aside", ran=[0], answers=[ann(0)], told=[heard])
            self.assertEqual(broken(wrong), {"to the wrong one": [0]})

    def test_obeyed_though_past(self):
        """A command from a stop that ran is one, though it was told as missed."""
        past = facts("room", past={0}, ran=[0], told=[room(0)])
        self.assertEqual(broken(past), {"obeyed though past": [0]})

    def test_lost(self):
        """A command that ran, or a post that was accepted, without an answer is lost."""
        self.assertEqual(broken(facts("room", "webhook", ran=[0])), {"lost": [0, 1]})
        self.assertEqual(broken(facts("room", "webhook", ran=[0], excused={0, 1})), {})

    def test_said_twice(self):
        """An answer that was said twice is one, unless the server lost the session."""
        answers = [room(0), room(0)]
        self.assertEqual(broken(facts("room", ran=[0], answers=answers)), {"said twice": [0]})
        self.assertEqual(broken(facts("room", ran=[0], answers=answers, excused={0})), {})
        self.assertEqual(broken(facts("webhook", answers=answers, repeatable={0})), {})

    def test_misordered(self):
        """An answer that overtakes an earlier one is one; also when it is sent again."""
        for sent in [1, 0], [0, 1, 1, 0]:
            self.assertEqual(broken(self.pair("room", sent)), {"misordered by xbot": [0]})
        self.assertEqual(broken(self.pair("room", [0, 1, 0, 1])), {})

    def pair(self, second, sent):
        """Two commands of Ann, the second of that way, with answers in the order ``sent``."""
        answers = [room(0), room(1)]
        return facts("room", second, ran=[0, 1], answers=answers, received=[0, 1], sent=sent)

    def test_order_is_kept_for_each_responder(self):
        """Answers of different responders may overtake each other."""
        self.assertEqual(broken(self.pair("program", [1, 0])), {})
