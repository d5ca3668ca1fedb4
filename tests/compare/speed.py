"""speed.py: the works that measure a request: GET, SET, 90 % GET; with
persistence on; redis-benchmark's commands; and whether redis-benchmark and
client bench come to the same as the generator of our own."""
import contextlib
import csv
import json
import os
import subprocess

import peers
import torture
from measure import fill, load, message_sizes
from peers import Asked, Echo, Fixkv, Memcached, Redis

BENCH_PREFIX = "bench:"
DEPTHS_OF_COMMANDS = (1, 16)
ELEMENT = "x" * 64


def turned(items, count):
    """In each round somebody else is the first."""
    count %= max(len(items), 1)
    return items[count:] + items[:count]


def contestants(run, stack, size, works):
    """The servers, running and filled; of each work those that take part."""
    started, fields = {}, {}

    def start(peer):
        if run.wants(peer.label):
            started[peer.label] = stack.enter_context(peer)

    for make in Fixkv, Redis, Memcached:
        start(make(run))
    for peer in started.values():
        fill(run, peer, run.plan.keys, size)
    start(Echo(run))
    if run.wants("fixkv RESP"):
        started["fixkv RESP"] = Asked(started["fixkv"])
    for work in works:
        field = list(started.values())
        if work == "get" and run.wants("memcached get"):
            field.append(
                Asked(started["memcached"], "memcached get", "memcached"))
        if work != "mix" and run.wants("echo RESP"):
            field.append(stack.enter_context(
                Echo(run, "echo RESP", "resp", message_sizes(work, size))))
        fields[work] = sorted(field, key=lambda peer: peer.label)
    return fields


def requests(run, works):
    plan = run.plan
    for size in dict.fromkeys(shape[0] for shape in plan.shapes):
        with contextlib.ExitStack() as stack:
            run.say(f"values of {size} bytes: starts the servers, fills them")
            fields = contestants(run, stack, size, works)
            for turn in range(plan.rounds):
                run.say(f"values of {size} bytes: round {turn + 1} of "
                        f"{plan.rounds} of {', '.join(works)}")
                one_round(run, fields, size, turn)
                make_room(fields)


def one_round(run, fields, size, turn):
    plan = run.plan
    for work, field in fields.items():
        for shape in plan.shapes:
            for depth in plan.depths:
                if shape[0] != size:
                    continue
                for peer in turned(field, turn):
                    run.add(work, (*shape, depth), peer.label, load(
                        run, peer, work, size=size, connections=shape[2],
                        zipf=shape[1] == "zipf", depth=depth, keys=plan.keys,
                        ms=plan.ms, warmup_ms=plan.warmup_ms))


def make_room(fields):
    """Backups are off; one between two rounds lets go of the log."""
    for peer in {id(peer): peer for field in fields.values()
                 for peer in field}.values():
        if isinstance(peer, Fixkv):
            peer.backup()


def persist(run):
    """The same with everysec, which both know."""
    plan = run.plan
    works = ("set", "mix")
    with contextlib.ExitStack() as stack:
        run.say("persist: starts the servers, fills them")
        fixkv = stack.enter_context(Fixkv(run, SYNC="everysec"))
        redis = stack.enter_context(Redis(run, sync="everysec"))
        for peer in fixkv, redis:
            fill(run, peer, plan.keys)
        field = [fixkv, Asked(fixkv), redis]
        for turn in range(plan.rounds):
            run.say(f"persist: round {turn + 1} of {plan.rounds}")
            for work in works:
                for depth in plan.depths:
                    for peer in turned(field, turn):
                        run.add("persist", (work, depth), peer.label, load(
                            run, peer, work, depth=depth, keys=plan.keys,
                            ms=plan.ms, warmup_ms=plan.warmup_ms))
            make_room({"": field})


# ---- Other people's generators ----------------------------------------------

