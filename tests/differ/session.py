"""session.py: two servers that are sent the same, and compared.

What a sequence sends goes through PAIRS pairs of connections; a pair that no
sequence uses asks questions about what both have come to.  Steps of one pair
are sent many at a time; what needs a look at both servers, and a change of
the pair, waits until all replies have come.

A difference ends what was compared of a batch; then both servers are emptied,
and all connections are new."""
import select
import socket
import time
from typing import NamedTuple

import resp
from commands import ENDS, PAIRS, UNWATCHING
from watches import Watches
from words import Moment

ANSWER_S = 30
RECEIVE_MAX = 1 << 18
BATCH_MAX = 200
# What judges meet in a reply that has another form than they are made for.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class Difference(NamedTuple):
    at: int  # number of the step
    step: tuple
    replies: tuple  # raw, of both sides; None: none came
    text: str
    after: int = 0  # the first step that comes to empty servers


class Lost(Exception):
    """A server closed a connection, or did not answer in time."""


class Side:
    """One connection to one server."""

    def __init__(self, address):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.data = bytearray()
        self.replies = []
        self.out = memoryview(b"")
        self.missing = 0

    def begin(self, data, count):
        self.out = memoryview(data)
        self.missing = count
        self.replies = []

    def events(self):
        return (select.POLLIN if self.missing else 0) | (
            select.POLLOUT if self.out else 0)

    def move(self):
        """Sends and takes what goes at once; Lost if it was closed."""
        try:
            if self.out:
                self.out = self.out[self.socket.send(self.out):]
        except BlockingIOError:
            pass
        except ConnectionError as error:
            raise Lost(str(error)) from error
        try:
            part = self.socket.recv(RECEIVE_MAX)
        except BlockingIOError:
            return
        except ConnectionError as error:
            raise Lost(str(error)) from error
        if not part:
            raise Lost("closed by the server")
        self.data += part
        self.take()

    def take(self):
        at = 0
        while self.missing:
            try:
                end = resp.end_of(self.data, at)
            except (resp.Broken, ValueError) as error:
                raise Lost(str(error)) from error
            if end < 0:
                break
            self.replies.append(bytes(self.data[at:end]))
            self.missing -= 1
            at = end
        del self.data[:at]

    def is_closed(self):
        """Whether nothing but the end comes."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        try:
            return bool(poll.poll(ANSWER_S * 1000)) and (
                not self.data and self.socket.recv(1) == b"")
        except ConnectionError:
            return True


class Session:
    def __init__(self, addresses, restart=None, spoil=None):
        """restart(kill): starts the right one anew, and returns its address.
        spoil(step, raw): what is made of the right one's replies, to see
        whether it is noticed."""
        self.addresses = addresses
        self.restart = restart
        self.spoil = spoil
        self.sides = []
        self.queued = []
        self.watches = []
        self.again = 0  # transactions that redis-server executed then
        self.counts = {}  # of each command: replies, errors
        self.pair = 0
        self.began_ms = 0

    # ---- Connections --------------------------------------------------------

    def fresh(self):
        """Empty servers, new connections; one that has died lives again."""
        try:
            self.connect_all()
        except OSError:
            if not self.restart:
                raise
            self.restarted(True)
        self.began_ms = time.time_ns() // 1000000
        for side in range(2):
            if resp.read(self.ask_raw(side, [b"FLUSHALL"]))[0] != b"+":
                raise Lost("FLUSHALL fails")

    def connect_all(self):
        self.close()
        self.sides = [self.connect() for _ in range(PAIRS + 1)]
        self.queued = [[] for _ in range(PAIRS)]
        beside = [Side(self.addresses[0]) for _ in range(PAIRS)]
        self.sides.append(beside)
        self.watches = [Watches(lambda args, side=side:
                                resp.read(self.asked(side, args)))
                        for side in beside]

    def restarted(self, kill):
        if self.restart:
            self.addresses[1] = self.restart(kill)
        self.connect_all()

    def connect(self):
        return [Side(address) for address in self.addresses]

    def close(self):
        for side in (side for pair in self.sides for side in pair):
            side.socket.close()
        self.sides = []

    def ends_closed(self):
        """Of the pair that has sent QUIT; it gets new connections."""
        good = [side.is_closed() for side in self.sides[self.pair]]
        for side in self.sides[self.pair]:
            side.socket.close()
        self.sides[self.pair] = self.connect()
        return None if all(good) else f"closed: {good}"

    # ---- Sending and receiving ----------------------------------------------

    def exchange(self, sides, data, count):
        """The same to all; until each has so many replies, or is lost."""
        poll = select.poll()
        for side in sides:
            side.begin(data, count)
        waiting = list(sides)
        lost = None
        end = time.monotonic() + ANSWER_S
        while waiting:
            for side in list(waiting):
                try:
                    side.move()
                except Lost as error:
                    lost = error
                    waiting.remove(side)
            waiting = [side for side in waiting if side.events()]
            for side in waiting:
                poll.register(side.socket, side.events())
            if waiting and not poll.poll(ANSWER_S * 1000) or (
                    time.monotonic() > end):
                raise Lost(f"no answer within {ANSWER_S} s")
            for side in waiting:
                poll.unregister(side.socket)
        if lost:
            raise lost

    def asked(self, side, args):
        self.exchange([side], resp.request(args), 1)
        return side.replies[0]

    def ask_raw(self, side, args):
        return self.asked(self.sides[PAIRS][side], args)

    def ask_one(self, side, args):
        return resp.read(self.ask_raw(side, args))

    def ask(self, args):
        return [self.ask_one(side, args) for side in range(2)]

    def ask_right(self, args):
        self.ask_one(1, args)

    def plain(self, args):
        """Moments become text."""
        return type(args)(arg if isinstance(arg, bytes)
                          else arg.text(self.began_ms) for arg in args)

    def executed_again(self, queued):
        """What the left one replies to the pair's EXEC now, as it came."""
        self.again += 1
        side = self.sides[self.pair][0]
        for args in [[b"MULTI"], *(self.plain(step[1]) for step in queued),
                     [b"EXEC"]]:
            raw = self.asked(side, args)
        return raw

    # ---- Comparing ----------------------------------------------------------

    def run(self, steps, depth):
        """Sends the steps, at most depth() at a time; yields each difference,
        after which both servers are empty."""
        batch = []
        most = depth()
        for at, step in enumerate(steps):
            if batch and step[0] != batch[0][1][0]:
                yield from self.compared(batch)
                batch = []
            batch.append((at, step))
            if len(batch) >= most or step[2].after or step[2].local:
                yield from self.compared(batch)
                batch = []
                most = depth()
        if batch:
            yield from self.compared(batch)

    def compared(self, batch):
        difference = self.compare(batch)
        if difference:
            yield difference._replace(after=batch[-1][0] + 1)
            self.fresh()

    def compare(self, batch):
        """The first difference of a batch, or None."""
        last = batch[-1]
        if last[1][2].local:
            batch = batch[:-1]
            difference = self.compare(batch) if batch else None
            if difference:
                return difference
            try:
                text = last[1][2].local(self, last[1][1])
            except (Lost, OSError) as error:
                text = str(error)
            return Difference(*last, (None, None), text) if text else None
        self.pair = last[1][0]
        sides = self.sides[self.pair]
        data = b"".join([resp.request(
            args if Moment not in map(type, args) else self.plain(args))
            for _, (_, args, _) in batch])
        lost = None
        try:
            self.exchange(sides, data, len(batch))
        except Lost as error:
            lost = str(error)
            for side in sides:
                side.replies += [None] * (len(batch) - len(side.replies))
        for (at, step), left, right in zip(batch, *(side.replies
                                                    for side in sides)):
            if self.spoil and right:
                right = self.spoil(step, right)
            if left is None or right is None:
                return Difference(at, step, (left, right), lost)
            try:
                text = self.look(step, left, right)
            except (Lost, OSError, *MALFORMED) as error:
                text = f"the replies cannot be compared: {error!r}"
            if text is not None:
                return Difference(at, step, (left, right), text)
        return Difference(*last, (left, right), lost) if lost else None

    def look(self, step, left, right):
        """None, or what is wrong with the replies to a step."""
        pair, args, command = step
        count = self.counts.setdefault(command.name, [0, 0])
        transaction = command.name == "EXEC"
        queued = self.queued[pair]
        if left != right and command.instead:
            left = command.instead(self, queued, resp.read(left),
                                   resp.read(right)) or left
        if left != right:
            good = left[:1] == right[:1] != b"-" and command.same and (
                command.same(queued if transaction else args,
                             resp.read(left), resp.read(right)))
            if not good:
                return "the replies differ"
        if left.startswith(b"+QUEUED"):
            queued.append(step)
            return None
        count[0] += 1
        count[1] += left.startswith(b"-")
        text = None
        if command.after and not left.startswith(b"-"):
            text = command.after(self, queued if transaction else args,
                                 resp.read(left), resp.read(right))
        if transaction:
            self.count_queued(queued, left)
        if command.name in ENDS:
            queued.clear()
        if command.name in UNWATCHING and not left.startswith(b"-ERR"):
            self.watches[pair].clear()
        return text

    def count_queued(self, queued, reply):
        values = resp.read(reply)[1]
        if not isinstance(values, list):
            return
        for step, value in zip(queued, values):
            count = self.counts.setdefault(step[2].name, [0, 0])
            count[0] += 1
            count[1] += value[0] == b"-"
