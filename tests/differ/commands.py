"""commands.py: the table of the commands that are compared, and the sequences
that are made of them.  What a sequence is depends on its seed alone, never on
what was answered: so a part of it can be run again.

A step is a tuple (pair, args, command): which of the two pairs of connections
sends it, its arguments (bytes, or Moments), and the row of the table."""
from typing import Callable, NamedTuple, Optional

import judge
import state
from resp import Inline
from words import ALL_KEYS, JUNK, KNOWN, VALUE_MAX, Moment, Words

PAIRS = 2


class Command(NamedTuple):
    name: str
    weight: float
    forms: tuple  # of what follows the name
    same: Optional[Callable] = None  # where replies may differ: judge.py
    instead: Optional[Callable] = None  # where a difference stays
    after: Optional[Callable] = None  # looks further, before the next step
    local: Optional[Callable] = None  # done instead of sending it: state.py
    writes: bool = False  # may make a string longer
    mutable: bool = True  # arguments may be spoilt
    succeeds: bool = True  # mostly


TTL_WAYS = "(EX seconds|PX ms|EXAT at|PXAT at_ms|%s)"
GET_WAYS = TTL_WAYS % "PERSIST"
SET_WAYS = TTL_WAYS % "NX|XX|GET|KEEPTTL"
WHEN = "[(NX|XX|GT|LT)+]"

