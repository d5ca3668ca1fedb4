"""python.py: the methods of python3-redis.  What the environment tells:
tests/clients/run.
"""
import asyncio
import os
import sys
import threading

import redis
import redis.asyncio

PORT = int(os.environ["KV_PORT"])
PASSWORD = os.environ.get("KV_PASSWORD") or None
LIMITED = os.environ.get("KV_LIMITS") == "1"
FAR = 33177117420

# EXPRESSION => WHAT IT IS; "raises TEXT": an error with that text.
METHODS = """
r.flushall() => True
r.ping() => True
r.echo("a b") => "a b"
r.client_setname("matrix") => True
r.client_getname() => "matrix"
r.client_id() > 0 => True
r.select(0) => True
type(r.info()["redis_version"]) is str => True
r.info("server")["tcp_port"] == PORT => True
"maxmemory" in r.config_get("maxmemory*") => True
len(r.time()) => 2
r.lastsave().year > 2000 => True
r.dbsize() => 0
"get" in r.command() => True
r.set("s", "one") => True
r.get("s") => "one"
r.get("absent") => None
r.set("s", "two", nx=True) => None
r.set("s", "two", xx=True) => True
r.set("s", "three", get=True) => "two"
r.set("s", "v", ex=100) => True
90 <= r.ttl("s") <= 100 => True
r.set("s", "w", keepttl=True) => True
90 <= r.ttl("s") <= 100 => True
r.set("s", "v", px=100000) => True
90000 <= r.pttl("s") <= 100000 => True
r.set("s", "v", exat=FAR) => True
r.expiretime("s") => FAR
r.set("s", "v", pxat=FAR * 1000) => True
r.pexpiretime("s") => FAR * 1000
r.getex("s", ex=100) => "v"
r.getex("s", persist=True) => "v"
r.ttl("s") => -1
r.getset("s", "x") => "v"
r.getdel("s") => "x"
r.getdel("s") => None
r.setnx("s", "v") => True
r.setnx("s", "v") => False
r.setex("s", 100, "v") => True
r.psetex("s", 100000, "v") => True
r.mset({"a": 1, "b": 2}) => True
r.mget("a", "absent", "b") => ["1", None, "2"]
r.msetnx({"a": 1, "c": 2}) => False
r.append("text", "Hello") => 5
r.append("text", " World") => 11
r.strlen("text") => 11
r.getrange("text", -5, -1) => "World"
r.setrange("text", 6, "Redis") => 11
r.incr("n") => 1
r.incrby("n", 9) => 10
r.decr("n") => 9
r.decrby("n", 4) => 5
r.incrbyfloat("n", 0.5) => 5.5
r.set("empty", "") => True
r.get("empty") => ""
r.set("grün", "€") => True
r.get("grün") => "€"
r.delete("a", "absent") => 1
r.unlink("b") => 1
r.exists("s", "s", "absent") => 2
r.expire("s", 100) => True
r.expire("s", 50, nx=True) => False
r.expire("s", 200, xx=True) => True
r.expire("s", 100, gt=True) => False
r.expire("s", 100, lt=True) => True
r.pexpire("s", 100000) => True
r.expireat("s", FAR) => True
r.pexpireat("s", FAR * 1000) => True
r.persist("s") => True
r.ttl("absent") => -2
r.rename("s", "t") => True
r.renamenx("t", "text") => False
r.copy("t", "u") => True
r.copy("t", "u") => False
r.copy("t", "u", replace=True) => True
r.touch("t", "u", "absent") => 2
r.type("t") => "string"
type(r.object("encoding", "t")) is str => True
r.flushdb() => True
r.randomkey() => None
r.mset({"user:%d" % i: i for i in range(100)}) => True
r.dbsize() => 100
len(r.keys("user:1*")) => 11
len(set(r.scan_iter(match="user:*", count=10))) => 100
len(set(r.scan_iter(_type="list"))) => 0
r.randomkey().startswith("user:") => True
r.rpush("l", "b", "c") => 2
r.lpush("l", "a") => 3
r.lpushx("l", "z") => 4
r.rpushx("l", "y") => 5
r.lrange("l", 0, -1) => ["z", "a", "b", "c", "y"]
r.llen("l") => 5
r.lindex("l", 1) => "a"
r.lset("l", 1, "A") => True
r.linsert("l", "BEFORE", "b", "n") => 6
r.lpos("l", "b") => 3
r.lpos("l", "b", count=0) => [3]
r.lrem("l", 0, "n") => 1
r.ltrim("l", 0, 3) => True
r.lpop("l") => "z"
r.rpop("l") => "c"
r.lpop("l", 5) => ["A", "b"]
r.rpop("l") => None
r.rpush("l", 1, 2, 3) => 3
r.lmove("l", "m", "LEFT", "RIGHT") => "1"
r.rpoplpush("l", "m") => "3"
r.lrange("m", 0, -1) => ["3", "1"]
r.sadd("x", "a", "b", "c") => 3
r.sadd("y", "b", "c", "d") => 3
r.scard("x") => 3
r.sismember("x", "a") => True
r.smismember("x", ["a", "z"]) => [1, 0]
r.smembers("x") => {"a", "b", "c"}
r.sinter("x", "y") => {"b", "c"}
r.sunion("x", "y") => {"a", "b", "c", "d"}
r.sdiff("x", "y") => {"a"}
r.sinterstore("o", "x", "y") => 2
r.sunionstore("o", "x", "y") => 4
r.sdiffstore("o", "x", "y") => 1
r.sintercard(2, ["x", "y"]) => 2
r.sintercard(2, ["x", "y"], limit=1) => 1
r.srandmember("o") => "a"
r.srandmember("o", 2) => ["a"]
set(r.sscan_iter("x", match="[ab]")) => {"a", "b"}
r.smove("x", "y", "a") => True
r.srem("x", "b") => 1
r.spop("x") => "c"
sorted(r.spop("y", 9)) => ["a", "b", "c", "d"]
r.exists("x", "y") => 0
r.set("s", "text") => True
r.lpush("s", "x") => raises WRONGTYPE
r.incr("s") => raises not an integer
r.execute_command("NOSUCH") => raises unknown command
r.execute_command("GET") => raises wrong number of arguments
r.lset("nolist", 0, "x") => raises no such key
"""

