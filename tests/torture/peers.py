"""peers: for the rows that play clients: a server of the row's own, clients
that are nothing but sockets, counting.

What a row leaves behind (processes, files) is gone when it ends, also by a
signal.
"""
import atexit
import json
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

MESSAGE = 292
PUT, GET, SCAN, PING, BACKUP, LINKED = 1, 2, 11, 12, 16, 0x80
SUCCESS, BUSY, END = 0, 11, 13
WAIT_S = 60  # for whatever has to happen; past it the test fails

GONE = struct.pack("ii", 1, 0)  # struct linger: do not wait, reset

build = os.path.realpath(os.environ.get("BUILD", "build"))
counts = {True: 0, False: 0}


def result(good, text, detail=""):
    """Counts one test."""
    counts[bool(good)] += 1
    if good:
        print("ok: " + text, flush=True)
    else:
        print(f"failed: {text}: {detail}", flush=True)


def figure(text):
    print("figure: " + text, flush=True)


def finish():
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(0 if counts[False] == 0 else 1)


def message(verb, key=b"", value=b""):
    return struct.pack("<BBH32s256s", verb, 0, len(value), key, value)


def status_of(reply):
    """A reply's status, None if the connection ended before it was whole."""
    return reply[1] if len(reply) == MESSAGE else None


def text_of(reply):
    length = struct.unpack("<H", reply[2:4])[0] if len(reply) >= 4 else 0
    return reply[36 : 36 + length].decode(errors="replace")


def receive(peer, size=MESSAGE):
    """What comes, up to size, before the end of the connection."""
    got = b""
    while len(got) < size:
        try:
            part = peer.recv(size - len(got))
        except ConnectionError:
            break
        if not part:
            break
        got += part
    return got


def call(peer, verb, key=b"", value=b""):
    """The reply; what there is of it if the connection ends."""
    try:
        peer.sendall(message(verb, key, value))
    except ConnectionError:
        pass
    return receive(peer)


def reset(peer):
    """Closes it so that the other side is told of a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GONE)
    peer.close()


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


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


class Server:
    """build/bin/server on a port that the kernel chooses, and the clients that
    speak to it.  wrapper: a command that executes it."""

    def __init__(self, wrapper=(), host="127.0.0.1", **settings):
        self.host = host
        self.work = tempfile.mkdtemp()
        self.lines = []
        self.ready = threading.Event()
        environment = {k: v for k, v in os.environ.items() if k[:3] != "KV_"}
        environment.pop("JOURNAL_STREAM", None)
        environment |= {"KV_" + k: str(v) for k, v in settings.items()}
        environment |= {"KV_PORT": "0", "KV_HOST": host}
        environment["KV_DATA_DIR"] = self.work + "/data"
        self.process = subprocess.Popen(
            [*wrapper, build + "/bin/server"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.remove)
        threading.Thread(target=self.read_lines, daemon=True).start()
        if not self.ready.wait(WAIT_S) or self.port is None:
            result(False, "the server starts", "".join(self.lines))
            finish()

    def read_lines(self):
        self.port = None
        for line in self.process.stderr:
            self.lines.append(line)
            found = re.search(r"ready: \S*:(\d+), data", line)
            if found:
                self.port = int(found.group(1))
                self.ready.set()
        self.ready.set()

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            status = "none"
        result(status == 0, "an orderly stop", f"status {status}")
        self.remove()

    def dial(self, wait_s=WAIT_S, buffer=0):
        """buffer: of the peer's socket, in bytes; 0: as the kernel likes."""
        peer = socket.socket()
        if buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        peer.settimeout(wait_s)
        peer.connect((self.host, self.port))
        return peer

    def client(self, *arguments):
        """Starts build/bin/client."""
        client = subprocess.Popen(
            [build + "/bin/client", "--host", self.host, "--port",
             str(self.port), *map(str, arguments)],
            env={}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(client.kill)
        return client

    def bench(self, *options):
        """Starts a bench; to be handed to measured."""
        return self.client("bench", "--json", "--warmup", 0, *options)

    def stats(self, peer):
        figures = {}
        peer.sendall(message(13))
        while status_of(row := receive(peer)) == SUCCESS:
            figures[row[4:36].rstrip(b"\0").decode()] = int(text_of(row))
        return figures

    def await_stats(self, peer, name, good):
        """Waits until the figure is good; returns the seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < WAIT_S:
            if good(self.stats(peer)[name]):
                break
            time.sleep(0.01)
        return time.monotonic() - began

    def cpu_s(self):
        """Seconds of CPU time of all its threads."""
        total = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat") as stat:
                total += int(stat.read().split()[0])
        return total / 1e9

    def memory(self):
        """Bytes of memory that are its own."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) * 1024


def measured(bench):
    """What a bench has measured, as JSON says it; None if it failed."""
    output = bench.communicate(timeout=WAIT_S * 10)[0]
    found = [line for line in output.splitlines() if line.startswith("{")]
    if bench.returncode != 0 or not found:
        result(False, "a bench", output[-500:])
        return None
    return json.loads(found[-1])


def kernel_memory():
    """Bytes that the machine's TCP sockets buffer."""
    with open("/proc/net/sockstat") as sockstat:
        pages = int(re.search(r"TCP: .* mem (\d+)", sockstat.read())[1])
    return pages * resource.getpagesize()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
signal.signal(signal.SIGINT, lambda *_: sys.exit(1))