COMMANDS = [Command(*row[:3], **row[3] if len(row) > 3 else {}) for row in (
    # ---- Strings
    ("SET", 30, ("own value", "own number", "own number", "own (12|-7)",
                 f"own value {SET_WAYS}+",
                 "own value EX seconds (NX|XX|GET)+"), {"writes": True}),
    ("GET", 25, ("skey",)),
    ("GETEX", 6, ("skey", f"skey {GET_WAYS}", f"skey {GET_WAYS}+")),
    ("GETDEL", 3, ("skey",)),
    ("GETSET", 5, ("skey value",), {"writes": True}),
    ("SETNX", 5, ("skey value", "key value"), {"writes": True}),
    ("SETEX", 4, ("own seconds value",), {"writes": True}),
    ("PSETEX", 4, ("own ms value",), {"writes": True}),
    ("MGET", 6, ("key+", "skey+")),
    ("MSET", 3, ("(own value)+", "(own number)+",), {"writes": True}),
    ("MSETNX", 3, ("(skey value)+", "skey value"), {"writes": True}),
    ("APPEND", 8, ("skey short",), {"writes": True}),
    ("STRLEN", 6, ("skey",)),
    ("GETRANGE", 8, ("skey index index",)),
    ("SUBSTR", 2, ("skey index index",)),
    ("SETRANGE", 8, ("skey offset short",), {"writes": True}),
    ("INCR", 10, ("skey",), {"writes": True}),
    ("DECR", 6, ("skey",), {"writes": True}),
    ("INCRBY", 8, ("skey number",) + 4 * ("skey (1|7|-3)",) + (
        "skey (3|power)",), {"writes": True}),
    ("DECRBY", 6, ("skey number",) + 4 * ("skey (1|7|-3)",) + (
        "skey (3|power)",), {"writes": True}),
    ("INCRBYFLOAT", 10, ("skey float",), {"writes": True}),
    # ---- Keys
    ("DEL", 4, ("key", "skey skey")),
    ("UNLINK", 2, ("key", "skey skey")),
    ("EXISTS", 6, ("key+",)),
    ("TOUCH", 3, ("key+",)),
    ("EXPIRE", 6, (f"key seconds {WHEN}",)),
    ("PEXPIRE", 6, (f"key ms {WHEN}",)),
    ("EXPIREAT", 6, (f"key at {WHEN}",)),
    ("PEXPIREAT", 6, (f"key at_ms {WHEN}",)),
    ("TTL", 8, ("key",), {"same": judge.near_s}),
    ("PTTL", 8, ("key",), {"same": judge.near_ms}),
    ("EXPIRETIME", 6, ("key",), {"same": judge.near_s}),
    ("PEXPIRETIME", 6, ("key",), {"same": judge.near_ms}),
    ("PERSIST", 6, ("key",)),
    ("KEYS", 3, ("pattern",), {"same": judge.unordered}),
    ("SCAN", 2, ("0 [MATCH pattern] [COUNT count] [TYPE (STRING|LIST|SET)]",
                 "0 (MATCH pattern|COUNT count|TYPE FOO)+", "0", "cursor"),
     {"same": judge.page, "after": judge.scan_all}),
    ("RANDOMKEY", 1, ("",), {"same": judge.some_key,
                             "after": judge.key_of_both}),
    ("RENAME", 2, ("skey skey", "lkey lkey", "tkey tkey", "key skey"),
     {"writes": True}),
    ("RENAMENX", 2, ("skey skey", "lkey lkey", "tkey tkey", "key skey"),
     {"writes": True}),
    ("COPY", 4, ("(skey skey|lkey lkey|tkey tkey) [REPLACE]",
                 "key skey (DB 0|REPLACE)+"), {"writes": True}),
    ("TYPE", 8, ("key",)),
    ("OBJECT", 6, ("ENCODING key",) * 9 + ("FREQ key", "NOSUCH key"),
     {"same": judge.family}),
    ("DBSIZE", 2, ("",), {"same": judge.no_fewer, "after": judge.settled}),
    ("FLUSHALL", 0.15, ("[(ASYNC|SYNC)]",)),
    ("FLUSHDB", 0.15, ("[(ASYNC|SYNC)]",)),
    # ---- Lists
    ("LPUSH", 14, ("lkey element+",)),
    ("RPUSH", 14, ("lkey element+",)),
    ("LPUSHX", 4, ("lkey element+",)),
    ("RPUSHX", 4, ("lkey element+",)),
    ("LPOP", 8, ("lkey", "lkey count")),
    ("RPOP", 8, ("lkey", "lkey count")),
    ("LLEN", 6, ("lkey",)),
    ("LRANGE", 8, ("lkey index index", "lkey far far", "lkey 0 -1")),
    ("LINDEX", 8, ("lkey index", "lkey far")),
    ("LSET", 8, ("lkey (0|-1) element", "lkey (0|-1) element",
                 "lkey (0|1|-2) element", "lkey index element")),
    ("LINSERT", 8, ("lkey (BEFORE|AFTER) element element",)),
    ("LREM", 8, ("lkey count element", "lkey (0|-1|1) element")),
    ("LTRIM", 3, ("lkey index index", "lkey (0|1|2) far", "lkey far -1")),
    ("LPOS", 10, ("lkey element",
                  "lkey element [RANK rank] [COUNT count] [MAXLEN count]",
                  "lkey element (RANK rank|COUNT count|MAXLEN count)+")),
    ("LMOVE", 8, ("lkey lkey (LEFT|RIGHT) (LEFT|RIGHT)",)),
    ("RPOPLPUSH", 6, ("lkey lkey",)),
    # ---- Sets
    ("SADD", 30, ("tkey member+",)),
    ("SREM", 10, ("tkey member+",)),
    ("SISMEMBER", 8, ("tkey member",)),
    ("SMISMEMBER", 6, ("tkey member+",)),
    ("SMEMBERS", 5, ("tkey",), {"same": judge.unordered}),
    ("SCARD", 6, ("tkey",)),
    ("SPOP", 2, ("tkey", "tkey count"),
     {"same": judge.same_size, "after": judge.make_equal}),
    ("SRANDMEMBER", 2, ("tkey", "tkey some", "tkey 9223372036854775807",
                        "tkey some"),
     {"same": judge.same_size, "after": judge.members}),
    ("SSCAN", 2, ("tkey 0 [MATCH pattern] [COUNT count]", "tkey 0",
                  "tkey cursor"),
     {"same": judge.page, "after": judge.scan_all}),
    ("SMOVE", 8, ("tkey tkey member",)),
    ("SINTER", 4, ("tkey+",), {"same": judge.unordered}),
    ("SUNION", 3, ("tkey+",), {"same": judge.unordered}),
    ("SDIFF", 4, ("tkey+",), {"same": judge.unordered}),
    ("SINTERSTORE", 4, ("tkey tkey+",)),
    ("SUNIONSTORE", 4, ("tkey tkey+",)),
    ("SDIFFSTORE", 4, ("tkey tkey+",)),
    ("SINTERCARD", 6, ("numbered", "numbered", "numbered LIMIT limit",
                       "numbered (LIMIT limit|LIMIT|key)")),
    # ---- Transactions: most of them are made by Sequence
    ("MULTI", 3, ("",)),
    ("EXEC", 3, ("",), {"same": judge.same_each, "after": judge.after_each,
                        "instead": judge.came_and_went, "mutable": False,
                        "succeeds": False}),
    ("DISCARD", 1, ("",), {"mutable": False, "succeeds": False}),
    ("WATCH", 3, ("key+",), {"after": judge.watched}),
    ("UNWATCH", 1, ("",)),
    # ---- Connections
    ("PING", 4, ("", "value")),
    ("ECHO", 4, ("value",)),
    ("SELECT", 2, ("0", "0", "0", "X")),
    ("HELLO", 1, ("2", "3", "3 SETNAME member", "", "(4|1|X)", "3 SETNAME"),
     {"same": judge.greeting}),
    ("CLIENT", 3, ("SETNAME element", "GETNAME", "ID", "ID",
                   "NOSUCH", "GETNAME key"),
     {"same": judge.client_id}),
    ("COMMAND", 2, ("GETKEYS GET skey", "GETKEYS MSET (key value)+",
                    "GETKEYS SINTERCARD numbered", "GETKEYS COPY key key",
                    "GETKEYS (PING|NOSUCH|GET) [value]", "INFO NOSUCH+",
                    "LIST FILTERBY PATTERN names", "LIST FILTERBY names",
                    "NOSUCH [value]", "COUNT value", "HELP value", "GETKEYS"),
     {"same": judge.unordered, "mutable": False}),
    ("TIME", 1, ("",), {"same": judge.two_numbers}),
    ("QUIT", 0.3, ("",), {"after": judge.both_closed, "mutable": False}),
    ("RESET", 0.3, ("",), {"mutable": False}),
    # ---- What there is not
    ("NOSUCH", 1, ("", "value+"), {"succeeds": False}),
    ("GETT", 1, ("skey", "skey value+"), {"succeeds": False}),
    ("NAME" * 50, 0.3, ("", "value+"), {"succeeds": False}),
    ("set\r\nx", 0.3, ("value",), {"succeeds": False}),
)]
BY_NAME = {command.name: command for command in COMMANDS}
EXACT = {name: BY_NAME[name]._replace(same=None)
         for name in ("OBJECT", "PEXPIRETIME", "EXPIRETIME")}
