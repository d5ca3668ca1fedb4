"""torture.py: what rows written in Python share: counting, the messages, a
server of the row's own, clients that are nothing but sockets, writers that keep
a journal, the disk of preload/disk.c.  To be run in the top directory of the
source; BUILD (default build) is the build to test.

Everything that a row starts or makes hangs on its Row, which takes it down
also when the row fails or is interrupted."""
import contextlib
import json
import itertools
import mmap
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PUT, GET, SCAN, PING, STATS, BACKUP, LINKED = 1, 2, 11, 12, 13, 16, 0x80
SUCCESS, NOT_FOUND, NO_SPACE, READ_ONLY, BUSY, INTERNAL = 0, 1, 2, 10, 11, 14
MESSAGE = struct.Struct("<BBH32s256s")

BUILD = os.path.realpath(os.environ.get("BUILD", "build"))
SERVER = os.path.join(BUILD, "bin/server")
CLIENT = os.path.join(BUILD, "bin/client")
PRELOAD = os.path.join(BUILD, "torture/preload/disk.so")
CALL_S = 30  # of one request: longer than any fault that a row plays
WAIT_S = 60  # for whatever else has to happen; past it the test fails


class Row:
    """with Row() as row: ...; sys.exit(row.finish())"""

    def __init__(self):
        self.passed = self.failed = 0
        self.stack = contextlib.ExitStack()
        self.work = None

    def __enter__(self):
        for number in signal.SIGTERM, signal.SIGINT:
            signal.signal(number, lambda *_: sys.exit(1))
        self.work = tempfile.mkdtemp()
        self.stack.callback(shutil.rmtree, self.work, True)
        return self

    def __exit__(self, *_):
        self.stack.close()

    def result(self, good, text, detail=""):
        self.passed += bool(good)
        self.failed += not good
        print(f"ok: {text}" if good else f"failed: {text}: {detail}",
              flush=True)
        return good

    @staticmethod
    def figure(text):
        print(f"figure: {text}", flush=True)

    @staticmethod
    def left_out(text):
        print(f"left out: {text}", flush=True)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return self.failed != 0


class Disk:
    """The control of preload/disk.c: what is done to which calls."""

    CALLS = {"sync": 0, "write": 1, "allocate": 2, "reserve": 3}

    def __init__(self, row):
        self.path = tempfile.mktemp(dir=row.work)
        with open(self.path, "w+b") as file:
            file.write(b"." * 8 + bytes(8))
            file.flush()
            self.memory = mmap.mmap(file.fileno(), 16)
        self.environment = {"LD_PRELOAD": PRELOAD, "PRELOAD_DISK": self.path}

    def act(self, **acts):
        """act(sync="s"): stall, "e": EIO, "f": ENOSPC, "n": ENOMEM, "."."""
        for call, act in acts.items():
            self.memory[self.CALLS[call]] = ord(act)

    def struck(self):
        return struct.unpack_from("<Q", self.memory, 8)[0]


class Server:
    """One data directory, and the server that runs there now and then, on a
    port that the kernel chooses; and the clients that speak to it."""

    def __init__(self, row, directory=None, host="127.0.0.1", **settings):
        self.row = row
        self.host = host
        self.directory = directory or tempfile.mkdtemp(dir=row.work)
        self.settings = {f"KV_{name}": str(value)
                         for name, value in settings.items()}
        self.process = None
        self.port = 0
        self.said = []
        row.stack.callback(self.kill)

    def start(self, *wrap, **environment):
        """True when it is ready; False if it ended: status, said.  wrap: words
        before the command."""
        plain = {name: value for name, value in os.environ.items()
                 if not name.startswith("KV_") and name != "JOURNAL_STREAM"}
        self.process = subprocess.Popen(
            [*wrap, SERVER], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, errors="replace",
            env={**plain, "KV_DATA_DIR": self.directory, "KV_PORT": "0",
                 "KV_HOST": self.host, **self.settings, **environment})
        self.said = []
        self.port = 0
        ready = threading.Event()
        process = self.process

        def listen():
            for line in process.stderr:
                self.said.append(line.rstrip())
                found = re.search(r"ready: \S*:(\d+), data", line)
                if found:
                    self.port = int(found[1])
                    ready.set()
            ready.set()

        self.listener = threading.Thread(target=listen)
        self.listener.start()
        if not ready.wait(WAIT_S) or self.port == 0:
            self.wait()
            return False
        return True

    def wait(self, seconds=CALL_S):
        """Waits until it ends; its status, None if it does not end."""
        try:
            self.status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.status = None
            self.process.kill()
            self.process.wait()
        self.listener.join()
        self.process.stderr.close()
        self.process = None
        return self.status

    def stop(self, seconds=CALL_S):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.wait()

    def connect(self, **options):
        return Connection((self.host, self.port), **options)

    def figures(self):
        with self.connect() as connection:
            return connection.figures()

    def memory(self, kind="RssAnon"):
        """Bytes of memory that are its own; VmRSS: that it has."""
        with open(f"/proc/{self.process.pid}/status") as status:
            found = re.search(kind + r":\s+(\d+)", status.read())
        return int(found[1]) * 1024

    def cpu_s(self):
        """Seconds of CPU time of all its threads."""
        nanoseconds = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat") as stat:
                nanoseconds += int(stat.read().split()[0])
        return nanoseconds / 1e9

    def begin_bench(self, *options):
        """client bench, begun, while something else goes on."""
        return Bench(self, options)

    def bench(self, *options):
        """What client bench says, as from its JSON."""
        return self.begin_bench("--keep", *options).read(4 * CALL_S)


