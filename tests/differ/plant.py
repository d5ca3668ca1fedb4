"""plant.py: replies that are spoilt, to see whether that is found."""
import resp
import judge

# Replies of which nearly all is a server's own.
LENIENT = (judge.two_numbers, judge.client_id, judge.greeting)
STRANGER = b"$8\r\nstranger\r\n"  # where any member will do
MUCH = 10 ** 8  # more than the clocks of two servers may be apart


class Planter:
    def __init__(self, every):
        self.every = every
        self.seen = 0
        self.spoilt = []  # steps

    def spoil(self, step, raw):
        self.seen += 1
        if self.seen < self.every or step[2].same in LENIENT:
            return raw
        changed = self.changed(raw)
        if raw[:1] == b"$" and step[2].after:
            changed = STRANGER
        if changed == raw:
            return raw
        self.seen = 0
        self.spoilt.append(step)
        return changed

    def changed(self, raw):
        """In one of the ways in which a server may be wrong."""
        kind = raw[:1]
        if kind == b":":
            return b":%d\r\n" % (int(raw[1:]) + MUCH)
        if kind == b"-":
            return raw[:-3] + b"\r\n"
        if kind == b"_" or raw in (b"$-1\r\n", b"*-1\r\n"):
            return b"$0\r\n\r\n"
        if kind == b"$":
            return b"$-1\r\n"
        if kind in b"*~":
            return self.shorter(raw)
        return b"-ERR" + raw[1:]

    @staticmethod
    def shorter(raw):
        """A list without its last element, if all of them are bulks."""
        head = raw.index(b"\r\n") + 2
        ends = [head]
        while ends[-1] < len(raw):
            if raw[ends[-1]] not in resp.BULKS + b":_":
                return raw
            ends.append(resp.end_of(raw, ends[-1]))
        if len(ends) == 1:
            return raw
        return raw[:1] + b"%d\r\n" % (len(ends) - 2) + raw[head:ends[-2]]