# Amid what is sent at once: only where nobody can touch the keys before EXEC.
WATCH_AMID = BY_NAME["WATCH"]._replace(after=None)
UNQUEUED = {line.split()[0]
            for line in judge.UNQUEUED.replace(";", "\n").split("\n")}
# Not in every third round, so that collections grow to hundreds.
DESTROYERS = {"DEL", "UNLINK", "FLUSHALL", "FLUSHDB", "LTRIM", "LPOP", "RPOP",
              "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "RENAME", "SPOP",
              "COPY", "SINTERSTORE", "SDIFFSTORE", "LREM"}
LIKINGS = (0, 0.2, 1, 1, 3)
# What is done instead of sending something.
WAIT = Command("(wait)", 0, (), local=state.wait)
COMPARE = Command("(compare)", 0, (), local=state.compare)
RESTART = Command("(restart)", 0, (), local=state.restart)
# Commands with which all that there is can be seen.
STATE = ("KEYS", "TYPE", "PTTL", "GET", "LRANGE", "SMEMBERS")
# Those that end a transaction, or may not be in one that goes on.
ENDS = {"EXEC", "DISCARD", "QUIT", "RESET"}
# Those that make a string as long as it is by then, or longer.
LENGTHENING = {"APPEND", "RENAME", "RENAMENX", "COPY"}
# Those that, unless they fail, end what is watched.
UNWATCHING = ENDS | {"UNWATCH"}