def serve(row, *wrap, **settings):
    """A server that runs; without one the row ends."""
    server = Server(row, **settings)
    if not server.start(*wrap):
        row.result(False, "the server starts", server.said)
        sys.exit(row.finish())
    return server


class Bench:
    """client bench, while something else goes on."""

    def __init__(self, server, options):
        self.row = server.row
        self.process = subprocess.Popen(
            [CLIENT, "--host", server.host, "--port", str(server.port), "bench",
             "--json", "--warmup", "0", *map(str, options)],
            env={}, stdout=subprocess.PIPE, text=True)
        self.row.stack.callback(self.process.kill)

    def read(self, seconds):
        return json.loads(self.process.communicate(timeout=seconds)[0])

    def measured(self):
        """What it has measured; None if it failed."""
        output = self.process.communicate(timeout=10 * WAIT_S)[0]
        if self.process.returncode != 0:
            self.row.result(False, "a bench", output[-500:])
            return None
        return json.loads(output)


def message(verb, key=b"", value=b""):
    return MESSAGE.pack(verb, 0, len(value), key, value)


class Connection(socket.socket):
    RESET = struct.pack("ii", 1, 0)  # struct linger: do not wait, reset

    def __init__(self, address, wait_s=CALL_S, buffer=0):
        """buffer: of the socket, in bytes; 0: as the kernel likes."""
        super().__init__()
        if buffer:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.settimeout(wait_s)
        self.connect(address)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def take(self, size):
        """What comes, up to size, before the end of the connection."""
        got = b""
        while len(got) < size:
            try:
                part = self.recv(size - len(got))
            except ConnectionError:
                break
            if not part:
                break
            got += part
        return got

    def receive(self):
        """status, key, value; the status is None if the connection ended."""
        got = self.take(MESSAGE.size)
        if len(got) < MESSAGE.size:
            return None, b"", b""
        _, status, length, key, value = MESSAGE.unpack(got)
        return status, key.rstrip(b"\0"), value[:length]

    def call(self, verb, key=b"", value=b""):
        """status, value: also when the reply came before the request."""
        try:
            self.sendall(message(verb, key, value))
        except ConnectionError:
            pass
        status, _, value = self.receive()
        return status, value

    def figures(self):
        self.sendall(message(STATS))
        figures = {}
        status, name, value = self.receive()
        while status == SUCCESS:
            figures[name.decode()] = int(value)
            status, name, value = self.receive()
        return figures

    def await_figure(self, name, good):
        """Waits until the figure is good, for WAIT_S at the most."""
        end = time.monotonic() + WAIT_S
        while not good(self.figures()[name]) and time.monotonic() < end:
            time.sleep(0.01)

    def reset(self):
        """Closes it so that the other side is told of a reset."""
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, self.RESET)
        self.close()


