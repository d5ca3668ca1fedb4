<?php
// php.php: the methods of php-redis.  What the environment tells:
// tests/clients/run.

const FAR = 33177117420;
define('PORT', (int) getenv('KV_PORT'));
define('BYTES', implode('', array_map('chr', range(0, 255))));

// EXPRESSION => WHAT IT IS; "raises TEXT": an error with that text.
const METHODS = <<<'TABLE'
$r->flushAll() ==> true
$r->ping() ==> true
$r->echo('a b') ==> 'a b'
$r->select(0) ==> true
is_string($r->info()['redis_version']) ==> true
$r->info('server')['tcp_port'] ==> PORT
isset($r->config('GET', 'maxmemory')['maxmemory']) ==> true
count($r->time()) ==> 2
$r->lastSave() > 0 ==> true
$r->dbSize() ==> 0
$r->client('SETNAME', 'matrix') ==> true
$r->client('GETNAME') ==> 'matrix'
$r->set('s', 'one') ==> true
$r->get('s') ==> 'one'
$r->get('absent') ==> false
$r->set('s', 'two', ['nx']) ==> false
$r->set('s', 'two', ['xx']) ==> true
$r->rawCommand('SET', 's', 'three', 'GET') ==> 'two'
$r->set('s', 'v', ['ex' => 100]) ==> true
within($r->ttl('s'), 90, 100) ==> true
$r->rawCommand('SET', 's', 'w', 'KEEPTTL') ==> true
within($r->ttl('s'), 90, 100) ==> true
$r->set('s', 'v', ['px' => 100000]) ==> true
within($r->pttl('s'), 90000, 100000) ==> true
$r->set('s', 'v', 50) ==> true
within($r->ttl('s'), 45, 50) ==> true
$r->rawCommand('GETEX', 's', 'PERSIST') ==> 'v'
$r->ttl('s') ==> -1
$r->getSet('s', 'x') ==> 'v'
$r->rawCommand('GETDEL', 's') ==> 'x'
$r->setnx('s', 'v') ==> true
$r->setnx('s', 'v') ==> false
$r->setex('s', 100, 'v') ==> true
$r->psetex('s', 100000, 'v') ==> true
$r->mset(['a' => 1, 'b' => 2]) ==> true
$r->mget(['a', 'absent', 'b']) ==> ['1', false, '2']
$r->msetnx(['a' => 1, 'c' => 2]) ==> false
$r->append('text', 'Hello') ==> 5
$r->append('text', ' World') ==> 11
$r->strlen('text') ==> 11
$r->getRange('text', -5, -1) ==> 'World'
$r->setRange('text', 6, 'Redis') ==> 11
$r->incr('n') ==> 1
$r->incrBy('n', 9) ==> 10
$r->decr('n') ==> 9
$r->decrBy('n', 4) ==> 5
$r->incrByFloat('n', 0.5) ==> 5.5
$r->set('empty', '') ==> true
$r->get('empty') ==> ''
$r->set('grün', '€') ==> true
$r->get('grün') ==> '€'
$r->del('a', 'absent') ==> 1
$r->unlink(['b']) ==> 1
$r->exists('s', 's', 'absent') ==> 2
$r->expire('s', 100) ==> true
$r->rawCommand('EXPIRE', 's', 50, 'NX') ==> 0
$r->rawCommand('EXPIRE', 's', 200, 'XX') ==> 1
$r->rawCommand('EXPIRE', 's', 100, 'GT') ==> 0
$r->rawCommand('EXPIRE', 's', 100, 'LT') ==> 1
$r->pExpire('s', 100000) ==> true
$r->expireAt('s', FAR) ==> true
$r->pExpireAt('s', FAR * 1000) ==> true
$r->rawCommand('EXPIRETIME', 's') ==> FAR
$r->persist('s') ==> true
$r->ttl('absent') ==> -2
$r->rename('s', 't') ==> true
$r->renameNx('t', 'text') ==> false
$r->rawCommand('COPY', 't', 'u') ==> 1
$r->rawCommand('COPY', 't', 'u') ==> 0
$r->rawCommand('TOUCH', 't', 'u', 'absent') ==> 2
$r->type('t') ==> Redis::REDIS_STRING
is_string($r->object('encoding', 't')) ==> true
$r->flushDB() ==> true
$r->randomKey() ==> false
$r->mset(users()) ==> true
count($r->keys('user:1*')) ==> 12
scanned(['match' => 'user:*', 'count' => 10]) ==> 100
substr($r->randomKey(), 0, 5) ==> 'user:'
$r->rPush('l', 'b', 'c') ==> 2
$r->lPush('l', 'a') ==> 3
$r->lPushx('l', 'z') ==> 4
$r->rPushx('l', 'y') ==> 5
$r->lRange('l', 0, -1) ==> ['z', 'a', 'b', 'c', 'y']
$r->lLen('l') ==> 5
$r->lIndex('l', 1) ==> 'a'
$r->lSet('l', 1, 'A') ==> true
$r->lInsert('l', Redis::BEFORE, 'b', 'n') ==> 6
$r->rawCommand('LPOS', 'l', 'b') ==> 3
$r->lRem('l', 'n', 0) ==> 1
$r->lTrim('l', 0, 3) ==> true
$r->lPop('l') ==> 'z'
$r->rPop('l') ==> 'c'
$r->rawCommand('LPOP', 'l', 5) ==> ['A', 'b']
$r->rPop('l') ==> false
$r->rPush('l', 1, 2, 3) ==> 3
$r->rawCommand('LMOVE', 'l', 'm', 'LEFT', 'RIGHT') ==> '1'
$r->rPopLPush('l', 'm') ==> '3'
$r->lRange('m', 0, -1) ==> ['3', '1']
$r->type('m') ==> Redis::REDIS_LIST
$r->sAdd('x', 'a', 'b', 'c') ==> 3
$r->sAddArray('y', ['b', 'c', 'd']) ==> 3
$r->type('x') ==> Redis::REDIS_SET
$r->sCard('x') ==> 3
$r->sIsMember('x', 'a') ==> true
$r->sMisMember('x', 'a', 'z') ==> [1, 0]
ordered($r->sMembers('x')) ==> ['a', 'b', 'c']
ordered($r->sInter('x', 'y')) ==> ['b', 'c']
ordered($r->sUnion('x', 'y')) ==> ['a', 'b', 'c', 'd']
$r->sDiff('x', 'y') ==> ['a']
$r->sInterStore('o', 'x', 'y') ==> 2
$r->sUnionStore('o', 'x', 'y') ==> 4
$r->sDiffStore('o', 'x', 'y') ==> 1
$r->rawCommand('SINTERCARD', 2, 'x', 'y') ==> 2
$r->sRandMember('o') ==> 'a'
$r->sRandMember('o', 2) ==> ['a']
ordered(set_scanned('x', '[ab]')) ==> ['a', 'b']
$r->sMove('x', 'y', 'a') ==> true
$r->sRem('x', 'b') ==> 1
$r->sPop('x') ==> 'c'
ordered($r->sPop('y', 9)) ==> ['a', 'b', 'c', 'd']
$r->exists('x', 'y') ==> 0
$r->set('s', 'text') ==> true
$r->lPush('s', 'x') ==> raises WRONGTYPE
$r->incr('s') ==> raises not an integer
$r->rawCommand('NOSUCH') ==> raises unknown command
$r->rawCommand('GET') ==> raises wrong number of arguments
$r->lSet('nolist', 0, 'x') ==> raises no such key
pipelined(1000) ==> range(1, 1000)
$r->multi()->set('t', 1)->incr('t')->sAdd('ts', 'm')->exec() ==> [true, 2, 1]
$r->multi()->set('t', 'x')->incr('t')->set('u', 1)->exec()[2] ==> true
$r->multi() === $r && $r->discard() ==> true
$r->watch('t') && $other->set('t', 'theirs') ==> true
$r->multi()->set('t', 'mine')->exec() ==> false
$r->get('t') ==> 'theirs'
$r->watch('t') && $r->unwatch() ==> true
$r->set('bytes', BYTES) ==> true
$r->get('bytes') === BYTES ==> true
$r->del('bytes') ==> 1
$r->rPush('bytes', BYTES, '', "\r\n") ==> 3
$r->lRange('bytes', 0, -1) === [BYTES, '', "\r\n"] ==> true
$r->sAdd("\0\xff\r\n", BYTES) ==> 1
$r->sMembers("\0\xff\r\n") === [BYTES] ==> true
TABLE;

