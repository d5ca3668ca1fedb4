# perl.pl: the methods of libredis-perl.  What the environment tells:
# tests/clients/run.
use strict;
use warnings;
use Data::Dumper;
use Redis;

use constant FAR => 33177117420;
my $port   = $ENV{KV_PORT};
my $failed = 0;
my $bytes  = join '', map { chr } 0 .. 255;
my $r      = client();
my $other  = client();
$| = 1;
$Data::Dumper::Useqq    = 1;
$Data::Dumper::Indent   = 0;
$Data::Dumper::Terse    = 1;
$Data::Dumper::Sortkeys = 1;

# EXPRESSION ==> WHAT IT IS; "raises TEXT": an error with that text.
my $methods = <<'TABLE';
$r->flushall ==> 'OK'
$r->ping ==> 'PONG'
$r->echo('a b') ==> 'a b'
$r->select(0) ==> 'OK'
exists $r->info->{redis_version} ==> 1
$r->info('server')->{tcp_port} ==> $port
[$r->config_get('maxmemory')]->[0] ==> 'maxmemory'
scalar(@{[$r->time]}) ==> 2
$r->lastsave > 0 ==> 1
$r->dbsize ==> 0
$r->client_setname('matrix') ==> 'OK'
$r->client_getname ==> 'matrix'
$r->command_count > 50 ==> 1
$r->set('s', 'one') ==> 'OK'
$r->get('s') ==> 'one'
$r->get('absent') ==> undef
$r->set('s', 'two', 'NX') ==> undef
$r->set('s', 'two', 'XX') ==> 'OK'
$r->set('s', 'three', 'GET') ==> 'two'
$r->set('s', 'v', 'EX', 100) ==> 'OK'
within($r->ttl('s'), 90, 100) ==> 1
$r->set('s', 'w', 'KEEPTTL') ==> 'OK'
within($r->ttl('s'), 90, 100) ==> 1
$r->set('s', 'v', 'PX', 100000) ==> 'OK'
within($r->pttl('s'), 90000, 100000) ==> 1
$r->set('s', 'v', 'EXAT', FAR) ==> 'OK'
$r->expiretime('s') ==> '33177117420'
$r->set('s', 'v', 'PXAT', FAR * 1000) ==> 'OK'
$r->pexpiretime('s') ==> '33177117420000'
$r->getex('s', 'EX', 100) ==> 'v'
$r->getex('s', 'PERSIST') ==> 'v'
$r->ttl('s') ==> -1
$r->getset('s', 'x') ==> 'v'
$r->getdel('s') ==> 'x'
$r->setnx('s', 'v') ==> 1
$r->setnx('s', 'v') ==> 0
$r->setex('s', 100, 'v') ==> 'OK'
$r->psetex('s', 100000, 'v') ==> 'OK'
$r->mset('a', 1, 'b', 2) ==> 'OK'
[$r->mget('a', 'absent', 'b')] ==> [1, undef, 2]
$r->msetnx('a', 1, 'c', 2) ==> 0
$r->append('text', 'Hello') ==> 5
$r->append('text', ' World') ==> 11
$r->strlen('text') ==> 11
$r->getrange('text', -5, -1) ==> 'World'
$r->setrange('text', 6, 'Redis') ==> 11
$r->incr('n') ==> 1
$r->incrby('n', 9) ==> 10
$r->decr('n') ==> 9
$r->decrby('n', 4) ==> 5
$r->incrbyfloat('n', 0.5) ==> '5.5'
$r->set('empty', '') ==> 'OK'
$r->get('empty') ==> ''
$r->set('grün', '€') ==> 'OK'
$r->get('grün') ==> '€'
$r->del('a', 'absent') ==> 1
$r->unlink('b') ==> 1
$r->exists('s', 's', 'absent') ==> 2
$r->expire('s', 100) ==> 1
$r->expire('s', 50, 'NX') ==> 0
$r->expire('s', 200, 'XX') ==> 1
$r->expire('s', 100, 'GT') ==> 0
$r->expire('s', 100, 'LT') ==> 1
$r->pexpire('s', 100000) ==> 1
$r->expireat('s', FAR) ==> 1
$r->pexpireat('s', FAR * 1000) ==> 1
$r->persist('s') ==> 1
$r->ttl('absent') ==> -2
$r->rename('s', 't') ==> 'OK'
$r->renamenx('t', 'text') ==> 0
$r->copy('t', 'u') ==> 1
$r->copy('t', 'u') ==> 0
$r->copy('t', 'u', 'REPLACE') ==> 1
$r->touch('t', 'u', 'absent') ==> 2
$r->type('t') ==> 'string'
length $r->object('encoding', 't') > 0 ==> 1
$r->flushdb ==> 'OK'
$r->randomkey ==> undef
$r->mset(map { ("user:$_", $_) } 1 .. 100) ==> 'OK'
scalar(@{[$r->keys('user:1*')]}) ==> 12
all('scan', 'MATCH', 'user:*', 'COUNT', 10) ==> 100
all('scan', 'TYPE', 'list') ==> 0
$r->randomkey =~ /^user:/ ==> 1
$r->rpush('l', 'b', 'c') ==> 2
$r->lpush('l', 'a') ==> 3
$r->lpushx('l', 'z') ==> 4
$r->rpushx('l', 'y') ==> 5
[$r->lrange('l', 0, -1)] ==> [qw(z a b c y)]
$r->llen('l') ==> 5
$r->lindex('l', 1) ==> 'a'
$r->lset('l', 1, 'A') ==> 'OK'
$r->linsert('l', 'BEFORE', 'b', 'n') ==> 6
$r->lpos('l', 'b') ==> 3
$r->lrem('l', 0, 'n') ==> 1
$r->ltrim('l', 0, 3) ==> 'OK'
$r->lpop('l') ==> 'z'
$r->rpop('l') ==> 'c'
[$r->lpop('l', 5)] ==> [qw(A b)]
$r->rpop('l') ==> undef
$r->rpush('l', 1, 2, 3) ==> 3
$r->lmove('l', 'm', 'LEFT', 'RIGHT') ==> 1
$r->rpoplpush('l', 'm') ==> 3
[$r->lrange('m', 0, -1)] ==> [3, 1]
$r->sadd('x', 'a', 'b', 'c') ==> 3
$r->sadd('y', 'b', 'c', 'd') ==> 3
$r->scard('x') ==> 3
$r->sismember('x', 'a') ==> 1
[$r->smismember('x', 'a', 'z')] ==> [1, 0]
[sort $r->smembers('x')] ==> [qw(a b c)]
[sort $r->sinter('x', 'y')] ==> [qw(b c)]
[sort $r->sunion('x', 'y')] ==> [qw(a b c d)]
[$r->sdiff('x', 'y')] ==> ['a']
$r->sinterstore('o', 'x', 'y') ==> 2
$r->sunionstore('o', 'x', 'y') ==> 4
$r->sdiffstore('o', 'x', 'y') ==> 1
$r->sintercard(2, 'x', 'y') ==> 2
$r->srandmember('o') ==> 'a'
[$r->srandmember('o', 2)] ==> ['a']
all('sscan', 'x', 'MATCH', '[ab]') ==> 2
$r->smove('x', 'y', 'a') ==> 1
$r->srem('x', 'b') ==> 1
$r->spop('x') ==> 'c'
[sort $r->spop('y', 9)] ==> [qw(a b c d)]
$r->exists('x', 'y') ==> 0
$r->set('s', 'text') ==> 'OK'
$r->lpush('s', 'x') ==> raises WRONGTYPE
$r->incr('s') ==> raises not an integer
$r->nosuch ==> raises unknown command
$r->get ==> raises wrong number of arguments
$r->lset('nolist', 0, 'x') ==> raises no such key
pipelined(1000) ==> [1 .. 1000]
$r->multi ==> 'OK'
$r->set('t', 1) ==> 'QUEUED'
$r->incr('t') ==> 'QUEUED'
$r->sadd('ts', 'm') ==> 'QUEUED'
[$r->exec] ==> ['OK', 2, 1]
$r->multi ==> 'OK'
$r->set('t', 'x') ==> 'QUEUED'
$r->incr('t') ==> 'QUEUED'
$r->exec ==> raises not an integer
$r->get('t') ==> 'x'
$r->multi ==> 'OK'
$r->set('t', 1) ==> 'QUEUED'
$r->nosuch ==> raises unknown command
$r->exec ==> raises EXECABORT
$r->multi ==> 'OK'
$r->discard ==> 'OK'
$r->watch('t') ==> 'OK'
$other->set('t', 'theirs') ==> 'OK'
$r->multi ==> 'OK'
$r->set('t', 'mine') ==> 'QUEUED'
$r->exec ==> undef
$r->get('t') ==> 'theirs'
$r->watch('t') ==> 'OK'
$r->unwatch ==> 'OK'
$r->set('bytes', $bytes) ==> 'OK'
$r->get('bytes') ==> $bytes
$r->del('bytes') ==> 1
$r->rpush('bytes', $bytes, '', "\r\n") ==> 3
[$r->lrange('bytes', 0, -1)] ==> [$bytes, '', "\r\n"]
$r->sadd("\0\xff\r\n", $bytes) ==> 1
[$r->smembers("\0\xff\r\n")] ==> [$bytes]
TABLE

