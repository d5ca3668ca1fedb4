"""limits.py: fixkv's own limits, which redis-server does not have and the
sequences keep to: what is beyond them is refused with one error that names the
limit and what was met; nothing has changed then, and the connection goes on.
So it is with what fixkv does not queue within MULTI; EXEC is aborted then."""
import re

import judge
import resp

KEY_MAX, VALUE_MAX = 32, 256
SHOWN_MAX = 20
UNQUEUED = b"-ERR Command not allowed inside a transaction\r\n"
ABORTED = b"-EXECABORT "
LONG_KEY = b"k" * (KEY_MAX + 1)
LONG = b"v" * (VALUE_MAX + 1)
FULL = b"v" * VALUE_MAX

# Commands in which a key stands at K, and nothing else is wrong.
KEYED = """GET K; SET K v; GETEX K; GETDEL K; GETSET K v; SETNX K v
SETEX K 100 v; PSETEX K 100000 v; MGET s K; MSET s v K v; MSETNX new v K v
APPEND K v; STRLEN K; GETRANGE K 0 1; SUBSTR K 0 1; SETRANGE K 0 v; INCR K
DECR K; INCRBY K 1; DECRBY K 1; INCRBYFLOAT K 1; DEL s K; UNLINK s K; EXISTS K
TOUCH K; EXPIRE K 100; PEXPIRE K 100000; TTL K; PTTL K; EXPIRETIME K
PEXPIRETIME K; PERSIST K; RENAME s K; RENAMENX s K; COPY s K; TYPE K
OBJECT ENCODING K; LPUSH K v; RPUSH K v; LPUSHX K v; RPUSHX K v; LPOP K; RPOP K
LLEN K; LRANGE K 0 -1; LINDEX K 0; LSET K 0 v; LINSERT K BEFORE v v
LREM K 0 v; LTRIM K 0 1; LPOS K v; LMOVE l K LEFT LEFT; RPOPLPUSH l K; SADD K v
SREM K v; SISMEMBER K v; SMISMEMBER K v; SMEMBERS K; SCARD K; SPOP K
SRANDMEMBER K; SSCAN K 0; SMOVE t K m; SINTER t K; SUNION t K; SDIFF t K
SINTERSTORE K t; SUNIONSTORE K t; SDIFFSTORE K t; SINTERCARD 2 t K; WATCH K"""

# Commands in which a value V is too long.
VALUED = """SET new V; SET s V XX; GETSET s V; SETNX new V; SETEX new 100 V
PSETEX new 100000 V; MSET new v s V; MSETNX new v other V; LPUSH l v V
RPUSH new V; LPUSHX l V; RPUSHX l V; LSET l 0 V; LINSERT l BEFORE e V
SADD t v V; SADD new V"""

# What would make a value too long: the command, and how long it would be.
GROWING = [
    ([b"APPEND", b"full", b"v"], 257),
    ([b"APPEND", b"s", FULL], 257),
    ([b"SETRANGE", b"s", b"256", b"v"], 257),
    ([b"SETRANGE", b"new", b"250", b"1234567"], 257),
    ([b"SETRANGE", b"s", b"536870911", b"v"], 536870912),
    ([b"INCRBYFLOAT", b"new", b"1e300"], 301),
]
STATE = [[b"DBSIZE"], [b"GET", b"s"], [b"GET", b"full"],
         [b"LRANGE", b"l", b"0", b"-1"], [b"SMEMBERS", b"t"],
         [b"TTL", b"s"], [b"CLIENT", b"GETNAME"]]


def lines(text, mark, value):
    for line in re.split(r"[;\n]", text):
        yield [value if word == mark else word.encode()
               for word in line.split()]


def checks():
    """A command, and the numbers that its error has to name."""
    for args in lines(KEYED, "K", LONG_KEY):
        yield args, (KEY_MAX, len(LONG_KEY))
    for key in b"", b"ends with\0":
        for args in lines(KEYED, "K", key):
            yield args, ()
    for args in lines(VALUED, "V", LONG):
        yield args, (VALUE_MAX, len(LONG))
    for args, size in GROWING:
        yield args, (VALUE_MAX, size)
    yield [b"SELECT", b"1"], ()


def check(row, session):
    """Of the right one of the servers."""
    session.fresh()
    for args in ([b"SET", b"s", b"v"], [b"SET", b"full", FULL],
                 [b"RPUSH", b"l", b"e"], [b"SADD", b"t", b"m"],
                 [b"CLIENT", b"SETNAME", b"n"]):
        session.ask_one(1, args)
    check_limits(row, session)
    check_unqueued(row, session)


def check_unqueued(row, session):
    before = [session.ask_one(1, args) for args in STATE]
    wrong = []
    count = 0
    for args in lines(judge.UNQUEUED, None, None):
        count += 1
        session.ask_raw(1, [b"MULTI"])
        session.ask_raw(1, [b"SET", b"s", b"other"])
        refused = session.ask_raw(1, args)
        executed = session.ask_raw(1, [b"EXEC"])
        if refused != UNQUEUED or not executed.startswith(ABORTED) or (
                [session.ask_one(1, args) for args in STATE] != before):
            wrong.append((args, refused, executed))
    row.result(not wrong, f"{count} commands about the connection or the "
               "server are refused within MULTI, and EXEC is aborted", wrong)


def check_limits(row, session):
    before = [session.ask_one(1, args) for args in STATE]
    wrong = []
    count = 0
    for args, numbers in checks():
        count += 1
        raw = session.ask_raw(1, args)
        found = set(map(int, re.findall(rb"\d+", raw)))
        after = [session.ask_one(1, args) for args in STATE]
        if not raw.startswith(b"-ERR ") or not found.issuperset(numbers):
            wrong.append((args, resp.shown(raw)))
        elif after != before:
            wrong.append((args, "has changed something"))
            before = after
    for args, raw in wrong[:SHOWN_MAX]:
        print("   ", *map(resp.quoted, args), "->", raw)
    row.result(not wrong, f"{count} commands beyond fixkv's limits are refused",
               f"{len(wrong)} are not, or say it wrongly")
