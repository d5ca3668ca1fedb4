"""plots.py: plots of a run, as SVG, by gnuplot."""
import os
import subprocess

from measure import BASE, median

HEAD = """set terminal svg size 900,420 background rgb 'white'
set output '{path}'
set title "{title}" noenhanced
set ylabel "{ylabel}" noenhanced
set key outside right noenhanced
set grid ytics
set yrange [0:*]
"""
BARS = """set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
"""


def draw(path, title, ylabel, settings, series):
    """series: of each a title, and the rows of its data: x, y."""
    lines = [HEAD.format(path=path, title=title, ylabel=ylabel) + settings]
    bars = settings.startswith(BARS)
    for number, (_, rows) in enumerate(series):
        lines.append(f"$data{number} << END")
        lines += [f'{quoted(x) if bars else x} {"NaN" if y is None else y}'
                  for x, y in rows]
        lines.append("END")
    form = "using 2:xtic(1)" if bars else "using 1:2 with linespoints lw 2"
    lines.append("plot " + ", ".join(
        f'$data{number} {form} title "{name}"'
        for number, (name, _) in enumerate(series)))
    subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True,
                   check=True)


def quoted(text):
    return f'"{text}"'


def middle(run, work, cell, label, name):
    return median(run.values(work, cell, label, name))


def bars(run, work, cells, name):
    """cells: what stands below the bars, and the cell."""
    labels = dict.fromkeys(label for cell in cells.values()
                           for label in run.labels(work, cell))
    return [(label, [(text, middle(run, work, cell, label, name))
                     for text, cell in cells.items()]) for label in labels]


def speed(run):
    for work in "get", "set", "mix":
        cells = {f"{cell[3]} in flight": cell for cell in run.cells(work)
                 if cell[:3] == BASE}
        if not cells:
            continue
        for name, text in ("cpu", "CPU of the server, us a request"), (
                "p99", "p99, us"):
            title = (f"{work.upper()}, 256 bytes, 50 connections: "
                     f"{text}")
            yield (f"{work}-{name}.svg", title, text, BARS +
                   "set logscale y\nset yrange [*:*]\n",
                   bars(run, work, cells, name))


def memory(run):
    most = {size: count for size, count in run.cells("memory")}
    if most:
        cells = {f"{size} bytes": (size, count) for size, count in most.items()}
        yield ("memory.svg", "Memory of a record, by the size of its value",
               "bytes", BARS, bars(run, "memory", cells, "bytes"))


def durable(run):
    cells = {f"{cell[0]} connections, {cell[1]} in flight": cell
             for cell in run.cells("durable")}
    if cells:
        yield ("durable.svg", "Writes a second, each on disk before its reply",
               "writes/s", BARS, bars(run, "durable", cells, "rate"))


def stores(run):
    for work, name, text in (("backup", "took", "Duration of a backup, s"),
                             ("backup", "own_s", "CPU of a backup, s"),
                             ("backup", "max", "Worst write beside it, us"),
                             ("restart", "took", "Restart, s")):
        if run.cells(work):
            yield (f"{work}-{name}.svg",
                   f"{text}: {run.plan.records:,} records", text, BARS,
                   bars(run, work, {"": ()}, name))


def scale(run):
    counts = run.cells("scale")
    labels = dict.fromkeys(label for count in counts
                           for label in run.labels("scale", count))
    series = [(label, [(count, middle(run, "scale", count, label, "cpu"))
                       for count in counts
                       if label in run.labels("scale", count)])
              for label in labels]
    if series:
        yield ("scale.svg", "GET, 64 in flight: CPU by the number of records",
               "CPU of the server, us a request",
               "set logscale x\nset xlabel 'records'\nset format x '10^%T'\n",
               series)


def make(run, directory):
    """The names of the files, and their titles.  Those of earlier runs go."""
    for name in os.listdir(directory):
        if name.endswith(".svg"):
            os.remove(os.path.join(directory, name))
    for family in speed, memory, durable, stores, scale:
        for name, title, ylabel, settings, series in family(run):
            draw(os.path.join(directory, name), title, ylabel, settings,
                 series)
            yield name, title
