"""redis-py against the nodes in REDIS_URLS, in both protocol versions: what an application does with it."""

import os
import threading
import time

import redis
from checks import end, part, refused, same, true
from redis.lock import Lock

urls = os.environ["REDIS_URLS"].split()


def exercise(protocol):
    def connect(at, **more):
        return redis.Redis.from_url(urls[at % len(urls)], protocol=protocol, socket_timeout=20, **more)

    one, two = connect(0), connect(1)
    text = connect(2, decode_responses=True)
    where = f"RESP{protocol}"
    one.flushdb()

    with part(f"{where} strings"):
        same("set", one.set("{s}k", b"\x00\xff\r\n", ex=60), True)
        same("get through another node", two.get("{s}k"), b"\x00\xff\r\n")
        same("set nx", two.set("{s}k", "x", nx=True), None)
        same("set get", two.set("{s}k", "y", get=True), b"\x00\xff\r\n")
        same("getdel", one.getdel("{s}k"), b"y")
        same("append", one.append("{s}k", "abc"), 3)
        same("setrange", one.setrange("{s}k", 5, "z"), 6)
        same("getrange", two.getrange("{s}k", 0, -1), b"abc\x00\x00z")
        same("incrbyfloat", one.incrbyfloat("{s}f", 0.1), 0.1)
        same("mset", one.mset({"{s}a": 1, "{s}b": 2}), True)
        same("mget", text.mget("{s}a", "{s}b", "none"), ["1", "2", None])
        same("getex", one.getex("{s}a", ex=100), b"1")
        true("ttl", 95 <= two.ttl("{s}a") <= 100)
        same("persist", one.persist("{s}a"), True)
        same("ttl of what stays", one.ttl("{s}a"), -1)
        same("rename", one.rename("{s}a", "{s}c"), True)
        same("type", text.type("{s}c"), "string")
        refused("a wrong number", lambda: one.incr("{s}k"), "value is not an integer or out of range")
        refused("an unknown command", lambda: one.execute_command("FROB"), "unknown command")
        big = os.urandom(3_000_000)
        one.set("{s}big", big)
        true("three megabytes", two.get("{s}big") == big)

    with part(f"{where} lists"):
        same("rpush", one.rpush("l", *range(10)), 10)
        same("lrange", two.lrange("l", 2, -3), [b"2", b"3", b"4", b"5", b"6", b"7"])
        same("lpop 2", one.lpop("l", 2), [b"0", b"1"])
        same("linsert", one.linsert("l", "before", "5", "x"), 9)
        same("lrem", one.lrem("l", 0, "x"), 1)
        same("lmove", one.lmove("l", "l", "LEFT", "RIGHT"), b"2")
        same("ltrim", one.ltrim("l", -3, -1), True)
        same("lpos", one.lpos("l", "9"), 1)
        same("the rest", text.lrange("l", 0, -1), ["8", "9", "2"])
        same("blpop of what is there", text.blpop(["l"], 1), ("l", "8") if protocol == 2 else ["l", "8"])
        saw = []
        waits = threading.Thread(target=lambda: saw.append(connect(0).blpop(["later"], 10)))
        waits.start()
        time.sleep(0.1)
        two.rpush("later", "now")
        waits.join()
        same("blpop of what comes", [list(item) for item in saw if item], [[b"later", b"now"]])
        began = time.monotonic()
        same("brpop of nothing", one.brpop("none", 1), None)
        true("brpop waits as long as told", 0.9 <= time.monotonic() - began < 4)
        refused("a wrong type", lambda: one.get("l"), "WRONGTYPE Operation against a key holding the wrong kind of value")

    with part(f"{where} hashes, sets, sorted sets"):
        same("hset", one.hset("h", mapping={"a": 1, "b": 2, "c": 3}), 3)
        same("hgetall", text.hgetall("h"), {"a": "1", "b": "2", "c": "3"})
        same("hincrby", one.hincrby("h", "a", 41), 42)
        same("hincrbyfloat", one.hincrbyfloat("h", "b", 0.5), 2.5)
        same("hmget", two.hmget("h", "a", "none"), [b"42", None])
        same("hscan_iter", dict(text.hscan_iter("h")), {"a": "42", "b": "2.5", "c": "3"})
        same("sadd", one.sadd("{t}1", "a", "b", "c"), 3)
        one.sadd("{t}2", "b", "c", "d")
        same("smembers", text.smembers("{t}1"), {"a", "b", "c"})
        same("sinter", text.sinter("{t}1", "{t}2"), {"b", "c"})
        same("sunionstore", one.sunionstore("{t}3", "{t}1", "{t}2"), 4)
        same("sismember", two.sismember("{t}3", "d"), 1)
        same("smismember", two.smismember("{t}3", ["a", "x"]), [1, 0])
        same("zadd", one.zadd("z", {"a": 1, "b": 2.5, "c": 3}), 3)
        same("zrange", text.zrange("z", 0, -1, withscores=True),
             [("a", 1.0), ("b", 2.5), ("c", 3.0)] if protocol == 2 else [["a", 1.0], ["b", 2.5], ["c", 3.0]])
        same("zincrby", one.zincrby("z", 4, "a"), 5.0)
        same("zrank", two.zrank("z", "a"), 2)
        same("zrangebyscore", text.zrangebyscore("z", "(2.5", "+inf"), ["c", "a"])
        same("zscore", one.zscore("z", "b"), 2.5)
        same("zpopmin", [list(pair) if isinstance(pair, (list, tuple)) else pair for pair in text.zpopmin("z")],
             [["b", 2.5]] if protocol == 2 else ["b", 2.5])
        same("bzpopmin", [str(item) for item in text.bzpopmin("z", 1)], ["z", "c", "3.0"])

    with part(f"{where} scanning"):
        pipe = one.pipeline(transaction=False)
        for number in range(500):
            pipe.set(f"scan:{number}", number)
            pipe.sadd("members", f"m{number}")
            pipe.zadd("scores", {f"m{number}": number})
            pipe.hset("fields", f"f{number}", number)
        pipe.execute()
        same("scan_iter", len(set(two.scan_iter(match="scan:*", count=40))), 500)
        same("sscan_iter", {m.decode() for m in one.sscan_iter("members", count=7)}, {f"m{n}" for n in range(500)})
        same("zscan_iter", {m.decode(): s for m, s in two.zscan_iter("scores", count=7)}, {f"m{n}": n for n in range(500)})
        same("hscan_iter", {f.decode(): int(v) for f, v in one.hscan_iter("fields", count=7)}, {f"f{n}": n for n in range(500)})
        same("scan of a type", {key for key in text.scan_iter(_type="zset", count=100)}, {"scores", "z"})

    with part(f"{where} pipelines and transactions"):
        pipe = one.pipeline(transaction=True)
        pipe.set("{x}a", 1).incr("{x}a").lpush("{x}l", "v").hset("{x}h", "f", "v").get("{x}a")
        same("a transaction", pipe.execute(), [True, 2, 1, 1, b"2"])
        pipe = one.pipeline(transaction=True)
        pipe.set("{x}a", 5).lpush("{x}a", "no").incr("{x}a")
        saw = pipe.execute(raise_on_error=False)
        same("an error inside does not stop the rest", [saw[0], type(saw[1]).__name__, saw[2]], [True, "ResponseError", 6])
        pipe = one.pipeline(transaction=True)
        pipe.get("{x}a")
        pipe.execute_command("FROB")
        refused("a broken transaction", pipe.execute, "unknown command")

        with one.pipeline() as pipe:
            pipe.watch("{x}a")
            two.set("{x}a", "changed by another, through another node")
            pipe.multi()
            pipe.set("{x}a", "mine")
            try:
                pipe.execute()
                same("WATCH", "no WatchError", "a WatchError")
            except redis.WatchError:
                pass
        one.set("{x}count", 0)

        def increment():
            client = connect(threading.get_ident())
            for _ in range(10):
                client.transaction(lambda pipe: (lambda now: (pipe.multi(), pipe.set("{x}count", now + 1)))(int(pipe.get("{x}count"))), "{x}count")

        threads = [threading.Thread(target=increment) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        same("forty watched increments", one.get("{x}count"), b"40")

    with part(f"{where} locks"):
        lock = Lock(one, "lock", timeout=10)
        same("acquire", lock.acquire(blocking=False), True)
        other = Lock(two, "lock", timeout=10)
        same("acquire of what is held", other.acquire(blocking=False), False)
        same("extend", lock.extend(20), True)
        same("reacquire", lock.reacquire(), True)
        lock.release()
        same("acquire of what was released", other.acquire(blocking_timeout=2), True)
        refused("release of another's", lambda: setattr(lock.local, "token", b"x") or lock.release(), "no longer owned")
        other.release()

    with part(f"{where} scripts"):
        script = one.register_script("redis.call('SET', KEYS[1], ARGV[1]); return {redis.call('GET', KEYS[1]), 7, false}")
        same("a script", script(keys=["k"], args=["v"]), [b"v", 7, None])
        same("the same script through another node", script(keys=["k"], args=["w"], client=two), [b"w", 7, None])
        sha = two.script_load("return ARGV[1] .. '!'")
        same("script exists", two.script_exists(sha, "f" * 40), [True, False])
        same("evalsha", two.evalsha(sha, 0, "hey"), b"hey!")
        refused("no such script", lambda: one.evalsha("0" * 40, 0), "No matching script")
        refused("a script's error", lambda: one.eval("return redis.call('INCR', KEYS[1])", 1, "k"), "not an integer")

    with part(f"{where} publish and subscribe"):
        subscriber = one.pubsub()
        subscriber.subscribe("news")
        subscriber.psubscribe("n*")
        kinds = [next_message(subscriber)["type"] for _ in range(2)]
        same("subscribed", kinds, ["subscribe", "psubscribe"])
        arrives = two.publish("news", "hello")
        same("publish says how many", arrives, 2) if len(urls) == 1 else None
        saw = sorted((m["type"], m["channel"], m["pattern"], m["data"]) for m in (next_message(subscriber), next_message(subscriber)))
        same("through another node", saw, [("message", b"news", None, b"hello"), ("pmessage", b"news", b"n*", b"hello")])
        same("numsub", one.pubsub_numsub("news", "none"), [(b"news", 1), (b"none", 0)])
        same("numpat", one.pubsub_numpat(), 1)
        same("channels", one.pubsub_channels("*"), [b"news"])
        subscriber.ping()
        same("ping while subscribed", next_message(subscriber)["type"], "pong")
        subscriber.unsubscribe("news")
        same("unsubscribed", next_message(subscriber)["type"], "unsubscribe")
        one.publish("news", "again")
        same("only the pattern is left", next_message(subscriber)["type"], "pmessage")
        subscriber.close()

    with part(f"{where} the connection"):
        same("echo", one.echo("x"), b"x")
        true("a time", abs(one.time()[0] - time.time()) < 60)
        same("client name", [text.client_setname("me"), text.client_getname()], [True, "me"])
        true("a version", one.info("server")["redis_version"].startswith("7"))
        true("client list names this one", any(client["name"] == "me" for client in text.client_list()))
        true("dbsize", one.dbsize() > 500)
        same("flushdb", one.flushdb(), True)
        same("dbsize of nothing", two.dbsize(), 0)


def next_message(subscriber):
    message = subscriber.get_message(timeout=10)
    return message or {"type": "nothing came", "channel": None, "pattern": None, "data": None}


for version in (2, 3):
    exercise(version)
end()
