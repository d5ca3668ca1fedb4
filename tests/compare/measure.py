"""measure.py: one run of `make compare`: what it wants to measure, the
generator, and what it has measured."""
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading

import peers
import torture

LOAD = os.path.join(torture.BUILD, "compare/load")
DISTURBED = 0.2  # processors that others kept busy meanwhile
MIB = 1 << 20


@dataclasses.dataclass
class Plan:
    """How much is measured."""
    works: tuple = ()  # empty: all
    only: tuple = ()   # these servers, of get, set and mix; empty: all
    quotable: bool = True
    rounds: int = 5
    ms: int = 1000
    warmup_ms: int = 200
    keys: int = 1000000
    # size of a value, distribution of keys, connections
    shapes: tuple = ((256, "uniform", 50), (256, "uniform", 1),
                     (256, "uniform", 1000), (256, "zipf", 50),
                     (32, "uniform", 50))
    depths: tuple = (1, 16, 64)
    requests: int = 100000      # of a command of redis-benchmark
    bench_s: int = 2            # client bench knows whole seconds
    memory_sizes: tuple = (8, 64, 256)
    records: int = 5000000      # of a backup and a restart
    backup_rate: int = 200000   # writes a second beside it
    base_s: int = 5             # how long they are measured without one
    scale: tuple = (1000, 10000, 100000, 1000000, 10000000, 30000000)
    scale_peers: int = 10000000


BASE = (256, "uniform", 50)
PLANS = {
    "quick": Plan(quotable=False, rounds=3, ms=250, warmup_ms=50, keys=50000,
                  shapes=(BASE,), requests=5000, bench_s=1,
                  memory_sizes=(256,), records=100000, backup_rate=50000,
                  base_s=1, scale=(1000, 100000), scale_peers=100000),
    "speed": Plan(works=("get", "set"), only=("fixkv", "echo"), shapes=(BASE,),
                  depths=(1, 64)),
}


class Run:
    """with Run(...) as run: what is started hangs on run.stack, which takes it
    down also after an error or ^C."""

    def __init__(self, plan, command):
        self.plan = plan
        self.command = command
        self.stack = contextlib.ExitStack()
        self.waiting = threading.Event()
        self.samples = {}  # (work, cell, label): a dictionary for each round
        self.left_out = []
        self.work = None

    def __enter__(self):
        self.work = self.stack.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def pause(self, seconds):
        """Between two looks at what tells nobody that it is done."""
        self.waiting.wait(seconds)

    @staticmethod
    def say(text):
        print(f"compare: {text}", flush=True)

    def wants(self, label):
        return not self.plan.only or label in self.plan.only

    def add(self, work, cell, label, sample):
        self.samples.setdefault((work, cell, label), []).append(sample)

    def values(self, work, cell, label, name):
        """One a round; empty if it was not measured."""
        return [sample[name]
                for sample in self.samples.get((work, cell, label), ())]

    def ratios(self, above, below):
        """Round by round; above and below: (work, cell, label, name)."""
        return [a / b for a, b in zip(self.values(*above), self.values(*below))
                if b > 0]

    def labels(self, work, cell):
        return [key[2] for key in self.samples if key[:2] == (work, cell)]

    def cells(self, work):
        return list(dict.fromkeys(
            key[1] for key in self.samples if key[0] == work))


class Load:
    """The generator, running; options as load.c has them."""

    def __init__(self, run, peer, work, **options):
        if "ms" not in options:
            options["ms"] = 3600000
        words = [LOAD, "--port", peer.port, "--protocol", peer.protocol,
                 "--pid", peer.pid, "--work", work]
        for name, value in options.items():
            name = "--" + name.replace("_", "-")
            if value is not False:
                words += [name] if value is True else [name, value]
        if peer.blind:
            words.append("--blind")
        self.label = f"{peer.label}, {work}"
        self.process = subprocess.Popen(
            [*peers.pinned(peers.LOAD_CORE), *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        run.stack.callback(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def result(self):
        """Waits for its end.  CPU time a request in microseconds, and what
        load.c prints."""
        output, errors = self.process.communicate()
        if self.process.returncode != 0:
            raise peers.Failed(f"the generator against {self.label}: "
                               f"status {self.process.returncode}: {errors}")
        found = json.loads(output)
        count = found["all"]["count"]
        if count == 0:
            raise peers.Failed(f"no reply of {self.label} within its time")
        return {"cpu": found["server_s"] / count * 1e6,
                "rate": count / found["seconds"],
                "disturbed": found["other"] > DISTURBED,
                **found["all"], **found}

    def stop(self):
        """Ends it now."""
        self.process.send_signal(signal.SIGTERM)
        return self.result()


def load(run, peer, work, **options):
    return Load(run, peer, work, **options).result()


def fill(run, peer, keys, size=256, first=0):
    """Puts the keys first to keys - 1; then they are all there."""
    load(run, peer, "fill", keys=keys, first=first, size=size, depth=16)
    if hasattr(peer, "records") and peer.records() < keys:
        raise peers.Failed(f"{peer.label} has {peer.records()} records, "
                           f"{keys} were put")


def message_sizes(work, size):
    """Of a request and its reply in RESP."""
    output = subprocess.run(
        [LOAD, "--protocol", "resp", "--work", work, "--size", str(size),
         "--bytes"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.split()


def median(values):
    return statistics.median(values) if values else None


def spread(values, digits):
    """Median, and from least to most."""
    if not values:
        return "-"
    return (f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to "
            f"{max(values):,.{digits}f})")


def available():
    """Bytes of memory."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0
