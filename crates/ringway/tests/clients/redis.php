<?php
// The redis extension (phpredis) at REDIS_URL, and its cluster client when there is an argument.

require __DIR__ . '/checks.php';

$url = parse_url(getenv('REDIS_URL'));
$redis = new Redis();
$redis->connect($url['host'], $url['port'], 5);
same('auth', $redis->auth([$url['user'], $url['pass']]), true);

part('values', function () use ($redis) {
    $redis->flushDB();
    same('set', $redis->set('k', "a\0b", ['nx', 'ex' => 60]), true);
    same('set nx again', $redis->set('k', 'x', ['nx']), false);
    same('get', $redis->get('k'), "a\0b");
    same('get of nothing', $redis->get('none'), false);
    same('setex', $redis->setex('e', 100, 'v'), true);
    same('ttl', $redis->ttl('e') > 95, true);
    same('incrBy', [$redis->incr('n'), $redis->incrBy('n', 10)], [1, 11]);
    same('incrByFloat', $redis->incrByFloat('f', 1.5), 1.5);
    same('mget', $redis->mget(['k', 'none']), ["a\0b", false]);
    same('exists', $redis->exists('k', 'e', 'none'), 2);
    same('type', [$redis->type('k'), $redis->type('none')], [Redis::REDIS_STRING, Redis::REDIS_NOT_FOUND]);
    same('del', $redis->del('k', 'none'), 1);
});
part('collections', function () use ($redis) {
    same('hMSet', $redis->hMSet('h', ['a' => 1, 'b' => 'two']), true);
    same('hGetAll', $redis->hGetAll('h'), ['a' => '1', 'b' => 'two']);
    same('hIncrBy', $redis->hIncrBy('h', 'a', 4), 5);
    same('rPush', $redis->rPush('l', 'a', 'b', 'c'), 3);
    same('lRange', $redis->lRange('l', 0, -1), ['a', 'b', 'c']);
    same('blPop', $redis->blPop(['l'], 1), ['l', 'a']);
    same('sAdd', $redis->sAdd('s', 'x', 'y'), 2);
    same('sIsMember', $redis->sIsMember('s', 'x'), true);
    same('zAdd', $redis->zAdd('z', 1, 'a', 2.5, 'b'), 2);
    same('zRange', $redis->zRange('z', 0, -1, true), ['a' => 1.0, 'b' => 2.5]);
    same('zRangeByScore', $redis->zRangeByScore('z', '(1', '+inf', ['limit' => [0, 5]]), ['b']);
    same('a wrong type', [$redis->get('l'), rtrim($redis->getLastError(), "\0")], [false, 'WRONGTYPE Operation against a key holding the wrong kind of value']);
});
part('transactions and scripts', function () use ($redis, $url) {
    same('multi', $redis->multi()->set('{m}a', '1')->incr('{m}a')->exec(), [true, 2]);
    $redis->watch('{m}a');
    $other = new Redis();
    $other->connect($url['host'], $url['port'], 5);
    $other->auth([$url['user'], $url['pass']]);
    $other->set('{m}a', 'x');
    same('multi after a change', $redis->multi()->set('{m}a', 'mine')->exec(), false);
    same('pipeline', $redis->pipeline()->set('p', '1')->incr('p')->get('p')->exec(), [true, 2, '2']);
    same('eval', $redis->eval("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}", ['n2', 'x'], 1), ['n2', 'x', 1]);
    $sha = $redis->script('load', 'return ARGV[1]');
    same('evalSha', $redis->evalSha($sha, ['v'], 0), 'v');
    same('script exists', $redis->script('exists', $sha, str_repeat('0', 40)), [1, 0]);
});
part('scanning', function () use ($redis) {
    for ($number = 0; $number < 200; $number++) {
        $redis->set("scan:$number", $number);
    }
    $redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $cursor = null;
    $seen = [];
    while ($keys = $redis->scan($cursor, 'scan:*', 30)) {
        $seen += array_flip($keys);
    }
    same('scan', count($seen), 200);
});
part('serialised values', function () use ($redis) {
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $redis->setOption(Redis::OPT_PREFIX, 'app:');
    $redis->set('object', ['a' => [1, 2.5, null, true]]);
    same('an array', $redis->get('object'), ['a' => [1, 2.5, null, true]]);
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_NONE);
    same('under a prefix', $redis->exists('object'), 1);
});
if (($argv[1] ?? '') === 'cluster') {
    part('cluster', function () use ($url) {
        $cluster = new RedisCluster(null, ["{$url['host']}:{$url['port']}"], 5, 5, false, [$url['user'], $url['pass']]);
        for ($number = 0; $number < 100; $number++) {
            same("set $number", $cluster->set("c:$number", $number), true);
            same("hSet $number", $cluster->hSet("ch:$number", 'f', $number), 1);
        }
        same('get', $cluster->get('c:77'), '77');
        same('hGet', $cluster->hGet('ch:78', 'f'), '78');
        same('mget over nodes', $cluster->mget(['c:1', 'c:2', 'c:3']), ['1', '2', '3']);
        same('multi', $cluster->multi()->set('{m}x', '1')->incr('{m}x')->exec(), [true, 2]);
    });
}
finish();
