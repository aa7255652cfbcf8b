"""The namespaces that we speak, by the document that defines them."""

STREAMS = "http://etherx.jabber.org/streams"  # RFC 6120
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
CLIENT = "jabber:client"
ROSTER = "jabber:iq:roster"  # RFC 6121
DISCO_INFO = "http://jabber.org/protocol/disco#info"  # XEP-0030
MUC = "http://jabber.org/protocol/muc"  # XEP-0045
MUC_USER = "http://jabber.org/protocol/muc#user"
CONFERENCE = "jabber:x:conference"  # XEP-0249
MUC_OWNER = "http://jabber.org/protocol/muc#owner"
DATA_FORM = "jabber:x:data"  # XEP-0004
LEGACY_DELAY = "jabber:x:delay"  # XEP-0091
CHAT_STATES = "http://jabber.org/protocol/chatstates"  # XEP-0085
SM = "urn:xmpp:sm:3"  # XEP-0198
RECEIPTS = "urn:xmpp:receipts"  # XEP-0184
PING = "urn:xmpp:ping"  # XEP-0199
DELAY = "urn:xmpp:delay"  # XEP-0203
CORRECTION = "urn:xmpp:message-correct:0"  # XEP-0308
CHAT_MARKERS = "urn:xmpp:chat-markers:0"  # XEP-0333
HINTS = "urn:xmpp:hints"  # XEP-0334
STANZA_ID = "urn:xmpp:sid:0"  # XEP-0359
OCCUPANT_ID = "urn:xmpp:occupant-id:0"  # XEP-0421
