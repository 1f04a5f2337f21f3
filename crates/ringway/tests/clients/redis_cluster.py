"""Writes and reads back through redis-py's cluster client until it is told to stop; says how it went as JSON.

Usage: redis_cluster.py BUCKET TOKEN HOST DIR. The number of operations done is in DIR/py.progress, the end is DIR/stop.
"""

import json
import pathlib
import sys
import time

import redis
from redis.cluster import RedisCluster

bucket, token, host, place = sys.argv[1:5]
place = pathlib.Path(place)
client = RedisCluster(host=host, port=7379, username=bucket, password=token, socket_timeout=10)
done, errors, slowest = 0, [], 0.0
while not (place / "stop").exists():
    key, value = f"py:{done}", str(done)
    began = time.monotonic()
    try:
        assert client.set(key, value), key
        read = client.get(key)
        assert read == value.encode(), f"{key} is {read}"
    except (redis.RedisError, OSError) as error:
        errors.append(f"{key}: {type(error).__name__}: {error}")
    slowest = max(slowest, time.monotonic() - began)
    done += 1
    (place / "py.progress").write_text(f"{done}\n")
    time.sleep(0.002)
lost = [f"py:{number}" for number in range(done) if client.get(f"py:{number}") != str(number).encode()]
print(json.dumps({"done": done, "errors": errors, "lost": lost, "slowest_ms": round(slowest * 1000)}))
