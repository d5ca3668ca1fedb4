"""goals.py: what fixkv is meant to reach, as ratios of two figures of one
round, and whether it has.  A goal is reached if the median of its ratios is
within the limit."""
import dataclasses
import typing

from measure import BASE, median


@dataclasses.dataclass
class Goal:
    work: str
    text: str
    limit: float
    ratios: typing.Callable  # of a run: one number a round, empty: not measured
    least: bool = False      # the limit is the least, not the most
    unit: str = " x"

    def reached(self, found):
        return found >= self.limit if self.least else found <= self.limit


def cpu(work, depth, label):
    return work, (*BASE, depth), label, "cpu"


def speed(work, depth, label, other, limit):
    name = "PUT" if work == "set" and label == "fixkv" else work.upper()
    return Goal(work, f"{label}: {name}, {depth} in flight: CPU over "
                f"{other}'s", limit, lambda run: run.ratios(
                    cpu(work, depth, label), cpu(work, depth, other)))


def against_echo():
    yield speed("get", 64, "fixkv", "echo", 2.2)
    yield speed("set", 64, "fixkv", "echo", 3.5)
    for work in "get", "set":
        yield speed(work, 1, "fixkv", "echo", 1.15)
        yield speed(work, 1, "fixkv RESP", "echo RESP", 1.15)


def against_peers():
    for work in "get", "set":
        yield speed(work, 16, "fixkv RESP", "redis", 0.45)
        yield speed(work, 64, "fixkv RESP", "redis", 0.3)
        for depth in 1, 16, 64:
            yield speed(work, depth, "fixkv RESP", "memcached", 1)


def durable():
    for label in "fixkv", "fixkv RESP":
        for depth, limit in (1, 2.5), (16, 2):
            yield Goal("durable", f"{label}: writes a second, each on disk, 50 "
                       f"connections, {depth} in flight: over redis's", limit,
                       lambda run, cell=(50, depth), label=label: run.ratios(
                           ("durable", cell, label, "rate"),
                           ("durable", cell, "redis", "rate")), least=True)
        for depth in 1, 16:
            yield Goal("durable", f"{label}: p99 of reads beside such writers, "
                       f"{depth} in flight, over that of reads alone", 2,
                       lambda run, depth=depth, label=label: run.values(
                           "durable reads", depth, label, "ratio"))


def beside(name):
    return lambda run: run.ratios(("backup", (), "fixkv", name),
                                  ("backup", (), "redis", name))


def stores():
    yield Goal("backup", "extra memory of a backup", 16,
               lambda run: [max(sample.values()) for sample in run.samples.get(
                   ("backup memory", (), "fixkv"), ())], unit=" MiB")
    yield Goal("backup", "p99.9 of writes beside a backup, over that without",
               2, lambda run: run.values("backup", (), "fixkv", "ratio"))
    yield Goal("backup", "a backup's CPU time, over BGSAVE's", 1,
               beside("own_s"))
    yield Goal("backup", "a backup's duration, over BGSAVE's", 1,
               beside("took"))
    yield Goal("restart", "a restart, over redis's from RDB", 1 / 3,
               lambda run: run.ratios(("restart", (), "fixkv", "took"),
                                      ("restart", (), "redis", "took")))
    yield Goal("memory", "memory of a record of 256 bytes, at the worst fill",
               340, lambda run: [max(values)] if (values := [
                   value for cell in run.cells("memory") if cell[0] == 256
                   for value in run.values("memory", cell, "fixkv", "bytes")])
               else [], unit=" bytes")
    yield Goal("scale", "CPU of a GET with most records, less that with fewest,"
               " over a cache miss", 1, growth)


def growth(run):
    counts = [cell for cell in run.cells("scale")
              if run.values("scale", cell, "fixkv", "above")]
    if len(counts) < 2:
        return []
    miss_us = run.values("miss", (), "machine", "ns")[0] / 1000
    return [(last - first) / miss_us for first, last in zip(
        run.values("scale", min(counts), "fixkv", "above"),
        run.values("scale", max(counts), "fixkv", "above"))]


def goals():
    yield from against_echo()
    yield from against_peers()
    yield from durable()
    yield from stores()


def rows(run):
    """Of each goal whose work was measured."""
    for goal in goals():
        found = goal.ratios(run)
        if not found:
            continue
        word = "at least" if goal.least else "at most"
        middle = median(found)
        yield (goal.text, f"{word} {goal.limit:.3g}{goal.unit}",
               f"{middle:.3g} ({min(found):.3g} to {max(found):.3g})",
               "reached" if goal.reached(middle) else "**not reached**")
