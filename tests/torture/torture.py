"""torture.py: what rows written in Python share: counting, the messages, a
server of the row's own, writers that keep a journal, the disk of
preload/disk.c.  To be run in the top directory of the source.

Everything that a row starts or makes hangs on its Row, which takes it down
also when the row fails or is interrupted."""
import contextlib
import json
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PUT, GET, DELETE, SCAN, PING, STATS, COUNT, BACKUP = 1, 2, 3, 11, 12, 13, 14, 16
SUCCESS, NOT_FOUND, NO_SPACE, READ_ONLY, BUSY, END, INTERNAL = (
    0, 1, 2, 10, 11, 13, 14)
MESSAGE = struct.Struct("<BBH32s256s")

BUILD = os.path.realpath(os.environ.get("BUILD", "build"))
SERVER = os.path.join(BUILD, "bin/server")
CLIENT = os.path.join(BUILD, "bin/client")
PRELOAD = os.path.join(BUILD, "torture/preload/disk.so")
START_S = 60
CALL_S = 30  # of one request: longer than any fault that a row plays


class Row:
    """with Row() as row: ...; sys.exit(row.finish())"""

    def __init__(self):
        self.passed = self.failed = 0
        self.stack = contextlib.ExitStack()
        self.work = None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
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
    """One data directory, and the server that runs there now and then."""

    def __init__(self, row, directory=None, **settings):
        self.directory = directory or tempfile.mkdtemp(dir=row.work)
        self.settings = {f"KV_{name}": str(value)
                         for name, value in settings.items()}
        self.process = None
        self.port = 0
        self.said = []
        row.stack.callback(self.kill)

    def start(self, *wrap, **environment):
        """True when it is ready; False if it ended: status, said."""
        plain = {name: value for name, value in os.environ.items()
                 if not name.startswith("KV_") and name != "JOURNAL_STREAM"}
        self.process = subprocess.Popen(
            [*wrap, SERVER], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, errors="replace",
            env={**plain, "KV_DATA_DIR": self.directory, "KV_PORT": "0",
                 "KV_HOST": "127.0.0.1", **self.settings, **environment})
        self.said = []
        self.port = 0
        ready = threading.Event()
        process = self.process

        def listen():
            for line in process.stderr:
                self.said.append(line.rstrip())
                found = re.search(r"ready: \S+:(\d+), data", line)
                if found:
                    self.port = int(found[1])
                    ready.set()
            ready.set()

        self.listener = threading.Thread(target=listen)
        self.listener.start()
        if not ready.wait(START_S) or self.port == 0:
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

    def connect(self):
        return Connection(self.port)

    def figures(self):
        with self.connect() as connection:
            return connection.figures()

    def resident(self):
        """Bytes of memory that it has."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024

    def bench(self, *options):
        """What client bench says, as from its JSON."""
        done = subprocess.run(
            [CLIENT, "--host", "127.0.0.1", "--port", str(self.port), "bench",
             "--json", "--warmup", "0", "--keep", *map(str, options)],
            stdout=subprocess.PIPE, check=False, timeout=4 * CALL_S)
        return json.loads(done.stdout)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), CALL_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, verb, key=b"", value=b""):
        self.socket.sendall(MESSAGE.pack(verb, 0, len(value), key, value))

    def receive(self):
        """status, key, value"""
        got = b""
        while len(got) < MESSAGE.size:
            part = self.socket.recv(MESSAGE.size - len(got))
            if not part:
                raise ConnectionError("closed by the server")
            got += part
        _, status, length, key, value = MESSAGE.unpack(got)
        return status, key.rstrip(b"\0"), value[:length]

    def call(self, verb, key=b"", value=b""):
        """status, value"""
        self.send(verb, key, value)
        status, _, value = self.receive()
        return status, value

    def figures(self):
        self.send(STATS)
        figures = {}
        status, name, value = self.receive()
        while status == SUCCESS:
            figures[name.decode()] = int(value)
            status, name, value = self.receive()
        return figures


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


def begin_writers(row, server, count, **options):
    writers = [Writer(server, i, **options) for i in range(count)]
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