const LIMITS = <<<'TABLE'
$r->set('k', str_repeat('v', 256)) ==> true
$r->set('k', str_repeat('v', 257)) ==> raises 256
$r->lPush('l', str_repeat('v', 257)) ==> raises 256
$r->sAdd('x', str_repeat('v', 257)) ==> raises 256
$r->set(str_repeat('k', 32), 'v') ==> true
$r->set(str_repeat('k', 33), 'v') ==> raises 32
$r->select(1) ==> raises DB index is out of range
$r->ping() ==> true
TABLE;

function within($number, $from, $to)
{
    return $number >= $from && $number <= $to;
}

function ordered($list)
{
    sort($list);
    return $list;
}

function users()
{
    $users = [];
    for ($i = 1; $i <= 100; $i++) {
        $users["user:$i"] = $i;
    }
    return $users;
}

function scanned($options)
{
    global $r;
    $cursor = null;
    $seen = [];
    while (($keys = $r->scan($cursor, ...array_values($options))) !== false) {
        foreach ($keys as $key) {
            $seen[$key] = true;
        }
    }
    return count($seen);
}

function set_scanned($key, $pattern)
{
    global $r;
    $cursor = null;
    $seen = [];
    while (($members = $r->sScan($key, $cursor, $pattern)) !== false) {
        $seen = array_merge($seen, $members);
    }
    return array_unique($seen);
}

