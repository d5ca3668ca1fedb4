# ruby.rb: the methods of ruby-redis.  What the environment tells:
# tests/clients/run.
require "redis"
require "set"

PORT = ENV.fetch("KV_PORT").to_i
PASSWORD = ENV["KV_PASSWORD"].to_s.empty? ? nil : ENV["KV_PASSWORD"]
LIMITED = ENV["KV_LIMITS"] == "1"
FAR = 33_177_117_420
STDOUT.sync = true

# EXPRESSION => WHAT IT IS; "raises TEXT": an error with that text.
METHODS = <<'TABLE'
$r.flushall ==> "OK"
$r.ping ==> "PONG"
$r.echo("a b") ==> "a b"
$r.select(0) ==> "OK"
$r.info.key?("redis_version") ==> true
$r.info(:server).key?("tcp_port") ==> true
$r.config(:get, "maxmemory").key?("maxmemory") ==> true
$r.time.size ==> 2
$r.lastsave > 0 ==> true
$r.dbsize ==> 0
$r.call(%w[CLIENT SETNAME matrix]) ==> "OK"
$r.set("s", "one") ==> "OK"
$r.get("s") ==> "one"
$r.get("absent") ==> nil
$r.set("s", "two", nx: true) ==> false
$r.set("s", "two", xx: true) ==> true
$r.set("s", "three", get: true) ==> "two"
$r.set("s", "v", ex: 100) ==> "OK"
$r.ttl("s").between?(90, 100) ==> true
$r.set("s", "w", keepttl: true) ==> "OK"
$r.ttl("s").between?(90, 100) ==> true
$r.set("s", "v", px: 100_000) ==> "OK"
$r.pttl("s").between?(90_000, 100_000) ==> true
$r.set("s", "v", exat: FAR) ==> "OK"
$r.set("s", "v", pxat: FAR * 1000) ==> "OK"
$r.getex("s", ex: 100) ==> "v"
$r.getex("s", persist: true) ==> "v"
$r.ttl("s") ==> -1
$r.getset("s", "x") ==> "v"
$r.getdel("s") ==> "x"
$r.setnx("s", "v") ==> true
$r.setnx("s", "v") ==> false
$r.setex("s", 100, "v") ==> "OK"
$r.psetex("s", 100_000, "v") ==> "OK"
$r.mset("a", 1, "b", 2) ==> "OK"
$r.mapped_mset("a" => 1, "b" => 2) ==> "OK"
$r.mget("a", "absent", "b") ==> ["1", nil, "2"]
$r.mapped_mget("a", "b") ==> {"a" => "1", "b" => "2"}
$r.msetnx("a", 1, "c", 2) ==> false
$r.append("text", "Hello") ==> 5
$r.append("text", " World") ==> 11
$r.strlen("text") ==> 11
$r.getrange("text", -5, -1) ==> "World"
$r.setrange("text", 6, "Redis") ==> 11
$r.incr("n") ==> 1
$r.incrby("n", 9) ==> 10
$r.decr("n") ==> 9
$r.decrby("n", 4) ==> 5
$r.incrbyfloat("n", 0.5) ==> 5.5
$r.set("empty", "") ==> "OK"
$r.get("empty") ==> ""
$r.set("grün", "€") ==> "OK"
$r.get("grün") ==> "€"
$r.del("a", "absent") ==> 1
$r.unlink("b") ==> 1
$r.exists("s", "s", "absent") ==> 2
$r.exists?("absent") ==> false
$r.expire("s", 100) ==> true
$r.expire("s", 50, nx: true) ==> false
$r.expire("s", 200, xx: true) ==> true
$r.expire("s", 100, gt: true) ==> false
$r.expire("s", 100, lt: true) ==> true
$r.pexpire("s", 100_000) ==> true
$r.expireat("s", FAR) ==> true
$r.pexpireat("s", FAR * 1000) ==> true
$r.call(["EXPIRETIME", "s"]) ==> FAR
$r.persist("s") ==> true
$r.ttl("absent") ==> -2
$r.rename("s", "t") ==> "OK"
$r.renamenx("t", "text") ==> false
$r.copy("t", "u") ==> true
$r.copy("t", "u") ==> false
$r.copy("t", "u", replace: true) ==> true
$r.call(["TOUCH", "t", "u", "absent"]) ==> 2
$r.type("t") ==> "string"
$r.object(:encoding, "t").class ==> String
$r.flushdb ==> "OK"
$r.randomkey ==> nil
$r.mset((1..100).map { |i| ["user:#{i}", i] }.flatten) ==> "OK"
$r.keys("user:1*").size ==> 12
$r.scan_each(match: "user:*", count: 10).to_set.size ==> 100
$r.scan_each(type: "list").to_a ==> []
$r.randomkey.start_with?("user:") ==> true
$r.rpush("l", %w[b c]) ==> 2
$r.lpush("l", "a") ==> 3
$r.lpushx("l", "z") ==> 4
$r.rpushx("l", "y") ==> 5
$r.lrange("l", 0, -1) ==> %w[z a b c y]
$r.llen("l") ==> 5
$r.lindex("l", 1) ==> "a"
$r.lset("l", 1, "A") ==> "OK"
$r.linsert("l", :before, "b", "n") ==> 6
$r.call(%w[LPOS l b]) ==> 3
$r.lrem("l", 0, "n") ==> 1
$r.ltrim("l", 0, 3) ==> "OK"
$r.lpop("l") ==> "z"
$r.rpop("l") ==> "c"
$r.lpop("l", 5) ==> %w[A b]
$r.rpop("l") ==> nil
$r.rpush("l", [1, 2, 3]) ==> 3
$r.lmove("l", "m", "LEFT", "RIGHT") ==> "1"
$r.rpoplpush("l", "m") ==> "3"
$r.lrange("m", 0, -1) ==> %w[3 1]
$r.sadd("x", %w[a b c]) ==> 3
$r.sadd?("x", "a") ==> false
$r.sadd("y", %w[b c d]) ==> 3
$r.scard("x") ==> 3
$r.sismember("x", "a") ==> true
$r.smismember("x", "a", "z") ==> [true, false]
$r.smembers("x").sort ==> %w[a b c]
$r.sinter("x", "y").sort ==> %w[b c]
$r.sunion("x", "y").sort ==> %w[a b c d]
$r.sdiff("x", "y") ==> %w[a]
$r.sinterstore("o", "x", "y") ==> 2
$r.sunionstore("o", "x", "y") ==> 4
$r.sdiffstore("o", "x", "y") ==> 1
$r.call(%w[SINTERCARD 2 x y]) ==> 2
$r.srandmember("o") ==> "a"
$r.srandmember("o", 2) ==> %w[a]
$r.sscan_each("x", match: "[ab]").to_a.sort ==> %w[a b]
$r.smove("x", "y", "a") ==> true
$r.srem?("x", "b") ==> true
$r.spop("x") ==> "c"
$r.spop("y", 9).sort ==> %w[a b c d]
$r.exists("x", "y") ==> 0
$r.set("s", "text") ==> "OK"
$r.lpush("s", "x") ==> raises WRONGTYPE
$r.incr("s") ==> raises not an integer
$r.call(["NOSUCH"]) ==> raises unknown command
$r.call(["GET"]) ==> raises wrong number of arguments
$r.lset("nolist", 0, "x") ==> raises no such key
$r.pipelined { |p| 1000.times { |i| p.rpush("many", i) } } ==> (1..1000).to_a
$r.multi { |m| m.set("t", 1); m.incr("t"); m.sadd?("ts", "m") } ==> \
["OK", 2, true]
$r.multi { |m| m.set("t", "x"); m.incr("t") } ==> raises not an integer
$r.get("t") ==> "x"
$r.multi { |m| m.set("t", 1); m.call(["NOSUCH"]) } ==> raises unknown command
$r.get("t") ==> "x"
$r.watch("t") { $other.set("t", 2); $r.multi { |m| m.set("t", 3) } } ==> nil
$r.get("t") ==> "2"
$r.watch("t") { $r.multi { |m| m.set("t", 3) } } ==> ["OK"]
$r.watch("t") ==> "OK"
$r.unwatch ==> "OK"
$r.set("bytes", BYTES) ==> "OK"
$r.get("bytes").b ==> BYTES
$r.del("bytes") ==> 1
$r.rpush("bytes", [BYTES, "", "\r\n"]) ==> 3
$r.lrange("bytes", 0, -1).map(&:b) ==> [BYTES, "", "\r\n"]
$r.sadd?("\0\xff\r\n".b, BYTES) ==> true
$r.smembers("\0\xff\r\n".b).map(&:b) ==> [BYTES]
$r.sismember("\0\xff\r\n".b, BYTES) ==> true
TABLE

