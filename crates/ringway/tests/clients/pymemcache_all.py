"""pymemcache at the first of MEMCACHED_SERVERS: the text protocol as a client of memcached sends it."""

import os

from checks import end, part, refused, same, true
from pymemcache.client.base import Client, PooledClient

host, port = os.environ["MEMCACHED_SERVERS"].split(",")[0].split(":")
client = Client((host, int(port)), timeout=10)
client.flush_all()
with part("values"):
    same("set", client.set("k", b"a\x00\r\nb", expire=60), True)
    same("get", client.get("k"), b"a\x00\r\nb")
    same("get with a default", client.get("none", "default"), "default")
    same("without reply", [client.set("quiet", "x", noreply=True), client.get("quiet")], [True, b"x"])
    same("flags", [client.set("flags", "x", flags=12345, noreply=False), client.raw_command("get flags", b"END\r\n")], [True, b"VALUE flags 12345 1\r\nx\r\n"])
    same("add", [client.add("k", "x", noreply=False), client.add("new", "x", noreply=False)], [False, True])
    same("replace", [client.replace("none", "x", noreply=False), client.replace("new", "y", noreply=False)], [False, True])
    same("append and prepend", [client.append("new", "z", noreply=False), client.prepend("new", "x", noreply=False), client.get("new")], [True, True, b"xyz"])
    same("set_many", client.set_many({f"m{n}": str(n) for n in range(100)}), [])
    same("get_many", client.get_many([f"m{n}" for n in range(0, 200, 50)]), {"m0": b"0", "m50": b"50"})
    same("touch", [client.touch("k", 100, noreply=False), client.touch("none", 100, noreply=False)], [True, False])
    same("gat", client.raw_command("gat 100 k none", b"END\r\n"), b"VALUE k 0 5\r\na\x00\r\nb\r\n")
    same("delete", [client.delete("k", noreply=False), client.delete("k", noreply=False)], [True, False])
    same("set that has expired", [client.set("past", "x", expire=-1, noreply=False), client.get("past")], [True, None])
    refused("a key that is too long", lambda: client.get("k" * 251), "too long")
with part("cas"):
    client.set("c", "one")
    value, token = client.gets("c")
    same("gets", value, b"one")
    same("cas", client.cas("c", "two", token, noreply=False), True)
    same("cas with an old token", client.cas("c", "three", token, noreply=False), False)
    same("cas of nothing", client.cas("none", "three", token, noreply=False), None)
    touched = client.raw_command("gats 100 c", b"END\r\n").split()
    same("gats", [touched[:4], client.cas("c", "four", touched[4], noreply=False)], [[b"VALUE", b"c", b"0", b"3"], True])
with part("counters"):
    client.set("n", "10")
    same("incr and decr", [client.incr("n", 5), client.decr("n", 100), client.incr("none", 1)], [15, 0, None])
    client.set("n", "18446744073709551615")
    same("incr wraps", client.incr("n", 2), 1)
    client.set("n", "text")
    refused("incr of a text", lambda: client.incr("n", 1), "non-numeric")
with part("meta commands"):
    raw = client.raw_command
    same("mn", raw("mn"), b"MN")
    same("ms", raw("ms meta 2 F7 T100\r\nhi"), b"HD")
    same("mg", raw("mg meta v f t s k"), b"VA 2 f7 t100 s2 kmeta\r\nhi".split(b"\r\n")[0])
    client.close()
    same("mg of nothing", raw("mg none v"), b"EN")
    same("mg for the flags only", raw("mg meta f"), b"HD f7")
    same("ma", [raw("ms count 1\r\n5"), raw("ma count N0"), raw("ma count MD D2")], [b"HD", b"HD", b"HD"])
    same("md", [raw("md meta"), raw("md meta")], [b"HD", b"NF"])
with part("the server"):
    true("version", client.version()[0:1].isdigit())
    true("stats", {b"curr_items", b"cmd_get", b"get_hits", b"limit_maxbytes", b"threads"} <= set(client.stats()))
    refused("an unknown command", lambda: client.raw_command("frobnicate"), "")
    pool = PooledClient((host, int(port)), max_pool_size=4)
    same("a pool", [pool.set("p", "x"), pool.get("p")], [True, b"x"])
end()
