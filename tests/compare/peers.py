"""peers.py: the servers that are compared, each on loopback on a port that the
kernel chose, pinned to one core, and ended by its process id.

A peer has a label, a pid, a port, and the protocol in which the generator asks
it.  fixkv is asked in two, and so is memcached: one server, two labels."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../torture"))
import torture

WAIT_S = 600  # for whatever takes long; past it the work fails
torture.WAIT_S = WAIT_S  # millions of records are loaded before it is ready
CONNECTIONS_MAX = 10000
FREE_PORT_TRIES = 10


class Failed(Exception):
    """What a person has to read."""


CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[1 % len(CORES)]


def pinned(*cores):
    return ("taskset", "-c", ",".join(map(str, cores)))


def children(pid):
    with contextlib.suppress(OSError), open(
            f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
    return []


def memory_of(pid, kind="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(kind + r":\s+(\d+)", file.read())[1]) * 1024


def cpu_of(pid):
    """Seconds, of its children that have ended too."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_fine(pid):
    """Seconds of its threads that live, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Peer:
    """with Peer(...) as peer: ...; start() again after kill() keeps what is on
    disk."""
    label = protocol = ""
    blind = False

    def __init__(self, run, pin=True):
        self.run = run
        self.wrap = pinned(SERVER_CORE) if pin else pinned(*CORES)
        self.directory = tempfile.mkdtemp(dir=run.work)
        self.process = None
        self.port = 0
        run.stack.callback(self.kill)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory, True)

    def launch(self, command, **options):
        self.process = subprocess.Popen(
            [*self.wrap, *map(str, command)], stdin=subprocess.DEVNULL,
            cwd=self.directory, **options)

    def lines(self, stream):
        """What it says until it is silent for ever; then Failed."""
        said = []
        for line in stream:
            said.append(line)
            yield line
        raise Failed(f"{self.label} does not start: {''.join(said)[-500:]}")

    def kill(self):
        """Its children go first: they would outlive it."""
        if self.process is None:
            return
        for pid in [*children(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for stream in self.process.stdout, self.process.stderr:
            if stream is not None:
                stream.close()
        self.process = None


class Echo(Peer):
    """tests/echo.c; sizes: of each request and reply, or none."""
    label = "echo"
    protocol = "native"
    blind = True

    def __init__(self, run, label="echo", protocol="native", sizes=()):
        super().__init__(run)
        self.label, self.protocol, self.sizes = label, protocol, sizes

    def start(self):
        self.launch([os.path.join(torture.BUILD, "bin/echo"), 0, *self.sizes],
                    stdout=subprocess.PIPE, text=True)
        self.port = int(next(self.lines(self.process.stdout)).split()[1])


class Fixkv(Peer):
    label = "fixkv"
    protocol = "native"

    def __init__(self, run, pin=True, **settings):
        self.server = None
        super().__init__(run, pin)
        self.settings = {"WORKERS": 1 if pin else len(CORES),
                         "BACKUP_INTERVAL": 0, "BACKUP_KEEP": 1,
                         "SYNC": "none", "CAPACITY": 2000000, **settings}

    def start(self):
        self.server = torture.Server(self.run, self.directory + "/data",
                                     **self.settings)
        if not self.server.start(*self.wrap):
            raise Failed(f"fixkv does not start: {self.server.said}")
        self.process, self.port = self.server.process, self.server.port

    def kill(self):
        if self.server is not None:
            self.server.kill()
        self.process = None

    def stop(self):
        """With a backup."""
        if self.server.stop(WAIT_S) != 0:
            raise Failed(f"fixkv stops with status {self.server.status}: "
                         f"{self.server.said[-3:]}")
        self.process = None

    def backup(self):
        with self.server.connect(wait_s=WAIT_S) as connection:
            connection.sendall(torture.message(torture.BACKUP))
            reply = connection.take(torture.MESSAGE.size)
        if len(reply) != torture.MESSAGE.size or reply[1] != torture.SUCCESS:
            raise Failed(f"fixkv writes no backup: {reply[36:].decode()}")

    def records(self):
        return self.server.figures()["records"]


class Asked:
    """A peer that is asked in another protocol."""

    def __init__(self, peer, label="fixkv RESP", protocol="resp"):
        self.peer = peer
        self.label, self.protocol = label, protocol

    def __getattr__(self, name):
        return getattr(self.peer, name)


class Redis(Peer):
    label = "redis"
    protocol = "resp"

    def __init__(self, run, pin=True, sync="none"):
        super().__init__(run, pin)
        self.options = ["--save", "", "--appendonly", "no"]
        if sync != "none":
            # Like fixkv, whose backups are off: nothing is made smaller.
            self.options = ["--save", "", "--appendonly", "yes",
                            "--appendfsync", sync,
                            "--auto-aof-rewrite-percentage", "0"]

    def start(self):
        """It cannot be told to let the kernel choose: a port that was free a
        moment ago, and if another has taken it since, the next one."""
        for _ in range(FREE_PORT_TRIES):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            self.launch(["redis-server", "--bind", "127.0.0.1", "--port",
                         self.port, "--dir", self.directory, "--maxclients",
                         CONNECTIONS_MAX, *self.options],
                        stdout=subprocess.PIPE, text=True)
            taken = False
            try:
                for line in self.lines(self.process.stdout):
                    taken = taken or "Address already in use" in line
                    if "Ready to accept connections" in line:
                        return
            except Failed:
                self.kill()
                if not taken:
                    raise
        raise Failed("redis-server finds no free port")

    def call(self, *words):
        """The first line of the reply; of a bulk reply all of it."""
        request = b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode())
                           for word in words)
        with socket.create_connection(("127.0.0.1", self.port),
                                      WAIT_S) as connection:
            connection.sendall(b"*%d\r\n" % len(words) + request)
            with connection.makefile("rb") as stream:
                line = stream.readline().decode().rstrip()
                if not line.startswith("$"):
                    return line
                return stream.read(int(line[1:])).decode()

    def save(self):
        if self.call("SAVE") != "+OK":
            raise Failed("redis-server does not save")

    def backup(self):
        """BGSAVE, until it has come to its end."""
        said = self.call("BGSAVE")
        if not said.startswith("+Background saving"):
            raise Failed(f"redis-server does not save: {said}")
        while True:
            said = self.call("INFO", "persistence")
            if "rdb_bgsave_in_progress:0" in said:
                break
            self.run.pause(0.02)
        if "rdb_last_bgsave_status:ok" not in said:
            raise Failed("BGSAVE failed")

    def records(self):
        return int(self.call("DBSIZE")[1:])


class Memcached(Peer):
    """Asked with its meta commands: it sends the replies to a pipeline of them
    together, those to its older `get` each on its own."""
    label = "memcached"
    protocol = "meta"

    def __init__(self, run, mib=1024):
        super().__init__(run)
        self.mib = mib

    def start(self):
        """It tells its port in a file that it renames when it is whole; it
        says so nowhere else."""
        path = os.path.join(self.directory, "port")
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.launch(["memcached", "-l", "127.0.0.1", "-p", -1, "-U", 0, "-t",
                     1, "-c", CONNECTIONS_MAX, "-m", self.mib, *user],
                    env={**os.environ, "MEMCACHED_PORT_FILENAME": path})
        while not os.path.exists(path):
            if self.process.poll() is not None:
                raise Failed("memcached does not start: status "
                             f"{self.process.returncode}")
            self.run.pause(0.02)
        with open(path) as file:
            self.port = int(re.search(r"TCP INET: (\d+)", file.read())[1])
