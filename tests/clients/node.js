// node.js: the methods of node-redis.  What the environment tells:
// tests/clients/run; and NODE_PATH, where the library is.
"use strict";
const redis = require("redis");
const { isDeepStrictEqual, inspect } = require("util");

const PORT = Number(process.env.KV_PORT);
const LIMITED = process.env.KV_LIMITS === "1";
const FAR = 33177117420;
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

// EXPRESSION ==> WHAT IT IS; "raises TEXT": an error with that text.
const METHODS = String.raw`
r.flushAll() ==> "OK"
r.ping() ==> "PONG"
r.echo("a b") ==> "a b"
r.select(0) ==> undefined
r.info().then((text) => text.includes("redis_version:")) ==> true
r.configGet("maxmemory").then((it) => "maxmemory" in it) ==> true
r.time().then((it) => it instanceof Date) ==> true
r.lastSave().then((it) => it instanceof Date) ==> true
r.dbSize() ==> 0
r.clientSetName("matrix") ==> "OK"
r.clientGetName() ==> "matrix"
r.clientId().then((id) => id > 0) ==> true
r.commandCount().then((count) => count > 50) ==> true
r.set("s", "one") ==> "OK"
r.get("s") ==> "one"
r.get("absent") ==> null
r.set("s", "two", { NX: true }) ==> null
r.set("s", "two", { XX: true }) ==> "OK"
r.set("s", "three", { GET: true }) ==> "two"
r.set("s", "v", { EX: 100 }) ==> "OK"
r.ttl("s").then(within(90, 100)) ==> true
r.set("s", "w", { KEEPTTL: true }) ==> "OK"
r.ttl("s").then(within(90, 100)) ==> true
r.set("s", "v", { PX: 100000 }) ==> "OK"
r.pTTL("s").then(within(90000, 100000)) ==> true
r.set("s", "v", { EXAT: FAR }) ==> "OK"
r.expireTime("s") ==> FAR
r.set("s", "v", { PXAT: FAR * 1000 }) ==> "OK"
r.pExpireTime("s") ==> FAR * 1000
r.getEx("s", { EX: 100 }) ==> "v"
r.getEx("s", { PERSIST: true }) ==> "v"
r.ttl("s") ==> -1
r.getSet("s", "x") ==> "v"
r.getDel("s") ==> "x"
r.setNX("s", "v") ==> true
r.setNX("s", "v") ==> false
r.setEx("s", 100, "v") ==> "OK"
r.pSetEx("s", 100000, "v") ==> "OK"
r.mSet({ a: "1", b: "2" }) ==> "OK"
r.mGet(["a", "absent", "b"]) ==> ["1", null, "2"]
r.mSetNX({ a: "1", c: "2" }) ==> false
r.append("text", "Hello") ==> 5
r.append("text", " World") ==> 11
r.strLen("text") ==> 11
r.getRange("text", -5, -1) ==> "World"
r.setRange("text", 6, "Redis") ==> 11
r.incr("n") ==> 1
r.incrBy("n", 9) ==> 10
r.decr("n") ==> 9
r.decrBy("n", 4) ==> 5
r.incrByFloat("n", 0.5) ==> "5.5"
r.set("empty", "") ==> "OK"
r.get("empty") ==> ""
r.set("grün", "€") ==> "OK"
r.get("grün") ==> "€"
r.del(["a", "absent"]) ==> 1
r.unlink("b") ==> 1
r.exists(["s", "s", "absent"]) ==> 2
r.expire("s", 100) ==> true
r.expire("s", 50, "NX") ==> false
r.expire("s", 200, "XX") ==> true
r.expire("s", 100, "GT") ==> false
r.expire("s", 100, "LT") ==> true
r.pExpire("s", 100000) ==> true
r.expireAt("s", FAR) ==> true
r.pExpireAt("s", FAR * 1000) ==> true
r.persist("s") ==> true
r.ttl("absent") ==> -2
r.rename("s", "t") ==> "OK"
r.renameNX("t", "text") ==> false
r.copy("t", "u") ==> true
r.copy("t", "u") ==> false
r.copy("t", "u", { replace: true }) ==> true
r.touch(["t", "u", "absent"]) ==> 2
r.type("t") ==> "string"
r.objectEncoding("t").then((it) => typeof it) ==> "string"
r.flushDb() ==> "OK"
r.randomKey() ==> null
r.mSet(users(100)) ==> "OK"
r.keys("user:1*").then((keys) => keys.length) ==> 12
all(r.scanIterator({ MATCH: "user:*", COUNT: 10 })) ==> 100
all(r.scanIterator({ TYPE: "list" })) ==> 0
r.randomKey().then((key) => key.startsWith("user:")) ==> true
r.rPush("l", ["b", "c"]) ==> 2
r.lPush("l", "a") ==> 3
r.lPushX("l", "z") ==> 4
r.rPushX("l", "y") ==> 5
r.lRange("l", 0, -1) ==> ["z", "a", "b", "c", "y"]
r.lLen("l") ==> 5
r.lIndex("l", 1) ==> "a"
r.lSet("l", 1, "A") ==> "OK"
r.lInsert("l", "BEFORE", "b", "n") ==> 6
r.lPos("l", "b") ==> 3
r.lPosCount("l", "b", 0) ==> [3]
r.lRem("l", 0, "n") ==> 1
r.lTrim("l", 0, 3) ==> "OK"
r.lPop("l") ==> "z"
r.rPop("l") ==> "c"
r.lPopCount("l", 5) ==> ["A", "b"]
r.rPopCount("l", 5) ==> null
r.rPop("l") ==> null
r.rPush("l", ["1", "2", "3"]) ==> 3
r.lMove("l", "m", "LEFT", "RIGHT") ==> "1"
r.rPopLPush("l", "m") ==> "3"
r.lRange("m", 0, -1) ==> ["3", "1"]
r.sAdd("x", ["a", "b", "c"]) ==> 3
r.sAdd("y", ["b", "c", "d"]) ==> 3
r.sCard("x") ==> 3
r.sIsMember("x", "a") ==> true
r.smIsMember("x", ["a", "z"]) ==> [true, false]
r.sMembers("x").then(ordered) ==> ["a", "b", "c"]
r.sInter(["x", "y"]).then(ordered) ==> ["b", "c"]
r.sUnion(["x", "y"]).then(ordered) ==> ["a", "b", "c", "d"]
r.sDiff(["x", "y"]) ==> ["a"]
r.sInterStore("o", ["x", "y"]) ==> 2
r.sUnionStore("o", ["x", "y"]) ==> 4
r.sDiffStore("o", ["x", "y"]) ==> 1
r.sInterCard(["x", "y"]) ==> 2
r.sInterCard(["x", "y"], 1) ==> 1
r.sRandMember("o") ==> "a"
r.sRandMemberCount("o", 2) ==> ["a"]
all(r.sScanIterator("x", { MATCH: "[ab]" })) ==> 2
r.sMove("x", "y", "a") ==> true
r.sRem("x", "b") ==> 1
r.sPop("x") ==> "c"
r.sPop("y", 9).then(ordered) ==> ["a", "b", "c", "d"]
r.exists(["x", "y"]) ==> 0
r.set("s", "text") ==> "OK"
r.lPush("s", "x") ==> raises WRONGTYPE
r.incr("s") ==> raises not an integer
r.sendCommand(["NOSUCH"]) ==> raises unknown command
r.sendCommand(["GET"]) ==> raises wrong number of arguments
r.lSet("nolist", 0, "x") ==> raises no such key
pipelined(1000).then((replies) => replies.join()) ==> numbers(1000).join()
r.multi().set("t", "1").incr("t").sAdd("ts", "m").exec() ==> ["OK", 2, 1]
r.multi().set("t", "x").incr("t").exec().then(errors) ==> [false, true]
r.get("t") ==> "x"
r.multi().set("t", "1").addCommand(["NOSUCH"]).exec() ==> raises unknown
r.get("t") ==> "x"
watched() ==> raises watched keys has been changed
r.get("t") ==> "theirs"
r.watch("t").then(() => r.unwatch()) ==> "OK"
r.set("bytes", BYTES) ==> "OK"
r.get(raw, "bytes") ==> BYTES
r.del("bytes") ==> 1
r.rPush("bytes", [BYTES, Buffer.alloc(0)]) ==> 2
r.lRange(raw, "bytes", 0, -1) ==> [BYTES, Buffer.alloc(0)]
r.sAdd(Buffer.from([0, 255, 13, 10]), BYTES) ==> 1
r.sMembers(raw, Buffer.from([0, 255, 13, 10])) ==> [BYTES]
`;

