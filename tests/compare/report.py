"""report.py: what was measured, as a page of Markdown: the machine, the goals,
a table for each work, plots."""
import datetime
import os
import platform
import subprocess

import goals
import peers
import plots
import torture
from measure import DISTURBED, median, spread


def table(head, rows):
    """Columns whose head begins with a blank are numbers."""
    yield "| " + " | ".join(name.strip() for name in head) + " |"
    yield "| " + " | ".join("---:" if name.startswith(" ") else "---"
                            for name in head) + " |"
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"
    yield ""


def said(*words):
    """The first line of what a program says of itself."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except OSError as why:
        return str(why)
    return (done.stdout.splitlines() or ["?"])[0].strip()


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def machine(run):
    commit = said("git", "describe", "--always", "--dirty=, with changes")
    yield from table(("", ""), [
        ("processor", f"{processor()}, {len(peers.CORES)} cores"),
        ("memory", f"{memory_gib():.1f} GiB"),
        ("kernel", platform.release()),
        ("data on", said("findmnt", "-no", "FSTYPE", "-T", run.work)),
        ("fixkv", said(torture.SERVER, "--version") + f", commit {commit}"),
        ("redis", said("redis-server", "--version")),
        ("memcached", said("memcached", "--version")),
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%d %H:%M UTC")),
        ("command", f"`{run.command}`"),
        ("server on core", peers.SERVER_CORE),
        ("generator on core", peers.LOAD_CORE)])


def disturbed(samples):
    count = sum(sample.get("disturbed", False) for sample in samples)
    return f"{count} of {len(samples)}" if count else ""


def over(run, work, cell, label, other):
    found = run.ratios((work, cell, label, "cpu"), (work, cell, other, "cpu"))
    return f"{median(found):.2f}" if found else ""


LATENCIES = ("p50", "p99", "p999", "max")
LOAD_HEAD = (" CPU, us a request", " requests/s", " p50, us", " p99, us",
             " p99.9, us", " max, us")


def load_columns(samples):
    def values(name):
        return [sample[name] for sample in samples if name in sample]
    yield spread(values("cpu"), 3)
    yield spread(values("rate"), 0)
    for name in LATENCIES:
        yield f"{median(values(name)):,.0f}" if values(name) else ""


def requests(run, work):
    """One table for each shape; echo: the one that moves the same bytes."""
    for shape in dict.fromkeys(cell[:3] for cell in run.cells(work)):
        yield (f"Values of {shape[0]} bytes, keys {shape[1]}, {shape[2]} "
               f"connection{'s' * (shape[2] > 1)}:")
        yield ""
        rows = []
        for cell in run.cells(work):
            for label in run.labels(work, cell) if cell[:3] == shape else ():
                samples = run.samples[work, cell, label]
                echo = "echo RESP" if label in ("fixkv RESP", "redis") \
                    else "echo"
                rows.append((
                    cell[3], label, *load_columns(samples),
                    "" if label.startswith("memcached")
                    else over(run, work, cell, label, echo),
                    over(run, work, cell, label, "redis"),
                    disturbed(samples)))
        yield from table((" in flight", "server", *LOAD_HEAD, " CPU / echo",
                          " CPU / redis", " disturbed"), rows)


def persist(run, _):
    rows = [(work.upper(), depth, label,
             *load_columns(run.samples["persist", (work, depth), label]),
             over(run, "persist", (work, depth), label, "redis"),
             disturbed(run.samples["persist", (work, depth), label]))
            for work, depth in run.cells("persist")
            for label in run.labels("persist", (work, depth))]
    yield from table(("work", " in flight", "server", *LOAD_HEAD,
                      " CPU / redis", " disturbed"), rows)


def check(run, _):
    rows = []
    for cell in run.cells("check"):
        work, depth, label = cell
        ours, other = ([*load_columns(run.samples["check", cell, which])]
                       for which in ("load", "other"))
        rows.append((work.upper(), depth, label,
                     "client bench" if label == "fixkv" else "redis-benchmark",
                     ours[0], other[0],
                     over(run, "check", cell, "load", "other"), ours[1],
                     other[1]))
    yield from table(("work", " in flight", "server", "other generator",
                      " CPU with load, us", " with the other, us", " ratio",
                      " requests/s with load", " with the other"), rows)


def commands(run, _):
    rows = []
    for cell in run.cells("commands"):
        rates = {label: run.values("commands", cell, label, "rate")
                 for label in run.labels("commands", cell)}
        used = [spread(run.values("commands", cell, label, "cpu"), 2)
                for label in rates]
        ratio = run.ratios(("commands", cell, "fixkv RESP", "rate"),
                           ("commands", cell, "redis", "rate"))
        rows.append((cell[1], cell[0],
                     *(f"{median(values):,.0f}" for values in rates.values()),
                     f"{median(ratio):.2f}", *used,
                     over(run, "commands", cell, "fixkv RESP", "redis")))
    yield from table((" in flight", "command", " fixkv, requests/s",
                      " redis, requests/s", " fixkv / redis",
                      " fixkv, CPU us a request", " redis, CPU us",
                      " CPU / redis"), rows)


def memory(run, _):
    labels = run.labels("memory", run.cells("memory")[0])
    rows = [(size, f"{count:,}", *(
        f"{run.values('memory', (size, count), label, 'bytes')[0]:.0f}"
        for label in labels)) for size, count in run.cells("memory")]
    yield from table((" value", " records",
                      *(f" {label}, bytes a record" for label in labels)),
                     rows)


def columns(run, work, cell, names):
    """A row for each label; names: of a column, of the figure, digits."""
    rows = [(label, *(spread(run.values(work, cell, label, name), digits)
                      for _, name, digits in names),
             disturbed(run.samples[work, cell, label]))
            for label in run.labels(work, cell)]
    yield from table(("server", *(" " + name[0] for name in names),
                      " disturbed"), rows)


def backup(run, _):
    yield from columns(run, "backup", (), (
        ("duration, s", "took", 2), ("CPU of it, s", "own_s", 2),
        ("p99.9 without, us", "base_p999", 0), ("p99.9 with, us", "p999", 0),
        ("ratio", "ratio", 2), ("max without, us", "base_max", 0),
        ("max with, us", "max", 0), ("writes/s without", "base_rate", 0),
        ("writes/s with", "rate", 0)))
    yield from columns(run, "backup memory", (), (
        ("extra memory (Pss), MiB", "Pss", 1),
        ("extra memory (RSS, shared pages twice), MiB", "VmRSS", 1)))


def restart(run, _):
    yield from columns(run, "restart", (), (
        ("until it serves, s", "took", 2), ("CPU, s", "used_s", 2)))


def durable(run, _):
    rows = []
    for cell in run.cells("durable"):
        for label in run.labels("durable", cell):
            found = run.ratios(("durable", cell, label, "rate"),
                               ("durable", cell, "redis", "rate"))
            samples = run.samples["durable", cell, label]
            rows.append((*cell, label, *load_columns(samples),
                         f"{median(found):.2f}", disturbed(samples)))
    yield from table((" connections", " in flight", "server", *LOAD_HEAD,
                      " requests/s / redis", " disturbed"), rows)
    for depth in run.cells("durable reads"):
        yield f"Reads beside 50 writers with {depth} in flight:"
        yield ""
        yield from columns(run, "durable reads", depth, (
            ("p99 alone, us", "alone_p99", 0), ("p99 beside, us", "p99", 0),
            ("ratio", "ratio", 2), ("p99.9 alone, us", "alone_p999", 0),
            ("p99.9 beside, us", "p999", 0), ("max beside, us", "max", 0)))


def scale(run, _):
    yield (f"A cache miss costs {run.values('miss', (), 'machine', 'ns')[0]} "
           "ns here.")
    yield ""
    rows = []
    for count in run.cells("scale"):
        for label in run.labels("scale", count):
            samples = run.samples["scale", count, label]
            rows.append((f"{count:,}", label, *(
                spread(run.values("scale", count, label, name), 3)
                for name in ("cpu", "echo", "above")), disturbed(samples)))
    yield from table((" records", "server", " CPU of a GET, us", " echo, us",
                      " more than echo, us", " disturbed"), rows)


def sections(run, works):
    """works: those that were measured, as run has them."""
    for name, work in works.items():
        if not run.cells(work.sample or name):
            continue
        yield f"## {name}"
        yield ""
        yield work.text
        yield ""
        yield from work.table(run, name)


def notes(run):
    yield from (
        "CPU is that of the server: user and system, all threads, over the "
        "requests that were answered. Each figure is the median of "
        f"{run.plan.rounds} rounds, with the least and the most; ratios are "
        "medians of the ratios of each round. In a round all servers are "
        "asked the same in turns; a connection sends its next requests when "
        "all of the last ones are answered. Latencies are medians of the "
        "rounds' percentiles. A round is disturbed if others kept more than "
        f"{DISTURBED} cores busy meanwhile. fixkv has one worker and "
        "memcached one thread where they are pinned; all else is as it comes. "
        "Backups of fixkv and rewriting of redis's file are off but where they "
        "are measured. `KV_SYNC=none` writes the log; redis without its "
        "append-only file writes nothing. memcached is asked with its meta "
        "commands, whose replies it sends together; `memcached get` is its "
        "older command. The echo server of RESP answers so "
        "many bytes with so many as a request and its reply have.", "")


def make(run, works, directory):
    pictures = []
    try:
        pictures += plots.make(run, directory)
    except (OSError, subprocess.SubprocessError) as why:
        run.left_out.append(f"plots: {why}")
    lines = ["# fixkv beside others", "", *machine(run)]
    if not run.plan.quotable:
        lines += ["A quick run: it shows that the comparison works, and its "
                  "figures are not to be quoted.", ""]
    found = list(goals.rows(run))
    lines += ["## Goals", ""]
    if found:
        lines += table(("goal", " limit", " measured", ""), found)
    lines += ["Works that were not asked for are not judged. Contention of "
              "locks is measured by `make contention`.", ""]
    lines += [f"- left out: {text}" for text in run.left_out]
    lines += ["", "## How", "", *notes(run), *sections(run, works), "## Plots",
              ""]
    for name, title in pictures:
        lines += [f"![{title}]({name})", ""]
    path = os.path.join(directory, "report.md")
    with open(path, "w") as file:
        file.write("\n".join(lines))
    return path, found