def raise_files(wanted):
    """How many files this process may have open, at most wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        return wanted
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard


class Writer(threading.Thread):
    """Puts the numbers 1, 2, 3... under a key of its own, and keeps a journal:
    the last one acknowledged, and those that may have been written since."""

    PAUSE_S = 0.01  # after a refusal, as a client would

    def __init__(self, server, number, pause=PAUSE_S):
        super().__init__()
        self.key = b"writer %d" % number
        self.server = server
        self.pause = pause
        self.last = 0
        self.acknowledged = 0
        self.doubtful = set()
        self.counts = {}
        self.texts = {}  # the last one of each status
        self.longest = 0.0
        self.over = threading.Event()
        self.lost = None
        self.condition = threading.Condition()

    def run(self):
        try:
            with self.server.connect() as connection:
                while not self.over.is_set():
                    self.write(connection)
        except OSError as error:
            self.doubtful.add(self.last)
            self.lost = error
        with self.condition:
            self.condition.notify_all()

    def write(self, connection):
        self.last += 1
        began = time.monotonic()
        status, text = connection.call(PUT, self.key, b"%d" % self.last)
        if status is None:
            raise ConnectionError("closed by the server")
        with self.condition:
            self.longest = max(self.longest, time.monotonic() - began)
            self.counts[status] = self.counts.get(status, 0) + 1
            self.texts[status] = text.decode()
            if status == SUCCESS:
                self.acknowledged = self.last
                self.doubtful.clear()
            elif status == INTERNAL or b"may yet" in text:
                self.doubtful.add(self.last)
            self.condition.notify_all()
        if status != SUCCESS:
            self.over.wait(self.pause)

    def count(self, status):
        return self.counts.get(status, 0)

    def await_count(self, status, count, seconds=CALL_S):
        """Waits until it got that status so many times; False: it did not."""
        with self.condition:
            return self.condition.wait_for(
                lambda: self.count(status) >= count or self.lost,
                seconds) and self.count(status) >= count

    def await_more(self, status, seconds=CALL_S):
        return self.await_count(status, self.count(status) + 1, seconds)

    def end(self):
        self.over.set()
        self.join()

    def check(self, connection):
        """What is wrong with what is there now; None: nothing."""
        status, value = connection.call(GET, self.key)
        there = int(value) if status == SUCCESS else 0
        if there == self.acknowledged or there in self.doubtful:
            return None
        return (f"{self.key.decode()}: {there} is there, {self.acknowledged} "
                f"was acknowledged, {sorted(self.doubtful)[:9]} in doubt")


class TransactionWriter(Writer):
    """The same by transactions of the Redis protocol: each adds the number to
    a list of the last ones and to a set, and counts; all under keys that no
    other writer has had."""

    KEPT = 200
    made = itertools.count()

    def __init__(self, server, number, pause=Writer.PAUSE_S):
        super().__init__(server, number, pause)
        self.key = b"transactions %d" % next(self.made)
        self.done = set()

    @staticmethod
    def ask(connection, *commands):
        """The last line of the replies to commands, or all of an array."""
        connection.sendall(b"".join(b"%s\r\n" % one for one in commands))
        lines = connection.makefile("rb", buffering=0)
        last = b""
        for _ in commands:
            last = lines.readline().rstrip()
            count = int(last[1:]) if last[:1] == b"*" else 0
            members = []
            for _ in range(count):
                member = lines.readline().rstrip()
                if member[:1] == b"$" and member != b"$-1":
                    member = lines.readline().rstrip()
                members.append(member)
            last = members if count else last
        if not last:
            raise ConnectionError("closed by the server")
        return last

    def write(self, connection):
        self.last += 1
        began = time.monotonic()
        reply = self.ask(connection, b"MULTI",
                         b'RPUSH "%s l" %d' % (self.key, self.last),
                         b'LTRIM "%s l" -%d -1' % (self.key, self.KEPT),
                         b'SADD "%s s" %d' % (self.key,
                                              self.last % self.KEPT),
                         b'INCR "%s"' % self.key, b"EXEC")
        said = b"" if isinstance(reply, list) else reply
        status = (SUCCESS if not said else
                  BUSY if said.startswith(b"-BUSY") else
                  READ_ONLY if said.startswith(b"-MISCONF") else INTERNAL)
        with self.condition:
            self.longest = max(self.longest, time.monotonic() - began)
            self.counts[status] = self.counts.get(status, 0) + 1
            self.texts[status] = said.decode()
            if status == SUCCESS:
                self.done.add(self.last)
            elif status == INTERNAL or b"may yet" in said:
                self.doubtful.add(self.last)
            self.condition.notify_all()
        if status != SUCCESS:
            self.over.wait(self.pause)

    def check(self, connection):
        with self.server.connect() as other:
            kept = self.ask(other, b'LRANGE "%s l" 0 -1' % self.key)
            some = self.ask(other, b'SMEMBERS "%s s"' % self.key)
            count = self.ask(other, b'MGET "%s"' % self.key)
        kept = [int(one) for one in kept] if kept != b"*0" else []
        some = {int(one) for one in some} if some != b"*0" else set()
        count = int(count[0]) if count != [b"$-1"] else 0
        may = self.done | self.doubtful
        lost = {one for one in self.done
                if not kept or one >= kept[0]} - set(kept)
        good = (not lost and kept == sorted(set(kept)) and set(kept) <= may and
                len(self.done) <= count <= len(may) and
                len(kept) == min(count, self.KEPT) and
                {one % self.KEPT for one in self.done} <= some <=
                {one % self.KEPT for one in may})
        return None if good else (
            f"{self.key.decode()}: {count} are there, the last {kept[-9:]}, "
            f"lost {sorted(lost)[:9]}; {len(self.done)} were acknowledged, "
            f"in doubt {sorted(self.doubtful)[:9]}")


def begin_writers(row, server, count, kinds=(Writer, TransactionWriter),
                  **options):
    """Of these kinds in turn."""
    writers = [kinds[i % len(kinds)](server, i, **options)
               for i in range(count)]
    for writer in writers:
        row.stack.callback(writer.over.set)
        writer.start()
    return writers


def total(writers, status):
    return sum(writer.count(status) for writer in writers)


def check_writers(row, server, writers, text):
    """What was acknowledged is there, what was refused is not."""
    with server.connect() as connection:
        wrong = [found for writer in writers
                 if (found := writer.check(connection))]
    return row.result(not wrong, text, "; ".join(wrong[:3]))
