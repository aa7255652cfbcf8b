"""Joins leave in batches that the server handles soon."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import PROPERTY
from xbot.chat.xmpp.rooms.join_pace import FIRST, MOST, RETRY, TARGET, JoinPace
from xbot.chat.xmpp.rooms.join_queue import MAX_OCCUPANTS, MAX_WINDOW
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout
from xbot.model.errors import NotConnected


class World:
    """The server and the rooms, as a :class:`JoinPace` sees them."""

    def __init__(self):
        self.clock, self.pings, self.gone = Clock(), [], []
        self.in_flight, self.known = {}, {}
        self.is_connected = True
        self.batch = 0
        self.pace = JoinPace(self.ping, self.clock, lambda: self.is_connected)

    def ping(self):
        assert self.is_connected
        assert not self.pings, "one ping at a time"
        self.pings.append(Deferred())
        return self.pings[-1]

    def ask(self, *names, service="muc"):
        for name in names:
            self.pace.queue(service).ask(
                name, lambda name=name: self.go(name, service), self.known.get(name)
            )

    def go(self, name, service):
        assert self.is_connected
        assert not self.pings, "a join left while a ping was under way"
        self.batch += 1
        assert self.batch <= MOST
        self.in_flight[name] = service
        known = [self.known.get(name, 0) for name, of in self.in_flight.items() if of == service]
        assert len(known) <= MAX_WINDOW
        assert len(known) == 1 or sum(known) <= MAX_OCCUPANTS
        self.gone.append(name)

    def end(self, number, *, answered=True, occupants=0):
        """One of the joins in flight is answered, or not."""
        if self.in_flight:
            name = list(self.in_flight)[number % len(self.in_flight)]
            queue = self.pace.queue(self.in_flight.pop(name))
            self.known[name] = occupants
            queue.end(name, answered=answered, occupants=occupants)

    def answer_ping(self, result=None, after=0.0):
        """The ping under way is answered, or fails; returns how many joins leave then."""
        self.clock.advance(after)
        before, self.batch = len(self.gone), 0
        if self.pings:
            ping = self.pings.pop()
            ping.errback(result) if isinstance(result, Exception) else ping.callback(result)
        return len(self.gone) - before

    def lose_stream(self):
        """The connection is gone; the session waits, and its pings are not answered any more."""
        self.is_connected = False

    def resume(self):
        if not self.is_connected:
            self.is_connected = True
            self.pings.clear()
            self.batch = 0
            self.pace.resumed()


class JoinPaceTests(unittest.TestCase):
    def setUp(self):
        self.world = World()

    def ask_services(self, count):
        """One join at each of many services: windows hold none back."""
        for number in range(count):
            self.world.ask(number, service=f"muc{number}")

    def test_a_batch(self):
        """No further join leaves before the server has answered the ping behind the first ones."""
        self.ask_services(3 * FIRST)
        self.assertEqual(self.world.gone, list(range(FIRST)))
        self.assertEqual(self.world.answer_ping(), 2 * FIRST)
        self.assertEqual(self.world.gone, list(range(3 * FIRST)))

    def test_no_answer(self):
        """After a ping without an answer, or an error, the next join goes alone, or as before."""
        self.ask_services(5 * FIRST)
        self.assertEqual(self.world.answer_ping(IqTimeout("no answer")), 1)
        self.assertEqual(self.world.answer_ping(IqRefused("service-unavailable")), 2)

    def test_crowded_rooms(self):
        """After a batch whose occupants took seconds the next join goes alone, and then faster."""
        self.ask_services(300)
        for _ in range(5):
            self.world.answer_ping(after=0.01)
        self.assertEqual(self.world.answer_ping(after=0.01), MOST)
        self.assertEqual(self.world.answer_ping(after=0.01 + MOST * TARGET), 1)
        self.assertEqual(self.world.answer_ping(after=0.01 + TARGET), 1)
        self.assertEqual(self.world.answer_ping(after=0.01 + TARGET / 2), 2)

    def test_a_crowd_first(self):
        """If the first batch took seconds, the next join goes alone; so it is on a slow link."""
        self.ask_services(300)
        self.assertEqual(self.world.answer_ping(after=3), 1)
        self.assertEqual([self.world.answer_ping(after=3) for _ in range(4)], [2, 4, 8, 16])

    def test_a_ping_that_cannot_be_sent(self):
        """After a ping that failed at once on a connection that lives, one more follows later."""
        self.ask_services(2 * FIRST)
        self.assertEqual(self.world.answer_ping(NotConnected("muc", "too many requests")), 0)
        self.assertEqual(self.world.pings, [])
        self.world.clock.advance(RETRY)
        self.assertEqual(self.world.answer_ping(), FIRST)

    def test_a_resumption(self):
        """On the resumed stream a new ping is asked, since the old one is never answered."""
        self.ask_services(2 * FIRST)
        old = self.world.pings[0]
        self.world.lose_stream()
        self.world.resume()
        old.errback(IqTimeout("no answer"))
        self.assertEqual(len(self.world.gone), FIRST)
        self.assertEqual(self.world.answer_ping(), FIRST)

    def test_a_new_session(self):
        """A new session begins anew; an answer to the last one's ping does nothing."""
        self.ask_services(2 * FIRST)
        for failed in False, True:
            old = self.world.pings.pop()
            if failed:
                old.errback(NotConnected("muc", "closing"))
            self.world.gone.clear()
            self.world.pace.clear()
            self.assertEqual(self.world.clock.getDelayedCalls(), [])
            if not failed:
                old.callback(None)
            self.assertEqual(self.world.gone, [])
            self.world.batch = 0
            self.ask_services(2 * FIRST)
            self.assertEqual(self.world.gone, list(range(FIRST)))

    @PROPERTY
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("end"), st.integers(0, 99), st.sampled_from([None, 0, 9, 2000])),
                st.tuples(st.just("ping"), st.integers(0, 3), st.floats(0, 20)),
                st.tuples(st.sampled_from(["cut", "resume", "lose", "time"])),
            ),
            max_size=80,
        ),
        st.integers(0, 150),
        st.lists(st.integers(0, 2), max_size=50),
    )
    def test_no_room_starves(self, steps, first_service, others):
        """Whatever is answered, refused, late or lost: each room is asked, in order, and paced.

        The rooms of a service that never answers do not hold back the others.
        """
        world = World()
        rooms = {("muc0", number): "muc0" for number in range(first_service)}
        for number, service in enumerate(others):
            rooms[f"muc{service}", 1000 + number] = f"muc{service}"

        def enter():
            world.gone.clear()
            world.in_flight.clear()
            world.batch = 0
            for room, service in rooms.items():
                world.ask(room, service=service)

        enter()
        results = [
            None, IqRefused("no"), IqTimeout("no answer"), NotConnected("muc", "too many requests")
        ]  # fmt: skip
        for kind, *more in steps:
            if kind == "end" and world.is_connected:
                world.end(more[0], answered=more[1] is not None, occupants=more[1] or 0)
            elif kind == "ping" and world.is_connected:
                world.answer_ping(results[more[0]], more[1])
            elif kind == "cut":
                world.lose_stream()
            elif kind == "resume":
                world.resume()
            elif kind == "time":
                world.clock.advance(RETRY)
            elif kind == "lose":
                world.pings.clear()
                world.pace.clear()
                world.is_connected = True
                enter()
        world.resume()
        silent = "muc2"
        for _ in range(2 * len(rooms) + 10):
            world.clock.advance(RETRY)
            world.answer_ping()
            for number, service in reversed(list(enumerate(world.in_flight.values()))):
                if service != silent:
                    world.end(number)
        for service in "muc0", "muc1", silent:
            own = [room for room, of in rooms.items() if of == service]
            gone = [room for room in world.gone if room[0] == service]
            self.assertEqual(gone, own[: len(gone) if service == silent else None])
            self.assertEqual(bool(gone), bool(own))