def run_pinned(words, **options):
    done = subprocess.run(
        [*peers.pinned(peers.LOAD_CORE), *map(str, words)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=peers.WAIT_S, **options)
    if done.returncode != 0:
        raise peers.Failed(f"{words[0]}: status {done.returncode}: "
                           f"{done.stderr[-500:]}")
    return done.stdout


def redis_benchmark(peer, depth, count, keys, command):
    """The command with count requests; the sample."""
    before = peers.cpu_fine(peer.pid)
    output = run_pinned(
        ["redis-benchmark", "-p", peer.port, "-c", 50, "-P", depth, "-n", count,
         "-r", keys, "--csv", *command])
    used = peers.cpu_fine(peer.pid) - before
    row = list(csv.DictReader(output.splitlines()))[-1]
    return {"cpu": used / count * 1e6, "rate": float(row["rps"]),
            "p50": 1000 * float(row["p50_latency_ms"]),
            "p99": 1000 * float(row["p99_latency_ms"]),
            "max": 1000 * float(row["max_latency_ms"])}


def client_bench(run, peer, depth, work):
    before = peers.cpu_fine(peer.pid)
    output = run_pinned(
        [torture.CLIENT, "--host", "127.0.0.1", "--port", peer.port, "bench",
         "--json", "--keep", "--warmup", 0, "--no-fill", "--prefix",
         BENCH_PREFIX, "--keys", run.plan.keys, "--size", 256, "--seconds",
         run.plan.bench_s, "--connections", 50, "--depth", depth, "--reads",
         100 if work == "get" else 0], env={"PATH": os.environ["PATH"]})
    used = peers.cpu_fine(peer.pid) - before
    total = json.loads(output)["total"]
    return {"cpu": used / total["count"] * 1e6, "rate": total["ops_s"],
            "p50": total["p50_us"], "p99": total["p99_us"],
            "max": total["max_us"]}


def check(run):
    """Our generator beside the others, in turns."""
    plan = run.plan
    commands = {"get": ("GET", "key:__rand_int__"),
                "set": ("SET", "key:__rand_int__", "x" * 256)}
    # What redis-benchmark has set would not fit the generator's own stamps.
    with Fixkv(run) as fixkv, Fixkv(run, CAPACITY=3000000) as other, \
            Redis(run) as redis, Redis(run) as second:
        run.say("check: fills the servers")
        for peer in fixkv, other, redis, second:
            fill(run, peer, plan.keys)
        run_pinned([torture.CLIENT, "--port", other.port, "bench", "--fill",
                    "--keep", "--prefix", BENCH_PREFIX, "--keys", plan.keys,
                    "--size", 256, "--reads", 0, "--warmup", 0, "--seconds", 1,
                    "--depth", 16], env={"PATH": os.environ["PATH"]})
        for turn in range(plan.rounds):
            run.say(f"check: round {turn + 1} of {plan.rounds}")
            for depth in plan.depths:
                for work, command in commands.items():
                    for peer in fixkv, Asked(fixkv), redis:
                        run.add("check", (work, depth, peer.label), "load",
                                load(run, peer, work, depth=depth,
                                     keys=plan.keys, ms=plan.ms))
                    run.add("check", (work, depth, "fixkv"), "other",
                            client_bench(run, other, depth, work))
                    count = plan.requests * (4 if depth > 1 else 1)
                    for peer in Asked(other), second:
                        run.add("check", (work, depth, peer.label), "other",
                                redis_benchmark(peer, depth, count, plan.keys,
                                                command))


# Those that fixkv can answer, in an order in which each finds what it needs.
COMMANDS = {
    "PING": ("PING",),
    "SET": ("SET", "key:__rand_int__", ELEMENT),
    "GET": ("GET", "key:__rand_int__"),
    "MSET of 10": ("MSET", *("key:__rand_int__", ELEMENT) * 10),
    "INCR": ("INCR", "counter:__rand_int__"),
    "SADD": ("SADD", "set", "element:__rand_int__"),
    "SPOP": ("SPOP", "set"),
    "LPUSH": ("LPUSH", "list", ELEMENT),
    "RPUSH": ("RPUSH", "list", ELEMENT),
    "LRANGE of 100": ("LRANGE", "list", "0", "99"),
    "LPOP": ("LPOP", "list"),
    "RPOP": ("RPOP", "list"),
}


def commands(run):
    """redis-benchmark's commands, by redis-benchmark."""
    plan = run.plan
    with Fixkv(run) as fixkv, Redis(run) as redis:
        field = [Asked(fixkv), redis]
        for turn in range(plan.rounds):
            run.say(f"commands: round {turn + 1} of {plan.rounds}")
            for depth in DEPTHS_OF_COMMANDS:
                for name, words in COMMANDS.items():
                    few = 10 if name.startswith(("LRANGE", "MSET")) else 1
                    for peer in turned(field, turn):
                        run.add("commands", (name, depth), peer.label,
                                redis_benchmark(peer, depth,
                                                plan.requests // few, 100000,
                                                words))
                for peer in field:
                    run_pinned(["redis-cli", "-e", "-p", peer.port,
                                "flushall"])
            fixkv.backup()
