"""resp.py: RESP2 and RESP3 as a client sees them: requests are made, replies
are found in a stream, read into values and shown.  Nothing here knows of a
command.

A reply that was read is a pair (kind, value): the first byte of the reply, and
bytes, None or, for arrays, sets, maps and pushes, a list of pairs."""

BULK, VERBATIM, ARRAY, SET, MAP, PUSH = b"$", b"=", b"*", b"~", b"%", b">"
BULKS = b"$=!"
LISTS = b"*~>"


class Broken(Exception):
    """What came is no reply."""


class Inline(list):
    """Arguments that are sent on one line, as people do."""


def request(args):
    if isinstance(args, Inline):
        return " ".join(map(quoted, args)).encode() + b"\r\n"
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        parts.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(parts)


def end_of(data, at):
    """Where the reply that begins there ends; -1: it is not all there."""
    missing = 1
    while missing:
        line = data.find(b"\r\n", at)
        if line < 0:
            return -1
        kind = data[at]
        missing -= 1
        if kind in BULKS:
            size = int(data[at + 1:line])
            at = line + 2 if size < 0 else line + 4 + size
            if at > len(data):
                return -1
            continue
        if kind in LISTS:
            missing += max(0, int(data[at + 1:line]))
        elif kind == MAP[0]:
            missing += 2 * int(data[at + 1:line])
        elif kind not in b"+-:_#,(":
            raise Broken(f"not a reply: {bytes(data[at:at + 80])!r}")
        at = line + 2
    return at


def read(data):
    """The value of one whole reply."""
    value, _ = read_at(data, 0)
    return value


def read_at(data, at):
    line = data.find(b"\r\n", at)
    kind, text = data[at:at + 1], data[at + 1:line]
    at = line + 2
    if kind in b"$=!":
        size = int(text)
        if size < 0:
            return (kind, None), at
        return (kind, data[at:at + size]), at + size + 2
    if kind not in b"*~>%":
        return (kind, text), at
    if text == b"-1":
        return (kind, None), at
    values = []
    for _ in range(int(text) * (2 if kind == MAP else 1)):
        value, at = read_at(data, at)
        values.append(value)
    return (kind, values), at


def quoted(data):
    """As redis-cli and fixkv's inline form take it."""
    plain = all(33 <= byte < 127 and byte not in b"\"'\\" for byte in data)
    if plain and data:
        return data.decode()
    text = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"\"\\"
                   else f"\\x{byte:02x}" for byte in data)
    return f'"{text}"'


def shown(raw, limit=400):
    """A reply on one line."""
    text = raw.decode("latin-1").encode("unicode_escape").decode()
    return text if len(text) <= limit else \
        f"{text[:limit]}... ({len(raw)} bytes)"
