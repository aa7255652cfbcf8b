"""The serialiser: well-formed output for every tree, or an error."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest
from twisted.words.xish import domish

from tests.chat.xmpp.harness import HONEST_TREES, PROPERTY, build, shape
from tests.chat.xmpp.wire.trees import XMLNS, trees
from tests.effort import examples
from xbot.chat.xmpp.stanzas.stanza import message_element
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import (
    MAX_DEPTH,
    NS_XML,
    Unserializable,
    sanitize,
    serialize,
    serialize_message,
)
from xbot.model.message import Message

#: For trees made only of what XML allows, and for trees made of anything.
HONEST = settings(PROPERTY, max_examples=examples(4000))
ANY = settings(PROPERTY, max_examples=examples(2000))

WEIRD = st.text(
    st.one_of(
        st.sampled_from("<>&'\"]/= :\t\n\r\x00\x08\x1b\ud800\udfff\ufffe\uffff\u0085\ufffdab"),
        st.characters(exclude_categories=()),
    ),
    max_size=6,
)


def read(data):
    """The children of a stream that holds ``data``, by a parser that is not ours."""
    root = ElementTree.fromstring(
        f"<s:stream xmlns:s='{ns.STREAMS}' xmlns='{ns.CLIENT}'>".encode() + data + b"</s:stream>"
    )
    assert not (root.text or "").strip()
    assert not any((child.tail or "").strip() for child in root)
    return [_shape(child) for child in root]


def _shape(element):
    def split(name):
        uri, _, local = name.rpartition("}")
        return uri[1:], local

    children = [element.text] if element.text else []
    for child in element:
        children += [_shape(child)] + ([child.tail] if child.tail else [])
    attributes = {split(key)[1] if key[0] != "{" else split(key): value
                  for key, value in element.items()}  # fmt: skip
    return (*split(element.tag), attributes, children)


def meant(element):
    """The shape of a tree whose texts are sanitised, and whose bare keys have no namespace."""
    uri, name, attributes, children = shape(element)

    def clean(node):
        if isinstance(node, str):
            return sanitize(node)
        return _clean(*node)

    def _clean(uri, name, attributes, children):
        kept = {
            key if isinstance(key, str) or key[0] else key[1]: sanitize(value)
            for key, value in attributes.items()
        }
        return (uri, name, kept, [clean(child) for child in children])

    return _clean(uri, name, attributes, children)


class SerializeTests(unittest.TestCase):
    @HONEST
    @given(HONEST_TREES)
    def test_honest(self, tree):
        """Each of 10,000 honest trees is read by another parser as what it was."""
        self.assertEqual(read(serialize(tree, ns.CLIENT)), [shape(tree)])

    @ANY
    @given(trees(hostile=True))
    def test_hostile(self, tree):
        """Each of 4,000 trees, whatever it is made of, is exactly the stanza meant, or refused."""
        try:
            data = serialize(tree, ns.CLIENT)
        except (Unserializable, TypeError):
            return
        self.assertEqual(read(data), [meant(tree)])

    @PROPERTY
    @given(WEIRD, WEIRD)
    def test_text_is_never_refused(self, text, value):
        """What people write goes out, whatever it holds: it is repaired, never refused."""
        tree = build(ns.CLIENT, "message", {"to": value}, [text])
        self.assertEqual(read(serialize(tree, ns.CLIENT)), [meant(tree)])

    def test_refused(self):
        """What nobody can have meant is refused, and nothing else is raised."""
        deep = domish.Element((ns.CLIENT, "message"))
        inner = deep
        for _ in range(MAX_DEPTH + 1):
            inner = inner.addElement("x")
        table = {
            "raw XML": build(ns.CLIENT, "m", {}, [domish.SerializedXML("<x/>")]),
            "bytes": build(ns.CLIENT, "m", {}, [b"x"]),
            "None": build(ns.CLIENT, "m", {}, [None]),
            "name with markup": build(ns.CLIENT, "m><iq", {}, []),
            "name with prefix": build(ns.CLIENT, "stream:error", {}, []),
            "no name": build(ns.CLIENT, "", {}, []),
            "name with newline": build(ns.CLIENT, "m\n", {}, []),
            "key with markup": build(ns.CLIENT, "m", {"a='' b": ""}, []),
            "xmlns": build(ns.CLIENT, "m", {"xmlns": "jabber:server"}, []),
            "xmlns:p": build(ns.CLIENT, "m", {"xmlns:p": "urn:p"}, []),
            "value": build(ns.CLIENT, "m", {"a": 1}, []),
            "key": build(ns.CLIENT, "m", {("a", "b", "c"): ""}, []),
            "the namespace xml": build(NS_XML, "m", {}, []),
            "the namespace xmlns": build(XMLNS, "m", {}, []),
            "a key in xmlns": build(ns.CLIENT, "m", {(XMLNS, "p"): "urn:p"}, []),
            "control in a namespace": build("urn:\x08", "m", {}, []),
            "control in a key's": build(ns.CLIENT, "m", {("urn:\x08", "a"): ""}, []),
            "one attribute twice": build(ns.CLIENT, "m", {("", "a"): "", "a": ""}, []),
            "too deep": deep,
        }
        for what, tree in table.items():
            with self.assertRaises(Unserializable, msg=what):
                serialize(tree, ns.CLIENT)

    def test_bytes(self):
        """The bytes are these, for those who read them on the wire."""
        tree = build(ns.CLIENT, "message", {"to": "a'b<\n"}, ["<&>]]>\r\x00\ud800"])
        tree.addElement(("urn:'><iq/>", "x")).addElement(("", "y"))
        self.assertEqual(
            serialize(tree, ns.CLIENT).decode(),
            "<message to='a&apos;b&lt;&#10;'>&lt;&amp;&gt;]]&gt;&#13;\ufffd\ufffd"
            "<x xmlns='urn:&apos;&gt;&lt;iq/&gt;'><y xmlns=''/></x></message>",
        )

    def test_markup_in_a_namespace_stays_there(self):
        """A stranger's namespace that holds markup makes no second stanza."""
        tree = build(ns.CLIENT, "iq", {}, [])
        tree.addElement(("u'/></iq><message from='bot'/><iq a='", "x"))
        self.assertEqual(read(serialize(tree, ns.CLIENT)), [shape(tree)])


class MessageTests(unittest.TestCase):
    @settings(PROPERTY, max_examples=examples(500))
    @given(WEIRD, WEIRD, st.none() | WEIRD, WEIRD)
    def test_as_an_element(self, to, kind, identity, body):
        """A message is written as the element that says it would be, to the byte."""
        payload = {"type": kind} if identity is None else {"type": kind, "id": identity}
        element = message_element(Message("", to, body, payload))
        self.assertEqual(serialize_message(to, kind, identity, body), serialize(element, ns.CLIENT))

    def test_no_text(self):
        """What is no text is refused whole."""
        for arguments in (None, "chat", "1", "x"), ("a", "chat", 1, "x"), ("a", "chat", "1", b"x"):
            with self.assertRaises(Unserializable):
                serialize_message(*arguments)
