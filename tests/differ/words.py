"""words.py: what commands are made of: keys, values, numbers, patterns, times,
all drawn from one seed.  A form of arguments, such as

    "skey value [(EX seconds|NX|XX)+]"

is read once and then makes arguments: a word in lower case is a method of
Words, one in capitals or a number stands for itself; [] may be left out, of ()
one alternative is taken, + repeats.

What is drawn keeps to the limits of fixkv (a key: 1 to 32 bytes without a zero
at its end; a value: at most 256), and each expiry is far away and more than a
minute from each other one, so that it does not matter on which of two servers a
command runs a little later."""
import random
import re

KEY_MAX, VALUE_MAX = 32, 256
INT_MAX = 2 ** 63 - 1
EXPIRY_STEP_S, EXPIRY_LEAST_S, EXPIRY_STEPS = 100, 1000, 49999

KEYS = {
    "s": [b"s1", b"s2", b"s3", b"string:with:32:bytes:__________",
          b"s\x00\xff\r\n", b"12"],
    "l": [b"l1", b"l2", b"l3", b"list 4", b"l*[?", b"l\xc3\xa4nge"],
    "t": [b"t1", b"t2", b"t3", b"{t}4", b"\x00t5", b"t\\6"],
}
ALL_KEYS = [key for keys in KEYS.values() for key in keys]
KNOWN = frozenset(ALL_KEYS)

NUMBERS = [b"0", b"1", b"-1", b"2", b"10", b"99", b"-100", b"1000000",
           b"%d" % INT_MAX, b"%d" % -INT_MAX, b"%d" % (-INT_MAX - 1),
           b"%d" % (INT_MAX - 1), b"4294967296", b"2147483648"]
NO_NUMBERS = [b"", b"abc", b"1.5", b" 1", b"1 ", b"+1", b"-0", b"01",
              b"9223372036854775808", b"-9223372036854775809",
              b"99999999999999999999", b"-", b"\xff\x00\x01", b"3\x00"]
FLOATS = [b"0", b"1.5", b"-0.1", b"0.00000001", b"5.0", b"-7.25",
          b"123456789.123456789", b"10000000000.5", b"3.14159265358979323846",
          b"007", b".5", b"5.", b"+2", b"-123456789012345678"]
# Were one of them a value, APPEND could make a number of 1000 digits of it.
POWERS = [b"3.0e2", b"1e5", b"1e-20", b"1e17", b"0x1F", b"1e80", b"-1e80",
          b"-.5e1", b"1E3", b"0X10"]
NO_FLOATS = [b"", b"abc", b" 1.5", b"1.5 ", b"nan", b"inf", b"-inf", b"1,5",
             b"1.5.2", b"1e", b"Infinity", b"1e5000", b"--1", b"1\x00"]
# Good for keys too.
JUNK = [word for word in NO_NUMBERS if word and word[-1]] + [
    b"-1", b"0", b"%d" % INT_MAX, b"EX", b"NX", b"GET", b"KEEPTTL", b"COUNT",
    b"MATCH", b"nan", b"LEFT", b"x", b"\r\n", b"*", b"'\"", b"LIMIT"]
PATTERNS = [b"*", b"*", b"s*", b"?1", b"[a-s]*", b"[^s]*", b"t[1-2]", b"\\*",
            b"l\\*[[]?", b"l[*", b"", b"*4", b"[z-a]1", b"s\\", b"**1", b"?",
            b"*[0-9]", b"[\\s]1", b"s1", b"nothing*", b"*\xff*", b"[^]", b"[]1"]