class Sequence:
    """The steps of a round."""

    def __init__(self, seed, only=()):
        """only: names of commands; none: all there are."""
        self.only = only
        self.words = Words(seed)
        self.draw = self.words.draw
        self.makers = {command.name: [self.words.form(form)
                                      for form in command.forms]
                       for command in COMMANDS}
        self.table = []  # rows by weight, each round with other ones
        for command in COMMANDS:
            weight = command.weight * self.words.pick(LIKINGS)
            if seed % 3 == 0 and command.name in DESTROYERS:
                weight = 0
            if only:
                weight = command.weight if command.name in only else 0
            self.table += [command] * round(weight * 8)
        self.lengths = {}  # of strings, at the most
        self.seed = seed
        self.pair = 0
        self.in_multi = [False] * PAIRS
        self.lengthening = [False] * PAIRS  # is queued

    def steps(self, count):
        """At least so many, and a look at what there is in the end."""
        made = []
        if self.there_are("HELLO"):
            made.append((self.seed % PAIRS, [b"HELLO", b"3"],
                         BY_NAME["HELLO"]))
        while len(made) < count:
            made.extend(self.next())
        made.extend(self.compared())
        return made

    def there_are(self, *names):
        return not self.only or set(names) <= set(self.only)

    def next(self):
        drawn = self.draw()
        for way, likely, needs in (
                (self.restarted, 0.0001, STATE),
                (self.compared, 0.0004, STATE),
                (self.watched, 0.0035, ("WATCH", "MULTI", "EXEC")),
                (self.expiring, 0.0008, ("PEXPIRE", "SET", "GETEX",
                                         "PSETEX")),
                (self.exactly, 0.0032, ("SET", "OBJECT", "PEXPIREAT", "GETDEL",
                                        "PEXPIRETIME", "EXPIRETIME",
                                        "INCRBYFLOAT")),
                (self.other_pair, 0.008, ()),
                (self.transaction, 0.008, ("MULTI", "EXEC"))):
            drawn -= likely
            if drawn < 0:
                return way() if self.there_are(*needs) else ()
        return self.one()

    def restarted(self):
        self.in_multi = [False] * PAIRS
        self.lengthening = [False] * PAIRS
        yield self.pair, [self.words.pick([b"kill", b"stop"])], RESTART

    def compared(self):
        if self.there_are(*STATE):
            yield self.pair, [], COMPARE

    def other_pair(self):
        self.pair = self.words.below(PAIRS)
        return ()

    # ---- One command --------------------------------------------------------

    def one(self, command=None):
        """A command, and what has to come before it or after it."""
        command = command or self.words.pick(self.table)
        if self.in_multi[self.pair] and command.name in UNQUEUED:
            return
        if command.writes and self.lengthening[1 - self.pair]:
            return  # nobody knows the lengths that it would start from
        args = [command.name.encode()]
        self.words.pick(self.makers[command.name])(args)
        if command.mutable:
            args = self.spoilt(args)
        multi = self.in_multi[self.pair]
        if command.writes and not self.fits(args):
            if any(self.in_multi):  # what is queued may yet make it longer
                return
            yield self.step("SET", args[1], self.words.short())
            self.lengths[args[1]] = 24
        if command.writes:
            self.follow(args)
            self.lengthening[self.pair] |= multi and (
                command.name in LENGTHENING)
        if command.name == "DBSIZE" and self.there_are("EXISTS"):
            # What has expired is then gone, and not counted.
            yield self.step("EXISTS", *ALL_KEYS)
        if self.draw() < 0.02:
            args = Inline(args)
        yield self.pair, args, command
        if len(args) == 1 and command.name == "MULTI":
            self.in_multi[self.pair] = True
        elif command.name in ENDS:
            self.in_multi[self.pair] = False
            self.lengthening[self.pair] = False
        elif command.name == "SPOP" and multi:
            yield from self.one(BY_NAME["EXEC"])

    def step(self, name, *args, exactly=False):
        command = EXACT[name] if exactly else BY_NAME[name]
        return self.pair, [name.encode(), *args], command

    def spoilt(self, args):
        """Now and then: too few, too many, wrong ones; another case."""
        drawn = self.draw()
        if drawn < 0.90:
            return args
        if drawn < 0.94:
            args[0] = b"".join(
                bytes([byte]).lower() if self.draw() < 0.5
                else bytes([byte]) for byte in args[0])
        elif drawn < 0.955 and len(args) > 1:
            args.pop()
        elif drawn < 0.97:
            args.append(self.words.pick(JUNK))
        elif drawn < 0.99 and len(args) > 2 and args[0] != b"SETRANGE":
            at = 2 + self.words.below(len(args) - 2)
            args[at] = self.words.pick(JUNK)
        elif len(args) > 2 and args[-1] not in KNOWN and (
                args[0] != b"SINTERCARD"):
            args[-1] = b""
        return args

    # ---- How long strings are, at the most ----------------------------------

    def fits(self, args):
        name = args[0].upper()
        if len(args) < 3 or name not in (b"APPEND", b"SETRANGE"):
            return True
        if name == b"APPEND":
            return self.lengths.get(args[1], 0) + len(args[2]) <= VALUE_MAX
        return True

    def follow(self, args):
        """What a command that may write strings makes of their lengths."""
        name = args[0].upper()
        if name == b"APPEND" and len(args) > 2:
            self.lengths[args[1]] = self.lengths.get(args[1], 0) + len(args[2])
            return
        if name == b"SET" and len(args) == 3 and not any(self.in_multi):
            self.lengths[args[1]] = len(args[2])
            return
        most = max(len(arg) for arg in args if isinstance(arg, bytes))
        if name == b"SETRANGE":
            most = VALUE_MAX
        elif name == b"INCRBYFLOAT":
            most = max(most, 130)
        named = [arg for arg in args if arg in KNOWN]
        most = max([most] + [self.lengths.get(key, 0) for key in named])
        for key in named:
            self.lengths[key] = most

    # ---- Several commands that belong together ------------------------------

    def some(self, most):
        for _ in range(self.words.below(most + 1)):
            yield from self.one()

    def transaction(self):
        if not self.there_are("MULTI", "EXEC", "DISCARD"):
            return
        yield from self.one(BY_NAME["MULTI"])
        yield from self.some(8)
        yield from self.one(BY_NAME["EXEC" if self.draw() < 0.9
                                    else "DISCARD"])

    def watched(self):
        """Keys are watched, perhaps touched, here or by the other pair."""
        keys = [self.words.key() for _ in range(1 + self.words.below(3))]
        self.words.favourites = keys
        if self.draw() < 0.2:
            yield self.pair, [b"WATCH", *keys], WATCH_AMID
            yield self.step("MULTI")
            self.in_multi[self.pair] = True
            yield from self.some(8)
            yield from self.one(BY_NAME["EXEC"])
            self.words.favourites = []
            return
        yield self.step("WATCH", *keys)
        if self.draw() < 0.2:
            yield from self.some(2)
        if self.draw() < 0.6:
            self.pair = 1 - self.pair
            yield from self.some(3)
            if self.draw() < 0.3 and self.there_are("SETNX", "GETDEL"):
                yield self.step("SETNX", keys[0], b"come")
                yield self.step("GETDEL", keys[0])
            self.pair = 1 - self.pair
        if self.draw() < 0.1:
            yield from self.one(BY_NAME["UNWATCH"])
        yield from self.transaction()
        self.words.favourites = []

    def expiring(self):
        """Keys get a few milliseconds to live, each in one of the ways; then
        they are over.  Nothing runs in between, but a WATCH before."""
        if self.in_multi[self.pair]:
            return
        keys = self.words.source.sample(ALL_KEYS, 1 + self.words.below(4))
        longest = 0
        if self.draw() < 0.3 and self.there_are("WATCH"):
            yield self.step("WATCH", *keys[:2])
        for key in keys:
            ms = 1 + self.words.below(20)
            longest = max(longest, ms)
            value = self.words.short()
            yield self.words.pick([
                self.step("PEXPIRE", key, b"%d" % ms),
                self.step("SET", key, value, b"PX", b"%d" % ms),
                self.step("GETEX", key, b"PX", b"%d" % ms),
                self.step("PSETEX", key, b"%d" % ms, value)])
        yield self.pair, [b"%d" % longest], WAIT
        self.words.favourites = keys
        if self.draw() < 0.3:
            yield from self.transaction()
        yield from self.some(4)
        self.words.favourites = []

    def exactly(self):
        """What is only comparable right after what made it so."""
        key, value = self.words.skey(), self.words.value()
        drawn = self.draw()
        if drawn < 0.3 and not any(self.in_multi):
            self.lengths[key] = VALUE_MAX
            yield self.step("SET", key, value)
            yield self.step("OBJECT", b"ENCODING", key, exactly=True)
            return
        if drawn < 0.6 and not self.in_multi[self.pair]:
            yield self.step("SET", key, self.words.power())
            yield self.step("INCRBYFLOAT", key, self.words.float())
            yield self.step("GETDEL", key)
            return
        key = self.words.key()
        delta_ms = self.words.distance_s() * 1000 + self.words.below(1000)
        when = Moment(delta_ms, 1)
        yield self.step("PEXPIREAT", key, when)
        yield self.step("PEXPIREAT", key, when,
                        self.words.pick([b"GT", b"LT", b"XX", b"NX"]))
        yield self.step("PEXPIRETIME", key, exactly=True)
        yield self.step("EXPIRETIME", key, exactly=True)