my $limits = <<'TABLE';
$r->set('k', 'v' x 256) ==> 'OK'
$r->set('k', 'v' x 257) ==> raises 256
$r->lpush('l', 'v' x 257) ==> raises 256
$r->sadd('x', 'v' x 257) ==> raises 256
$r->set('k' x 32, 'v') ==> 'OK'
$r->set('k' x 33, 'v') ==> raises 32
$r->select(1) ==> raises DB index is out of range
$r->ping ==> 'PONG'
TABLE

sub client {
    return Redis->new(
        server        => "127.0.0.1:$port",
        read_timeout  => 60,
        write_timeout => 60,
        $ENV{KV_PASSWORD} ? (password => $ENV{KV_PASSWORD}) : ()
    );
}

sub within {
    my ($number, $from, $to) = @_;
    return $number >= $from && $number <= $to;
}

# How many different keys or members a scan to its end returns.
sub all {
    my ($command, @options) = @_;
    my @key    = $command eq 'sscan' ? shift @options : ();
    my $cursor = 0;
    my (%seen, $items);
    do {
        ($cursor, $items) = $r->$command(@key, $cursor, @options);
        $seen{$_} = 1 for @$items;
    } while ($cursor ne '0');
    return scalar keys %seen;
}

sub pipelined {
    my ($count) = @_;
    my @replies;
    $r->rpush('many', $_, sub { push @replies, $_[0] }) for 1 .. $count;
    $r->wait_all_responses;
    return \@replies;
}

sub run {
    my ($table) = @_;
    for my $line (split /\n/, $table) {
        my ($expression, $expected) = split / ==> /, $line;
        my ($got, $good) = scalar eval $expression;
        if ($expected =~ /^raises (.*)/) {
            $good = !defined $got && index($@, $1) >= 0;
        }
        else {
            $good = !$@ && Dumper($got) eq Dumper(eval $expected);
        }
        print $good ? 'ok' : 'failed', ": perl: $line\n";
        if (!$good) {
            $failed++;
            print '    got ', $@ || Dumper($got), "\n";
        }
    }
    return;
}

run($methods);
run($limits) if ($ENV{KV_LIMITS} || '') eq '1';
exit($failed ? 1 : 0);
