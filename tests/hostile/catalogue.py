"""The catalogue of hostile input: the input, its source, and the required outcome.

Each row is one line; ``tests/hostile`` has one test for each, named after it.
"""

from __future__ import annotations

from attrs import frozen

#: The servers of ``tests/integration``, by the names that they have there.
SERVERS = ("Prosody", "ejabberd")

#: Whether a real server has a part in it, as each row says.
ROUTES = {
    "both": "an account sends it, and both servers pass it on: the attack on them has it",
    **{name: f"an account sends it, and only {name} passes it on" for name in SERVERS},
    "test": "other tests on both servers bring it about",
    "-": "no honest server: only one that lies, or the network, or the bot's own operator",
}

#: The outcomes. Where a row names several, it depends on the place of detection.
OUTCOMES = {
    "C": "the stream is closed for a reason that is told, and the next try waits",
    "D": "dropped and counted; the stream goes on",
    "E": "a stanza error that holds nothing of the request but id and sender",
    "X": "the process exits with 78, and is not restarted",
    "K": "the command is refused, and that is on record",
    "O": "all as usual",
}

_ROWS = """
N01 C   network  test     STARTTLS is not offered, PLAIN is
N02 C   network  -        a stream of version 0.9, or of none
N03 C   network  -        a header from another domain, with a good certificate for that one
N04 C   network  test     a certificate for another host
N05 C   network  -        a certificate that expired
N06 C   network  -        a certificate signed by itself
N07 C   network  test     a certificate by a CA that we do not know
N08 C   network  -        a certificate for the host that SRV names, not for the JID's domain
N09 O   server   -        a certificate for the domain, on a host that SRV names
N10 C   network  -        a stanza right behind <proceed/>
N11 CO  network  -        TLS older than 1.2; renegotiation; stream compression
N12 CO  server   -        see-other-host, to elsewhere and ten times over
N13 C   network  -        DNS that says ".", fifty hosts, an attacker's, nothing, or that it failed
N14 C   network  -        direct TLS to another protocol, or with a wrong certificate
N15 C   network  -        a byte now and then, and silence, at each step of the login
N16 C   network  test     a connection that is reset, closed, half open, or swallowed
A01 C   network  -        PLAIN alone, before TLS
A02 C   network  -        fewer mechanisms than this account used before
A03 C   server   -        SCRAM without the server's proof, with a wrong one, or success too early
A04 C   server   -        a nonce that does not go on where ours ends
A05 C   server   -        one iteration; ten million
A06 C   server   -        a challenge of a mebibyte; one challenge after the other
A07 C   server   -        base64 that is none
A08 X   server   test     not-authorized, again and again (where it never worked; else rare tries)
A09 C   server   -        temporary-auth-failure, again and again
A10 C   server   -        another account's JID bound, or none
A11 C   server   -        jabber:iq:auth and nothing else
A12 C   server   -        DIGEST-MD5 and nothing else
A13 C   network  -        channel binding taken out of the offer, in part or whole
X01 C   network  -        entities that grow exponentially
X02 C   network  -        one long entity, many times
X03 C   network  -        a document type without entities
X04 C   network  -        an external entity
X05 C   network  -        a processing instruction
X06 C   network  -        a comment
X07 D   stranger both     99,000 levels
X08 D   stranger both     100,000 siblings
X09 CD  stranger both     50,000 attributes
X10 C   stranger ejabberd an attribute of nine mebibytes
X11 D   stranger both     a body of 512 KiB
X12 D   stranger both     a body of 256 KiB of line feeds
X13 C   network  -        a stanza that never ends
X14 O   network  -        a flood of white space between stanzas
X15 C   stranger -        bytes that are no UTF-8
X16 C   stranger -        a reference to a control character
X17 C   stranger -        U+FFFE
X18 D   occupant both     a namespace with a blank, a tab or a line feed
X19 E   stranger both     a namespace that carries markup, in a request
X20 C   network  -        an unknown prefix; a root that is no stream; an answer by HTTP
X21 D   server   both     a stanza in another namespace
X22 C   server   -        a second stream header; a stanza before the login
X23 D   server   both     a JID of 200 KiB as sender, occupant, or in a delay
I01 D   stranger both     an IQ result with our id, from somebody else
I02 D   occupant ejabberd an IQ result with our id, from an occupant
I03 D   stranger both     an error that answers nothing
I04 D   server   -        the same result twice
I05 E   stranger both     a roster push that is not our server's
I06 D   stranger both     a carbon copy that is not our server's
I07 D   stranger both     an archive's result that we did not ask for
I08 D   stranger both     a forwarded message with a command in it
I09 D   stranger both     a PEP event, with bookmarks
I10 D   server   -        a message from our own bare or full JID
I11 K   occupant both     the nick of an admin who is away
I12 K   occupant both     a private message through the room, whose sender's JID nobody shows us
I13 K   occupant -        somebody whose presence could not be read
I14 K   occupant both     a nick that changed hands
I15 K   occupant -        two items in a presence; a role or affiliation that nobody knows
I16 K   occupant both     a nick that looks like an admin's
I17 D   stranger both     a flood of invitations
I18 D   occupant both     a correction that makes a command of "hi", or says one again
I19 D   occupant both     two bodies in two languages that say two things
I20 DO  occupant both     a body with elements in it, in CDATA, or beside XHTML
I21 O   owner    test     a subject together with a body
I22 D   stranger both     an error with a body
I23 DK  stranger both     a headline; a message of type normal, or of none
T01 D   occupant test     a room's history
T02 D   occupant both     a delay that an occupant made up, in five forms
T03 O   server   test     what the server sends again after a resumption
T04 D   owner    both     a server's delay made up beside the room's
T05 D   stranger both     what the server kept for us while we were away: not run, but answered
T06 D   occupant both     stamps that are none
T07 O   operator -        a wall clock that jumps by an hour or ten years, either way
T08 D   occupant both     a delay in the old form
L01 D   occupant both     a text that makes a configured pattern explode
L02 O   occupant test     1,000 commands a second
L03 O   occupant test     two bots that answer each other
L04 D   server   test     our own words come back
L05 O   occupant test     a short question with an answer of a mebibyte
L06 O   stranger both     100,000 JIDs
L07 O   occupant test     10,000 who enter a room
L08 O   operator test     a responder that sleeps, raises, exits or never answers
L09 O   operator test     a responder that returns bytes, a mebibyte, or control characters
L10 O   server   test     a server that stops reading
L11 O   operator test     a program that forks, ignores SIGTERM and writes without end
O01 O   operator test     the password in arguments
O02 O   operator test     the password in the log, at debug level
O03 O   operator -        the password in a traceback
O04 X   operator -        an ini or a password file that others can read, or that is not ours
O05 O   occupant both     CR, LF, ESC, line separators and bidi controls in what is logged
O06 O   occupant both     braces and percent signs in what is logged
O07 O   operator -        a disk that is full, a state folder that cannot be written
O08 O   operator test     the process killed in the middle of a command
O09 O   operator test     the process told to end with 100 answers to say
O10 O   operator -        a pid file that is stale, empty or somebody else's
O11 O   server   test     the server restarts
O12 X   server   test     another program takes our resource, again and again
O13 C   server   test     the account is deleted
O14 O   owner    test     the room is destroyed, we are kicked or banned, only members may stay
O15 O   operator -        the machine is suspended for a day, and is sent commands meanwhile
"""


@frozen
class Row:
    """One hostile input.

    ``outcomes`` are letters of :data:`OUTCOMES`, any of which will do; ``route`` is one of
    :data:`ROUTES`.
    """

    id: str
    outcomes: str
    sender: str
    route: str
    input: str

    @property
    def must(self) -> str:
        """What must follow, in words."""
        return ", or ".join(OUTCOMES[letter] for letter in self.outcomes)


CATALOGUE = {
    row.id: row for row in (Row(*line.split(maxsplit=4)) for line in _ROWS.strip().splitlines())
}