LIMITS = <<'TABLE'
$r.set("k", "v" * 256) ==> "OK"
$r.set("k", "v" * 257) ==> raises 256
$r.lpush("l", "v" * 257) ==> raises 256
$r.sadd?("x", "v" * 257) ==> raises 256
$r.set("k" * 32, "v") ==> "OK"
$r.set("k" * 33, "v") ==> raises 32
$r.select(1) ==> raises DB index is out of range
$r.ping ==> "PONG"
TABLE

BYTES = (0..255).to_a.pack("C*")
OPTIONS = { port: PORT, password: PASSWORD, timeout: 60 }.freeze
$r = Redis.new(OPTIONS)
$other = Redis.new(OPTIONS)

def fits?(got, expected)
  if expected.start_with?("raises ")
    got.is_a?(Redis::BaseError) && got.message.include?(expected[7..])
  else
    got == eval(expected)
  end
end

def run(table)
  table.gsub("\\\n", "").each_line(chomp: true).count do |line|
    expression, expected = line.split(" ==> ", 2)
    begin
      got = eval(expression)
    rescue Redis::BaseError => e
      got = e
    end
    good = fits?(got, expected)
    puts("#{good ? "ok" : "failed"}: ruby: #{line}")
    puts("    got #{got.inspect}") unless good
    !good
  end
end

failed = run(METHODS)
failed += run(LIMITS) if LIMITED
exit(failed.zero?)