function pipelined($count)
{
    global $r;
    $pipe = $r->multi(Redis::PIPELINE);
    for ($i = 0; $i < $count; $i++) {
        $pipe->rPush('many', $i);
    }
    return $pipe->exec();
}

function connect()
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', PORT, 60);
    if ((string) getenv('KV_PASSWORD') !== '') {
        $redis->auth(getenv('KV_PASSWORD'));
    }
    return $redis;
}

// The value of an expression, or the error that it met.
function value_of($expression)
{
    global $r, $other;
    $r->clearLastError();
    try {
        $got = eval("return $expression;");
    } catch (RedisException | TypeError $e) {
        return 'raises ' . $e->getMessage();
    }
    if ($got === false && $r->getLastError() !== null) {
        return 'raises ' . $r->getLastError();
    }
    return $got;
}

function run($table)
{
    $failed = 0;
    foreach (explode("\n", $table) as $line) {
        [$expression, $expected] = explode(' ==> ', $line);
        $got = value_of($expression);
        if (strncmp($expected, 'raises ', 7) === 0) {
            $good = is_string($got) && strncmp($got, 'raises ', 7) === 0 &&
                strpos($got, substr($expected, 7)) !== false;
        } else {
            $good = $got === eval("return $expected;");
        }
        echo $good ? 'ok' : 'failed', ": php: $line\n";
        if (!$good) {
            $failed++;
            echo '    got ', json_encode($got), "\n";
        }
    }
    return $failed;
}

$r = connect();
$r->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$other = connect();
$failed = run(METHODS);
if (getenv('KV_LIMITS') === '1') {
    $failed += run(LIMITS);
}
exit($failed === 0 ? 0 : 1);
