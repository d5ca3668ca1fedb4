#!/usr/bin/env python3
"""transfer_records.py COMMAND ...: random records for tests/transfer-test, and
a second opinion: it speaks to the server by a socket of its own, and reads and
writes files with Python's json and csv.

    put SEED COUNT              puts them into the server at KV_PORT
    check SEED COUNT            the server has them, and nothing else
    write FILE SEED COUNT KIND  writes them (KIND: see below)
    file FILE SEED COUNT        the file has them, each once, and nothing else
    toggle SEED                 changes records until standard input ends
    toggled FILE...             each record of the files is whole
    hold                        keeps the only connection, until the server has
                                turned another one away
    terminal COLUMNS COMMAND... runs it on a terminal; prints what came there

The same seed and count make the same records.  An expiry is compared to three
minutes: the time between two commands of a test."""
import base64
import csv
import fcntl
import json
import os
import pty
import random
import select
import socket
import struct
import sys
import termios
import time

PUT, GET, EXPIRE, TTL, PING, STATS, COUNT = 1, 2, 5, 6, 12, 13, 14
LINKED = 0x80
SUCCESS = 0
MESSAGE = struct.Struct("<BBH32s256s")
BATCH = 500
HOUR_MS = 3600 * 1000
TOLERANCE_MS = 180 * 1000
TOGGLED = 200
MORE = 200000
COLUMNS = ["key", "value", "expire_at_ms", "key_base64", "value_base64"]


def now_ms():
    return time.time_ns() // 1000000


class Server:
    """One connection."""

    def __init__(self):
        self.socket = socket.create_connection(
            ("127.0.0.1", int(os.environ["KV_PORT"])), 60)
        self.stream = self.socket.makefile("rb")

    def ask(self, requests):
        """A list of (type, key, value); returns that of (status, value)."""
        self.socket.sendall(b"".join(
            MESSAGE.pack(kind, 0, len(value), key, value)
            for kind, key, value in requests))
        replies = []
        for kind, key, _ in requests:
            reply = MESSAGE.unpack(self.stream.read(MESSAGE.size))
            assert reply[0] == kind and reply[3] == key.ljust(32, b"\0")
            replies.append((reply[1], reply[4][:reply[2]]))
        return replies


