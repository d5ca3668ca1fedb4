"""stores.py: the works that measure a store: memory, backups, restarts,
durable writes, and how the cost of a read grows with the number of records."""
import os
import shutil
import subprocess
import threading
import time

import peers
import torture
from measure import MIB, Load, available, fill, load
from peers import Asked, Echo, Fixkv, Memcached, Redis
from speed import turned

FILLS = (0.25, 0.5, 0.75, 1)
PSS_EVERY_S = 0.25
MEMORY_ROUNDS = 2
READERS = 4
READS_A_SECOND = 1000
DURABLE_TIMES = 3  # as long as others, for some thousand reads
SCALE_DEPTH = 64
LEFT = 1024 * MIB  # of memory and of disk, for others
# Bytes of a record, at the most: in memory, and on disk.
RECORD_MEMORY = {"fixkv": 350, "redis": 450, "memcached": 400}
RECORD_DISK = {"fixkv": 350, "redis": 0, "memcached": 0}
MISS_MIB = 1024


def has_room(run, work, records, memory, disk):
    """For so many records more; bytes of each.  False: the report says so."""
    for name, each, there in (
            ("memory", memory, available()),
            ("disk", disk, shutil.disk_usage(run.work).free)):
        need = records * each + LEFT
        if there < need:
            run.left_out.append(f"{work}: {need // MIB} MiB of {name} needed, "
                                f"{there // MIB} there")
            return False
    return True


# ---- Memory -----------------------------------------------------------------

def memory(run):
    """Bytes of resident memory for each record: after a fill, less before.
    Reads come first, so that the buffers of connections are no record's."""
    plan = run.plan
    for size in plan.memory_sizes:
        for make in Fixkv, Redis, Memcached:
            with make(run) as peer:
                run.say(f"memory: {peer.label}, values of {size} bytes")
                load(run, peer, "get", depth=16, ms=plan.warmup_ms)
                before = peers.memory_of(peer.pid)
                first = 0
                for share in FILLS:
                    keys = int(plan.keys * share)
                    fill(run, peer, keys, size, first)
                    first = keys
                    grown = peers.memory_of(peer.pid) - before
                    run.add("memory", (size, keys), peer.label,
                            {"bytes": grown / keys})


# ---- Backup -----------------------------------------------------------------

