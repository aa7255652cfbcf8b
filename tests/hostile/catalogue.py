"""The catalogue of hostile input: what may come, from whom, and what must follow.

One row is one line; ``tests/hostile`` has one test for each, named after it.
"""

from __future__ import annotations

from attrs import frozen

#: What may follow. A row that names several leaves the choice to where it is noticed.
OUTCOMES = {
    "C": "the stream is closed for a reason that is told, and the next try waits",
    "D": "dropped and counted; the stream goes on",
    "E": "a stanza error that holds nothing of the request but id and sender",
    "X": "the process exits with 78, and is not restarted",
    "K": "the command is refused, and that is on record",
    "O": "all as usual",
}

_ROWS = """
N01 C   network  STARTTLS is not offered, PLAIN is
N02 C   network  a stream of version 0.9, or of none
N03 C   network  a header from another domain, with a good certificate for that one
N04 C   network  a certificate for another host
N05 C   network  a certificate that expired
N06 C   network  a certificate signed by itself
N07 C   network  a certificate by a CA that we do not know
N08 C   network  a certificate for the host that SRV names, not for the JID's domain
N09 O   server   a certificate for the domain, on a host that SRV names
N10 C   network  a stanza right behind <proceed/>
N11 CO  network  TLS older than 1.2; renegotiation; stream compression
N12 CO  server   see-other-host, to elsewhere and ten times over
N13 C   network  DNS that says ".", fifty hosts, an attacker's, nothing, or that it failed
N14 C   network  direct TLS to another protocol, or with a wrong certificate
N15 C   network  a byte now and then, and silence, at each step of the login
N16 C   network  a connection that is reset, closed, half open, or swallowed
A01 C   network  PLAIN alone, before TLS
A02 C   network  fewer mechanisms than this account used before
A03 C   server   SCRAM without the server's proof, with a wrong one, or success too early
A04 C   server   a nonce that does not go on where ours ends
A05 C   server   one iteration; ten million
A06 C   server   a challenge of a mebibyte; one challenge after the other
A07 C   server   base64 that is none
A08 X   server   not-authorized, again and again
A09 C   server   temporary-auth-failure, again and again
A10 C   server   another account's JID bound, or none
A11 C   server   jabber:iq:auth and nothing else
A12 C   server   DIGEST-MD5 and nothing else
A13 C   network  channel binding taken out of the offer, in part or whole
X01 C   network  entities that grow exponentially
X02 C   network  one long entity, many times
X03 C   network  a document type without entities
X04 C   network  an external entity
X05 C   network  a processing instruction
X06 C   network  a comment
X07 D   stranger 99,000 levels
X08 D   stranger 100,000 siblings
X09 CD  stranger 50,000 attributes
X10 C   stranger an attribute of nine mebibytes
X11 D   stranger a body of 512 KiB
X12 D   stranger a body of 256 KiB of line feeds
X13 C   network  a stanza that never ends
X14 O   network  a flood of white space between stanzas
X15 C   stranger bytes that are no UTF-8
X16 C   stranger a reference to a control character
X17 C   stranger U+FFFE
X18 D   occupant a namespace with a blank, a tab or a line feed
X19 E   stranger a namespace that carries markup, in a request
X20 C   network  an unknown prefix; a root that is no stream; an answer by HTTP
X21 D   server   a stanza in another namespace
X22 C   server   a second stream header; a stanza before the login
X23 D   server   a JID of 200 KiB as sender, occupant, or in a delay
I01 D   stranger an IQ result with our id, from somebody else
I02 D   occupant an IQ result with our id, from an occupant
I03 D   stranger an error that answers nothing
I04 D   server   the same result twice
I05 E   stranger a roster push that is not our server's
I06 D   stranger a carbon copy that is not our server's
I07 D   stranger an archive's result that we did not ask for
I08 D   stranger a forwarded message with a command in it
I09 D   stranger a PEP event, with bookmarks
I10 D   server   a message from our own bare or full JID
I11 K   occupant the nick of an admin who is away
I12 K   occupant a private message through the room, whose sender's JID nobody shows us
I13 K   occupant somebody whose presence could not be read
I14 K   occupant a nick that changed hands
I15 K   occupant two items in a presence; a role or affiliation that nobody knows
I16 K   occupant a nick that looks like an admin's
I17 D   stranger a flood of invitations
I18 D   occupant a correction that makes a command of "hi", or says one again
I19 D   occupant two bodies in two languages that say two things
I20 DO  occupant a body with elements in it, in CDATA, or beside XHTML
I21 D   owner    a subject together with a body
I22 D   stranger an error with a body
I23 DK  stranger a headline; a message of type normal, or of none
T01 D   occupant a room's history
T02 D   occupant a delay that an occupant made up, in five forms
T03 O   server   what the server sends again after a resumption
T04 D   owner    a server's delay made up beside the room's
T05 D   stranger what was said while we were away, kept by the server: not run, but answered
T06 D   occupant stamps that are none
T07 O   operator a wall clock that jumps by an hour or ten years, either way
T08 D   occupant a delay in the old form
L01 D   occupant a text that makes a configured pattern explode
L02 O   occupant 1,000 commands a second
L03 O   occupant two bots that answer each other
L04 D   server   our own words come back
L05 O   occupant a short question with an answer of a mebibyte
L06 O   stranger 100,000 JIDs
L07 O   occupant 10,000 who enter a room
L08 O   operator a responder that sleeps, raises, exits or never answers
L09 O   operator a responder that returns bytes, a mebibyte, or control characters
L10 O   server   a server that stops reading
L11 O   operator a program that forks, ignores SIGTERM and writes without end
O01 O   operator the password in arguments
O02 O   operator the password in the log, at debug level
O03 O   operator the password in a traceback
O04 X   operator an ini or a password file that others can read
O05 O   occupant CR, LF, ESC, line separators and bidi controls in what is logged
O06 O   occupant braces and percent signs in what is logged
O07 O   operator a disk that is full, a state folder that cannot be written
O08 O   operator the process killed in the middle of a command
O09 O   operator the process told to end with 100 answers to say
O10 O   operator a pid file that is stale, empty or somebody else's
O11 O   server   the server restarts
O12 X   server   another program takes our resource, again and again
O13 X   server   the account is deleted
O14 O   owner    the room is destroyed, we are kicked or banned, only members may stay
O15 O   operator the machine is suspended for a day
"""


@frozen
class Row:
    """One hostile input. ``outcomes`` are letters of :data:`OUTCOMES`, any of which will do."""

    id: str
    outcomes: str
    sender: str
    input: str

    @property
    def must(self) -> str:
        """What must follow, in words."""
        return ", or ".join(OUTCOMES[letter] for letter in self.outcomes)


CATALOGUE = {
    row.id: row for row in (Row(*line.split(maxsplit=3)) for line in _ROWS.strip().splitlines())
}
