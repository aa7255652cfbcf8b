"""Conversion between nodes and elements."""

from hypothesis import given
from twisted.trial import unittest

from tests.chat.xmpp.harness import HONEST_TREES, PROPERTY, shape
from xbot.chat.xmpp.wire.nodes import child_of, element_of, full_name, node_of


class NodeTests(unittest.TestCase):
    @PROPERTY
    @given(HONEST_TREES)
    def test_there_and_back(self, tree):
        """The node of an element describes it."""
        before = shape(tree)
        self.assertEqual(shape(element_of(node_of(tree))), before)
        self.assertEqual(shape(tree), before)

    def test_child_of(self):
        """The first child of a name is found, among texts and others, or none is."""
        name = full_name("u", "a")
        node = ["n", {}, "u", [full_name("v", "a"), {}], "text", [name, {}, "1"], [name, {}, "2"]]
        self.assertEqual(child_of(node, name), [name, {}, "1"])
        self.assertIsNone(child_of(node, "other"))