def draw_bytes(numbers, least, most):
    """Text, text with what formats treat apart, or any bytes."""
    size = numbers.randint(least, most)
    kind = numbers.randrange(3)
    if kind == 0:
        return numbers.randbytes(size)
    letters = "abcXYZ09 é€😀"
    if kind == 2:
        letters += "\"\\/,;'\r\n\t\x01\x7f"
    text = b""
    while len(text) < size:
        text += numbers.choice(letters).encode()
    return text if len(text) <= most else text[:size // 4 * 4 or 1]


def draw_records(seed, count):
    """{key: (value, milliseconds to live or None)}"""
    numbers = random.Random(int(seed))
    records = {}
    while len(records) < int(count):
        key = draw_bytes(numbers, 1, 32).rstrip(b"\0")
        if key:
            ttl = None
            if numbers.randrange(3) == 0:
                ttl = numbers.randint(HOUR_MS, 20000 * HOUR_MS)
            records[key] = (draw_bytes(numbers, 0, 256), ttl)
    return records


def put_requests(key, value, ttl):
    if ttl is None:
        return [(PUT, key, value)]
    return [(PUT | LINKED, key, value), (EXPIRE, key, str(ttl).encode())]


def batches(items):
    items = list(items)
    return (items[at:at + BATCH] for at in range(0, len(items), BATCH))


def put(seed, count):
    server = Server()
    for batch in batches(draw_records(seed, count).items()):
        requests = []
        for key, (value, ttl) in batch:
            requests += put_requests(key, value, ttl)
        assert {reply[0] for reply in server.ask(requests)} == {SUCCESS}


def same_time(left_ms, ttl):
    if left_ms is None or ttl is None:
        return left_ms is None and ttl is None
    return -TOLERANCE_MS <= left_ms - ttl <= 1000


def check(seed, count):
    server = Server()
    records = draw_records(seed, count)
    for batch in batches(records.items()):
        requests = []
        for key, _ in batch:
            requests += [(GET, key, b""), (TTL, key, b"")]
        replies = server.ask(requests)
        for i, (key, (value, ttl)) in enumerate(batch):
            left = replies[2 * i + 1]
            assert replies[2 * i] == (SUCCESS, value), (key, value)
            left_ms = None if left[1] == b"-1" else int(left[1])
            assert same_time(left_ms, ttl), (key, left_ms, ttl)
    status, found = server.ask([(COUNT, b"", b"")])[0]
    assert int(found) == len(records), (found, len(records))


def is_text(data):
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def to_row(key, value, ttl):
    """Members of an object, or columns."""
    row = {}
    for name, data in (("key", key), ("value", value)):
        if is_text(data):
            row[name] = data.decode()
        else:
            row[name + "_base64"] = base64.b64encode(data).decode()
    if ttl is not None:
        row["expire_at_ms"] = now_ms() + ttl
    return row


def write(path, seed, count, kind):
    rows = [to_row(key, *record)
            for key, record in draw_records(seed, count).items()]
    with open(path, "w", encoding="utf-8", newline="") as file:
        if kind.startswith("json"):
            for i, row in enumerate(rows):
                plain = kind == "json-plain"
                members = sorted(row.items(), reverse=i % 2 == 1)
                json.dump(dict(members), file, ensure_ascii=not plain,
                          separators=None if plain else (",", ":"))
                file.write("\n")
            return
        quoting = csv.QUOTE_ALL if kind == "csv-quoted" else csv.QUOTE_MINIMAL
        names = COLUMNS if kind == "csv" else COLUMNS[::-1]
        writer = csv.DictWriter(file, names, quoting=quoting)
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                assert reader.fieldnames == COLUMNS and None not in row
                # Of a text column and its other one, both may be empty.
                yield {name: text for name, text in row.items()
                       if text != "" or name == "value" and
                       row["value_base64"] == ""}
            return
        for line in file:
            yield json.loads(line)


def bytes_of(row, name):
    assert (name in row) != (name + "_base64" in row), row
    if name in row:
        assert "\0" not in row[name]
        return row[name].encode()
    data = base64.b64decode(row[name + "_base64"], validate=True)
    assert not is_text(data), row
    return data


def check_file(path, seed, count):
    records = draw_records(seed, count)
    for row in read_rows(path):
        value, ttl = records.pop(bytes_of(row, "key"))
        assert bytes_of(row, "value") == value, row
        at_ms = row.get("expire_at_ms")
        left_ms = None if at_ms is None else int(at_ms) - now_ms()
        assert same_time(left_ms, ttl), (row, ttl)
    assert not records, len(records)


def toggle(seed):
    """Each record has one of two values, and an expiry with one of them; and
    others come and go, so that the table grows."""
    server = Server()
    numbers = random.Random(int(seed))
    added = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        requests = []
        for _ in range(BATCH // 2):
            key = b"toggle-%d" % numbers.randrange(TOGGLED)
            mortal = numbers.randrange(2) == 0
            requests += put_requests(key, b"mortal" if mortal else b"immortal",
                                     HOUR_MS if mortal else None)
            requests += put_requests(b"more-%d" % (added % MORE), b"",
                                     None)
            added += 1
        assert {reply[0] for reply in server.ask(requests)} == {SUCCESS}


def toggled(*paths):
    for path in paths:
        rows = [row for row in read_rows(path)
                if row["key"].startswith("toggle-")]
        for row in rows:
            assert (row["value"] == "mortal") == ("expire_at_ms" in row), row
        assert len({row["key"] for row in rows}) == len(rows) == TOGGLED


def hold():
    server = Server()
    held = server.ask([(PING, b"", b"")])
    print(held[0][0], flush=True)
    name = b"connections_refused".ljust(32, b"\0")
    refused = 0
    while refused == 0:
        server.socket.sendall(MESSAGE.pack(STATS, 0, 0, b"", b""))
        status = SUCCESS
        while status == SUCCESS:
            reply = MESSAGE.unpack(server.stream.read(MESSAGE.size))
            status = reply[1]
            if reply[3] == name:
                refused = int(reply[4][:reply[2]])


def terminal(columns, *command):
    """Standard error is the terminal, standard output is not."""
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", 24, int(columns), 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    child = os.fork()
    if child == 0:
        os.dup2(theirs, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.close(theirs)
        os.close(ours)
        os.environ["TERM"] = "xterm"
        os.execv(command[0], command)
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # EIO: nobody has the other end any more
            break
        text += part
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.buffer.write(text)
    sys.exit(status)


if __name__ == "__main__":
    commands = {"put": put, "check": check, "write": write,
                "file": check_file, "toggle": toggle, "toggled": toggled,
                "hold": hold, "terminal": terminal}
    commands[sys.argv[1]](*sys.argv[2:])
