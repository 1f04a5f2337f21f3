"""redis-py's cluster client against the nodes of REDIS_URL: all kinds of values, pipelines, scripts, subscriptions.

With an argument, a file: says `ready` when that work is done, then writes and reads all kinds of values until the file is there,
while somebody kills a node. Each operation has one retry.
"""

import json
import os
import pathlib
import sys
import time

import redis
from checks import end, part, refused, same, true
from redis.cluster import RedisCluster

stop = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None


def exercise(protocol):
    client = RedisCluster.from_url(os.environ["REDIS_URL"], protocol=protocol, socket_timeout=20)
    where = f"RESP{protocol}"
    client.flushall()
    with part(f"{where} keys of many slots"):
        for number in range(100):
            same("rpush", client.rpush(f"list:{number}", number, number + 1), 2)
            same("hset", client.hset(f"hash:{number}", "f", number), 1)
            same("zadd", client.zadd(f"zset:{number}", {"m": number}), 1)
            same("sadd", client.sadd(f"set:{number}", "a", number), 2)
        for number in range(100):
            same("lpop", client.lpop(f"list:{number}"), str(number).encode())
            same("hget", client.hget(f"hash:{number}", "f"), str(number).encode())
            same("zscore", client.zscore(f"zset:{number}", "m"), float(number))
            same("smembers", client.smembers(f"set:{number}"), {b"a", str(number).encode()})
        same("dbsize", client.dbsize(), 400)
        same("delete", client.delete(*[f"zset:{number}" for number in range(100)]), 100)
        same("scan_iter", len(set(client.scan_iter(count=50))), 300)
    with part(f"{where} pipelines"):
        pipe = client.pipeline()
        for number in range(200):
            pipe.incrby(f"n:{number}", number)
            pipe.lpush(f"p:{number}", "x")
        saw = pipe.execute()
        same("a pipeline over all nodes", saw, [value for number in range(200) for value in (number, 1)])
    with part(f"{where} one slot"):
        same("sinterstore", [client.sadd("{u}a", 1, 2), client.sadd("{u}b", 2, 3), client.sinterstore("{u}c", "{u}a", "{u}b")], [2, 2, 1])
        same("rename", client.rename("{u}c", "{u}d"), True)
        same("a script", client.eval("return {redis.call('SMEMBERS', KEYS[1]), ARGV[1]}", 1, "{u}d", "v"), [[b"2"], b"v"])
        script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        same("a registered script", [script(keys=["{u}n"], args=[5]), script(keys=["other"], args=[6])], [5, 6])
        lock = client.lock("{u}lock", timeout=10)
        same("a lock", [lock.acquire(blocking=False), client.lock("{u}lock").acquire(blocking=False)], [True, False])
        lock.release()
        refused("several slots", lambda: client.execute_command("SINTER", "a", "b", target_nodes=client.get_primaries()[0]), "hash to the same slot")
    with part(f"{where} subscriptions"):
        subscriber = client.pubsub()
        subscriber.subscribe("news")
        same("subscribed", (subscriber.get_message(timeout=10) or {}).get("type"), "subscribe")
        client.publish("news", "hello")
        message = subscriber.get_message(timeout=10) or {}
        same("message", (message.get("type"), message.get("data")), ("message", b"hello"))
        subscriber.close()
    client.close()


def through_a_kill():
    """What was acknowledged is there, and nothing is done less than once or more than twice (the retry)."""
    client = RedisCluster.from_url(os.environ["REDIS_URL"], socket_timeout=10)
    done, errors, slowest, retried = 0, [], 0.0, 0
    while not stop.exists():
        began = time.monotonic()
        for attempt in range(2):
            try:
                write(client, done)
                break
            except (redis.RedisError, OSError) as error:
                retried += 1
                if attempt == 1:
                    errors.append(f"{done}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.monotonic() - began)
        done += 1
        stop.with_suffix(".progress").write_text(f"{done}\n")
        time.sleep(0.002)
    lost = [number for number in range(done) if not is_there(client, number)]
    same("failed in spite of a retry", errors[:5], [])
    same("lost", lost[:5], [])
    print(json.dumps({"done": done, "retried": retried, "slowest_ms": round(slowest * 1000)}))


def write(client, number):
    client.set(f"s{number}", number)
    client.hset(f"h{number % 50}", f"f{number}", number)
    client.sadd(f"t{number % 50}", number)
    client.zadd(f"z{number % 50}", {str(number): number})


def is_there(client, number):
    return (
        client.get(f"s{number}") == str(number).encode()
        and client.hget(f"h{number % 50}", f"f{number}") == str(number).encode()
        and client.sismember(f"t{number % 50}", number) == 1
        and client.zscore(f"z{number % 50}", str(number)) == number
    )


if stop:
    through_a_kill()
else:
    for version in (2, 3):
        exercise(version)
end()