LIMITS = """
r.set("k", "v" * 256) => True
r.set("k", "v" * 257) => raises 256
r.lpush("l", "v" * 257) => raises 256
r.sadd("x", "v" * 257) => raises 256
r.set("k" * 32, "v") => True
r.set("k" * 33, "v") => raises 32
r.select(1) => raises DB index is out of range
r.ping() => True
"""


def connect(**options):
    return redis.Redis(port=PORT, password=PASSWORD, socket_timeout=60,
                       **options)


r = connect(decode_responses=True)
failed = 0


def check(text, good, got):
    global failed
    if not good:
        failed += 1
    print(f"ok: python: {text}" if good else
          f"failed: python: {text}: got {got!r}")


def run(table):
    for line in table.strip().splitlines():
        expression, expected = line.split(" => ")
        try:
            got = eval(expression)
        except redis.RedisError as error:
            got = f"raises {error}"
        if expected.startswith("raises "):
            good = str(got).startswith("raises ") and expected[7:] in got
        else:
            good = got == eval(expected)
        check(line, good, got)


def pipelines():
    with r.pipeline(transaction=False) as pipe:
        for i in range(1000):
            pipe.rpush("pipelined", i)
        got = pipe.execute()
    check("1000 commands in a pipeline", got == list(range(1, 1001)), got)
    with r.pipeline(transaction=False) as pipe:
        pipe.set("s", "text").lpush("s", "x").get("s")
        got = pipe.execute(raise_on_error=False)
    check("an error in a pipeline stands alone",
          got[0] is True and got[2] == "text" and "WRONGTYPE" in str(got[1]),
          got)


def transactions():
    with r.pipeline() as pipe:
        got = pipe.set("t", 1).incr("t").sadd("ts", "m").execute()
    check("MULTI and EXEC", got == [True, 2, 1], got)
    with r.pipeline() as pipe:
        pipe.set("t", "text").incr("t").set("after", 1)
        got = pipe.execute(raise_on_error=False)
    check("an error inside of EXEC", got[0] is True and got[2] is True and
          isinstance(got[1], redis.ResponseError), got)
    with r.pipeline() as pipe:
        pipe.watch("t")
        connect().set("t", "theirs")
        pipe.multi()
        pipe.set("t", "mine")
        try:
            got = pipe.execute()
        except redis.WatchError:
            got = r.get("t")
    check("WATCH, and another connection's SET", got == "theirs", got)
    with r.pipeline() as pipe:
        pipe.set("t", "never").execute_command("NOSUCH")
        try:
            got = pipe.execute()
        except redis.RedisError:
            got = r.get("t")
    check("EXEC after an unknown command", got == "theirs", got)
    got = r.transaction(lambda pipe: pipe.multi() or pipe.incr("n"), "n")
    check("r.transaction", got == [1], got)


def increments_in_turns():
    """Each reads a number and writes the next one, if nobody did meanwhile."""
    def increment(pipe):
        value = int(pipe.get("turns") or 0)
        pipe.multi()
        pipe.set("turns", value + 1)

    def work():
        client = connect()
        for _ in range(50):
            client.transaction(increment, "turns")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = r.get("turns")
    check("4 threads that WATCH one key: no update is lost", got == "200", got)


async def asynchronous():
    client = redis.asyncio.Redis(port=PORT, password=PASSWORD,
                                 decode_responses=True)
    await asyncio.gather(*(client.sadd("async", i) for i in range(100)))
    got = await client.scard("async")
    check("redis.asyncio: 100 commands at once", got == 100, got)
    async with client.pipeline() as pipe:
        got = await pipe.set("async", "v").get("async").execute()
    check("redis.asyncio: MULTI and EXEC", got == [True, "v"], got)
    await client.close()


def bytes_come_back():
    raw = connect()
    block = bytes(range(256))
    raw.set(b"bytes", block)
    check("all 256 byte values", raw.get(b"bytes") == block, None)
    raw.delete(b"bytes")
    raw.rpush(b"bytes", block, b"", b"\r\n")
    got = raw.lrange(b"bytes", 0, -1)
    check("in a list", got == [block, b"", b"\r\n"], got)
    raw.sadd(b"\x00\xff\r\n", block)
    got = raw.smembers(b"\x00\xff\r\n")
    check("in a set under a binary key", got == {block}, got)


run(METHODS)
for part in (pipelines, transactions, increments_in_turns,
             lambda: asyncio.run(asynchronous()), bytes_come_back):
    try:
        part()
    except redis.RedisError as error:
        check("to its end", False, error)
if LIMITED:
    run(LIMITS)
sys.exit(1 if failed else 0)