class Watch(threading.Thread):
    """The most memory that a server has with its children, looked at now and
    then.  Pss, since parent and child share pages; it is slow to count, so
    nobody looks while durations are measured."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.ended = threading.Event()
        self.most = {"VmRSS": 0, "Pss": 0}

    def look(self):
        pids = [self.pid, *peers.children(self.pid)]
        pss = rss = 0
        for pid in pids:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    words = [line.split() for line in file]
            except OSError:  # a child that has ended
                continue
            sums = {word[0]: int(word[1]) * 1024 for word in words[1:]}
            pss += sums["Pss:"]
            rss += sums["Rss:"]
        self.most["Pss"] = max(self.most["Pss"], pss)
        self.most["VmRSS"] = max(self.most["VmRSS"], rss)

    def run(self):
        while not self.ended.is_set():
            self.look()
            self.ended.wait(PSS_EVERY_S)

    def stop(self):
        self.ended.set()
        self.join()
        return self.most


def written(run, peer, seconds=None):
    """What writers see while a backup is written, or for so long without."""
    plan = run.plan
    used = peers.cpu_of(peer.pid)
    began = time.monotonic()
    writers = Load(run, peer, "rewrite", keys=plan.records, depth=16,
                   rate=plan.backup_rate)
    if seconds is None:
        begin = time.monotonic()
        peer.backup()
        taken = time.monotonic() - begin
    else:
        run.pause(seconds)
        taken = seconds
    sample = writers.stop()
    sample["took"] = taken
    sample["used_s"] = peers.cpu_of(peer.pid) - used
    sample["watched_s"] = time.monotonic() - began
    return sample


def backup(run):
    """While all records are rewritten, at a rate that both can keep."""
    plan = run.plan
    # Redis may have all of its pages twice, and fixkv a second log.
    if not has_room(run, "backup", plan.records, RECORD_MEMORY["fixkv"] +
                    2 * RECORD_MEMORY["redis"], 2000):
        return
    with Fixkv(run, CAPACITY=plan.records + plan.records // 4) as fixkv, \
            Redis(run) as redis:
        for peer in fixkv, redis:
            run.say(f"backup: fills {peer.label} with {plan.records} records")
            fill(run, peer, plan.records)
        fixkv.backup()
        for turn in range(plan.rounds):
            run.say(f"backup: round {turn + 1} of {plan.rounds}")
            for peer in turned([fixkv, redis], turn):
                base = written(run, peer, plan.base_s)
                sample = written(run, peer)
                share = base["used_s"] / base["watched_s"]
                run.add("backup", (), peer.label, {
                    "took": sample["took"], "base_p999": base["p999"],
                    "base_max": base["max"], "p999": sample["p999"],
                    "max": sample["max"], "rate": sample["rate"],
                    "base_rate": base["rate"], "ratio":
                    sample["p999"] / base["p999"],
                    "own_s": sample["used_s"] - share * sample["watched_s"],
                    "disturbed": base["disturbed"]})
                if turn < MEMORY_ROUNDS:
                    run.add("backup memory", (), peer.label,
                            extra_memory(run, peer))


def extra_memory(run, peer):
    """The most while a backup is written, less the most without one."""
    most = []
    for beside in written, lambda *of: written(*of, run.plan.base_s):
        watch = Watch(peer.pid)
        watch.look()
        watch.start()
        beside(run, peer)
        most.append(watch.stop())
    return {name: (most[0][name] - most[1][name]) / MIB for name in most[0]}


# ---- Restart ----------------------------------------------------------------

def timed_start(run, peer):
    begin = time.monotonic()
    peer.start()
    taken = time.monotonic() - begin
    used = peers.cpu_of(peer.pid)
    if peer.records() != run.plan.records:
        raise peers.Failed(f"{peer.label} has {peer.records()} records after "
                           f"its restart, not {run.plan.records}")
    run.add("restart", (), peer.label, {"took": taken, "used_s": used})


def restart(run):
    """From a backup, and from an RDB, on all cores, which is how they are
    restarted.  The files are in the kernel's cache."""
    plan = run.plan
    if not has_room(run, "restart", plan.records, RECORD_MEMORY["fixkv"] +
                    RECORD_MEMORY["redis"], 1000):
        return
    with Fixkv(run, pin=False,
               CAPACITY=plan.records + plan.records // 4) as fixkv, \
            Redis(run, pin=False) as redis:
        for peer in fixkv, redis:
            run.say(f"restart: fills {peer.label} with {plan.records} records")
            fill(run, peer, plan.records)
        fixkv.stop()
        redis.save()
        for turn in range(plan.rounds):
            run.say(f"restart: round {turn + 1} of {plan.rounds}")
            for peer in turned([fixkv, redis], turn):
                peer.kill()
                timed_start(run, peer)
                peer.kill()


# ---- Durable writes ---------------------------------------------------------

def durable(run):
    """Each write on disk before it is answered."""
    plan = run.plan
    with Fixkv(run, SYNC="always") as fixkv, Redis(run, sync="always") as redis:
        run.say("durable: fills the servers")
        for peer in fixkv, redis:
            fill(run, peer, plan.keys)
        for turn in range(plan.rounds):
            run.say(f"durable: round {turn + 1} of {plan.rounds}")
            for peer in turned([fixkv, Asked(fixkv), redis], turn):
                durable_round(run, peer)
            fixkv.backup()


def durable_round(run, peer):
    options = {"keys": run.plan.keys, "ms": DURABLE_TIMES * run.plan.ms,
               "warmup_ms": run.plan.warmup_ms}
    readers = {"readers": READERS, "rate": READS_A_SECOND}
    alone = load(run, peer, "set", connections=0, **readers, **options)
    run.add("durable", (1, 1), peer.label,
            load(run, peer, "set", connections=1, **options))
    for depth in 1, 16:
        run.add("durable", (50, depth), peer.label,
                load(run, peer, "set", depth=depth, **options))
        beside = load(run, peer, "set", depth=depth, **readers, **options)
        run.add("durable reads", depth, peer.label, {
            "alone_p99": alone["reads"]["p99"],
            "alone_p999": alone["reads"]["p999"],
            "p99": beside["reads"]["p99"], "p999": beside["reads"]["p999"],
            "max": beside["reads"]["max"],
            "ratio": beside["reads"]["p99"] / alone["reads"]["p99"],
            "disturbed": beside["disturbed"] or alone["disturbed"]})


# ---- Many records -----------------------------------------------------------

def cache_miss():
    """Nanoseconds."""
    output = subprocess.run(
        [*peers.pinned(peers.SERVER_CORE),
         os.path.join(torture.BUILD, "compare/miss"), str(MISS_MIB)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output.split()[0])


def scale(run):
    """The cost of a GET, as records become more; the echo server beside tells
    what the machine is worth at that time."""
    plan = run.plan
    run.add("miss", (), "machine", {"ns": cache_miss()})
    most = max(plan.scale)
    with Echo(run) as echo:
        for label, make in {
                "fixkv": lambda: Fixkv(run, CAPACITY=most + most // 50 + 10000),
                "redis": lambda: Redis(run),
                "memcached": lambda: Memcached(
                    run, plan.scale_peers * 500 // MIB + 1024)}.items():
            with make() as peer:
                grow(run, label, peer, echo)


def grow(run, label, peer, echo):
    plan = run.plan
    there = 0
    for count in plan.scale:
        if label != "fixkv" and count > plan.scale_peers:
            return
        if not has_room(run, f"scale of {label} to {count:,} records",
                        count - there, RECORD_MEMORY[label],
                        RECORD_DISK[label]):
            return
        run.say(f"scale: {label}, {count:,} records")
        fill(run, peer, count, first=there)
        there = count
        for turn in range(plan.rounds):
            samples = {}
            for one in turned([peer, echo], turn):
                samples[one.label] = load(
                    run, one, "get", keys=count, depth=SCALE_DEPTH, ms=plan.ms,
                    warmup_ms=plan.warmup_ms)
            run.add("scale", count, label, {
                **samples[label], "echo": samples["echo"]["cpu"],
                "above": samples[label]["cpu"] - samples["echo"]["cpu"]})