class Moment:
    """A time as text, so many milliseconds after a run has begun, which is
    known when it is sent."""

    def __init__(self, delta_ms, unit_ms):
        self.delta_ms = delta_ms
        self.unit_ms = unit_ms

    def text(self, began_ms):
        return b"%d" % ((began_ms + self.delta_ms) // self.unit_ms)


class Words:
    def __init__(self, seed):
        self.source = random.Random(seed)
        self.draw = self.source.random
        self.expiries = int(self.draw() * EXPIRY_STEPS)
        self.favourites = []  # keys that come more often
        self.values = self.make_values()
        self.members = [b"%d" % n for n in range(-20, 60)] + self.values + [
            b"member:%d" % n for n in range(60)]

    def make_values(self):
        """Short and long ones, numbers, text and any bytes."""
        values = NUMBERS + FLOATS + [b"", b"a", b"hello", b"Hello World"] * 3
        values += [b"%d" % self.source.randint(-1000, 1000) for _ in range(30)]
        for size in 44, 45, 20, 21, VALUE_MAX, VALUE_MAX - 1:
            values.append(b"x" * size)
        for _ in range(30):
            values.append(self.source.randbytes(self.source.randint(1, 30)))
        for _ in range(6):
            values.append(self.source.randbytes(
                self.source.randint(1, VALUE_MAX)))
        return values

    def pick(self, values):
        return values[int(self.draw() * len(values))]

    def below(self, bound):
        return int(self.draw() * bound)

    # ---- Keys: of the kind that is asked for, now and then another ----------

    def key(self):
        if self.favourites and self.draw() < 0.6:
            return self.pick(self.favourites)
        return self.pick(ALL_KEYS)

    def of_kind(self, kind):
        if self.draw() < 0.1:
            return self.key()
        return self.pick(KEYS[kind])

    def skey(self):
        return self.of_kind("s")

    def own(self):
        """Of what overwrites anything."""
        if self.draw() < 0.99:
            return self.pick(KEYS["s"])
        return self.key()

    def lkey(self):
        return self.of_kind("l")

    def tkey(self):
        return self.of_kind("t")

    def numbered(self, out):
        """A count of keys, and so many sets."""
        count = 1 + self.below(3)
        said = count if self.draw() < 0.9 else self.below(6) - 1
        out.append(b"%d" % said)
        out.extend(self.tkey() for _ in range(count))

    # ---- Values -------------------------------------------------------------

    def value(self):
        return self.pick(self.values)

    def short(self):
        value = self.pick(self.values)
        return value if len(value) <= 24 else value[:24]

    def member(self):
        return self.pick(self.members)

    element = member

    def number(self):
        if self.draw() < 0.1:
            return self.pick(NO_NUMBERS)
        if self.draw() < 0.2:
            return self.pick(NUMBERS)
        return b"%d" % (self.below(2000) - 1000)

    def integer(self):
        """A value that can be counted, mostly."""
        return self.number() if self.draw() < 0.9 else self.value()

    def float(self):
        if self.draw() < 0.3:
            return self.power()
        return self.pick(NO_FLOATS if self.draw() < 0.2 else FLOATS)

    def power(self):
        return self.pick(POWERS)

    def index(self):
        if self.draw() < 0.04:
            return self.pick(NO_NUMBERS)
        if self.draw() < 0.04:
            return self.pick(NUMBERS)
        return b"%d" % (self.below(60) - 25)

    def limit(self):
        """Of SINTERCARD, where it may stand for a key."""
        return self.pick([b"0", b"1", b"2", b"7", b"1000", b"-1", b"abc",
                          b"1.5", b"01", b"%d" % INT_MAX])

    def cursor(self):
        """redis-server 7.0 takes a NUL for the end of it."""
        return self.number().rstrip(b"\0")

    def rank(self):
        """Of LPOS: redis-server 7.0 negates the least number there is."""
        index = self.index()
        return index if index != b"%d" % (-INT_MAX - 1) else b"-2"

    def far(self):
        """An index near the end of a long list."""
        return b"%d" % (self.below(400) - 60 if self.draw() < 0.7
                        else -1 - self.below(4))

    def count(self):
        if self.draw() < 0.06:
            return self.pick(NO_NUMBERS)
        if self.draw() < 0.08:
            return self.pick(NUMBERS)
        return b"%d" % (self.below(12) - (self.draw() < 0.1))

    def some(self):
        """A count that may be negative, and never costs much."""
        if self.draw() < 0.06:
            return self.pick(NO_NUMBERS)
        return b"%d" % (self.below(60) - 25)

    def pattern(self):
        return self.pick(PATTERNS)

    def names(self):
        """Of commands that both servers have."""
        return self.pick([b"sinter*", b"SINTER*", b"s?Nter", b"\\S\\DIFF*",
                          b"[k-m]set", b"[K-M]SET", b"S[I-K]*[^A-Q]",
                          b"nothing", b""])

    def offset(self):
        """Of SETRANGE, within a value."""
        if self.draw() < 0.06:
            return self.pick([b"-1", b"abc", b"", b"1.5", b"-5"])
        return b"%d" % self.below(40 if self.draw() < 0.8 else 230)

    # ---- Times: past, none, or far away -------------------------------------

    def distance_s(self):
        self.expiries += 1
        return EXPIRY_LEAST_S + EXPIRY_STEP_S * (
            self.expiries * 7919 % EXPIRY_STEPS)

    def time(self, good):
        if self.draw() < 0.2:
            return self.pick(NO_NUMBERS) if self.draw() < 0.4 else self.pick(
                [b"0", b"-1", b"-1000", b"%d" % INT_MAX, b"9223372036854775",
                 b"-9223372036854775", b"%d" % (-INT_MAX - 1)])
        return good

    def seconds(self):
        return self.time(b"%d" % self.distance_s())

    def ms(self):
        return self.time(b"%d" % (self.distance_s() * 1000))

    def moment(self, unit_ms):
        far_ms = self.distance_s() * 1000
        return Moment(-far_ms if self.draw() < 0.1 else far_ms, unit_ms)

    def at(self):
        return self.time(self.moment(1000))

    def at_ms(self):
        return self.time(self.moment(1))

    # ---- Forms --------------------------------------------------------------

    def times(self):
        """How often something is repeated."""
        drawn = self.draw()
        if drawn < 0.6:
            return 1
        if drawn < 0.93:
            return 1 + self.below(5)
        return 6 + self.below(35)

    def form(self, text):
        """A function that appends the form's arguments to a list."""
        tokens = re.findall(r"[()\[\]|+]|[^\s()\[\]|+]+", text)
        made = self.alternatives(tokens)
        assert not tokens, text
        return made

    def alternatives(self, tokens):
        ways = [self.sequence(tokens)]
        while tokens and tokens[0] == "|":
            tokens.pop(0)
            ways.append(self.sequence(tokens))
        if len(ways) == 1:
            return ways[0]
        return lambda out: self.pick(ways)(out)

    def sequence(self, tokens):
        items = []
        while tokens and tokens[0] not in "|)]":
            items.append(self.item(tokens))
        if len(items) == 1:
            return items[0]

        def make(out):
            for item in items:
                item(out)
        return make

    def item(self, tokens):
        token = tokens.pop(0)
        if token in "([":
            made = self.alternatives(tokens)
            tokens.pop(0)
            if token == "[":
                inner = made
                made = lambda out: inner(out) if self.draw() < 0.5 else None
        elif token == "numbered":
            made = self.numbered
        elif token.islower():
            word = getattr(self, token)
            made = lambda out: out.append(word())
        else:
            literal = token.encode()
            made = lambda out: out.append(literal)
        if tokens and tokens[0] == "+":
            tokens.pop(0)
            return self.repeated(made)
        return made

    def repeated(self, item):
        def make(out):
            for _ in range(self.times()):
                item(out)
        return make
