<?php
// The memcached extension (libmemcached) at MEMCACHED_SERVERS.

require __DIR__ . '/checks.php';

$cache = new Memcached();
foreach (explode(',', getenv('MEMCACHED_SERVERS')) as $server) {
    [$host, $port] = explode(':', $server);
    $cache->addServer($host, (int) $port);
}

part('values', function () use ($cache) {
    same('flush', $cache->flush(), true);
    same('set', $cache->set('k', "a\0\r\nb", 60), true);
    same('get', $cache->get('k'), "a\0\r\nb");
    same('get of nothing', [$cache->get('none'), $cache->getResultCode()], [false, Memcached::RES_NOTFOUND]);
    same('types by flags', [$cache->set('array', ['a' => [1, 2.5, null]]), $cache->get('array')], [true, ['a' => [1, 2.5, null]]]);
    same('an integer', [$cache->set('int', 42), $cache->get('int')], [true, 42]);
    same('add', [$cache->add('k', 'x'), $cache->add('new', 'x')], [false, true]);
    same('replace', [$cache->replace('none', 'x'), $cache->replace('new', 'y')], [false, true]);
    $cache->setOption(Memcached::OPT_COMPRESSION, false);
    $cache->set('text', 'b');
    same('append and prepend', [$cache->append('text', 'c'), $cache->prepend('text', 'a'), $cache->get('text')], [true, true, 'abc']);
    same('delete', [$cache->delete('text'), $cache->delete('text')], [true, false]);
    same('touch', [$cache->touch('k', 100), $cache->touch('none', 100)], [true, false]);
    same('a time that has passed', [$cache->set('past', 'x', time() - 10), $cache->get('past')], [true, false]);
    same('a large value', [$cache->set('large', str_repeat('x', 900000)), strlen((string) $cache->get('large'))], [true, 900000]);
    same('a key of 250 bytes', [$cache->set(str_repeat('k', 250), 'v'), $cache->get(str_repeat('k', 250))], [true, 'v']);
});
part('many at once', function () use ($cache) {
    $all = [];
    for ($number = 0; $number < 200; $number++) {
        $all["m$number"] = "v$number";
    }
    same('setMulti', $cache->setMulti($all), true);
    $saw = $cache->getMulti(array_merge(array_keys($all), ['none']));
    ksort($saw);
    ksort($all);
    same('getMulti', $saw, $all);
});
part('counters', function () use ($cache) {
    $cache->set('n', 10);
    same('increment', [$cache->increment('n'), $cache->increment('n', 5), $cache->decrement('n', 20)], [11, 16, 0]);
    same('increment of nothing', $cache->increment('none'), false);
});
part('cas', function () use ($cache) {
    $cache->set('c', 'one');
    $extended = $cache->get('c', null, Memcached::GET_EXTENDED);
    same('the value', $extended['value'], 'one');
    same('cas', $cache->cas($extended['cas'], 'c', 'two'), true);
    same('cas with an old token', [$cache->cas($extended['cas'], 'c', 'three'), $cache->getResultCode()], [false, Memcached::RES_DATA_EXISTS]);
    same('what is there', $cache->get('c'), 'two');
});
part('about the servers', function () use ($cache) {
    foreach ($cache->getVersion() as $server => $version) {
        same("version of $server", preg_match('/^\d+\.\d+\.\d+/', $version), 1);
    }
    foreach ($cache->getStats() as $server => $stats) {
        same("stats of $server", isset($stats['curr_items'], $stats['get_hits'], $stats['cmd_set']), true);
    }
});
finish();