const LIMITS = String.raw`
r.set("k", "v".repeat(256)) ==> "OK"
r.set("k", "v".repeat(257)) ==> raises 256
r.lPush("l", "v".repeat(257)) ==> raises 256
r.sAdd("x", "v".repeat(257)) ==> raises 256
r.set("k".repeat(32), "v") ==> "OK"
r.set("k".repeat(33), "v") ==> raises 32
r.select(1) ==> raises DB index is out of range
r.ping() ==> "PONG"
`;

const within = (from, to) => (number) => number >= from && number <= to;
const ordered = (list) => list.sort();
const errors = (replies) => replies.map((it) => it instanceof Error);
const numbers = (count) => Array.from({ length: count }, (_, i) => i + 1);
const users = (count) => numbers(count).map((i) => [`user:${i}`, `${i}`]);
const pipelined = (count) =>
    Promise.all(numbers(count).map((i) => r.rPush("many", `${i}`)));
const raw = redis.commandOptions({ returnBuffers: true });
const r = redis.createClient({
    socket: { port: PORT },
    password: process.env.KV_PASSWORD || undefined,
});
const other = r.duplicate();

async function all(iterator) {
    const seen = new Set();
    for await (const item of iterator) {
        seen.add(item);
    }
    return seen.size;
}

async function watched() {
    await r.watch("t");
    await other.set("t", "theirs");
    return r.multi().set("t", "mine").exec();
}

async function valueOf(expression) {
    try {
        return await eval(expression);
    } catch (error) {
        if (error instanceof SyntaxError || error instanceof TypeError) {
            throw error;
        }
        return `raises ${error.message}`;
    }
}

async function run(table) {
    let failed = 0;
    for (const line of table.trim().split("\n")) {
        const [expression, expected] = line.split(" ==> ");
        const got = await valueOf(expression);
        const good = expected.startsWith("raises ")
            ? String(got).startsWith("raises ") &&
              got.includes(expected.slice("raises ".length))
            : isDeepStrictEqual(got, eval(expected));
        console.log(`${good ? "ok" : "failed"}: node: ${line}`);
        if (!good) {
            failed++;
            console.log(`    got ${inspect(got)}`);
        }
    }
    return failed;
}

async function main() {
    for (const client of [r, other]) {
        client.on("error", (error) => {
            console.log(`failed: node: ${error.message}`);
            process.exit(1);
        });
        await client.connect();
    }
    let failed = await run(METHODS);
    if (LIMITED) {
        failed += await run(LIMITS);
    }
    await other.quit();
    await r.quit();
    process.exitCode = failed === 0 ? 0 : 1;
}

main();
