// ioredis against the nodes in REDIS_URLS: plain, with pipelines, transactions, scripts and subscriptions; and its Cluster client
// when there is an argument.

const Redis = require("ioredis");
const { end, next, part, refused, same, yes } = require("./checks");

const urls = process.env.REDIS_URLS.split(" ");
const connect = (at, more) => new Redis(urls[at % urls.length], { ...more, maxRetriesPerRequest: 2 });

async function plain(one, two) {
  await part("values", async () => {
    await one.flushdb();
    same("set", await one.set("k", "v", "EX", 60), "OK");
    same("set nx", await two.set("k", "w", "NX"), null);
    same("get", await two.get("k"), "v");
    same("a buffer", await one.set("b", Buffer.from([0, 255, 13, 10])).then(() => two.getBuffer("b")), Buffer.from([0, 255, 13, 10]));
    same("hset", await one.hset("h", { a: 1, b: 2 }), 2);
    same("hgetall", await two.hgetall("h"), { a: "1", b: "2" });
    same("rpush", await one.rpush("l", "a", "b", "c"), 3);
    same("lrange", await two.lrange("l", 0, -1), ["a", "b", "c"]);
    same("sadd", await one.sadd("s", "x", "y"), 2);
    same("zadd", await one.zadd("z", 1, "a", 2.5, "b"), 2);
    same("zrange", await two.zrange("z", 0, -1, "WITHSCORES"), ["a", "1", "b", "2.5"]);
    same("blpop", await two.blpop("l", 1), ["l", "a"]);
    await refused("a wrong type", () => one.get("l"), "WRONGTYPE Operation against a key holding the wrong kind of value");
    const waits = two.brpop("later", 10);
    await one.lpush("later", "now");
    same("brpop of what comes", await waits, ["later", "now"]);
  });
  await part("pipelines and transactions", async () => {
    const pipeline = one.pipeline();
    for (let number = 0; number < 1000; number += 1) pipeline.incr("n");
    const saw = await pipeline.exec();
    same("a pipeline", [saw.length, saw[999]], [1000, [null, 1000]]);
    same("multi", await one.multi().set("{m}a", 1).incr("{m}a").hincrby("{m}h", "f", 3).exec(), [[null, "OK"], [null, 2], [null, 3]]);
    await one.watch("{m}a");
    await two.set("{m}a", "another's");
    same("multi after a change", await one.multi().set("{m}a", "mine").exec(), null);
    const auto = connect(0, { enableAutoPipelining: true });
    same("autopipelining", await Promise.all([...Array(50).keys()].map((n) => auto.incrby("auto", n % 2))), [...Array(50).keys()].map((n) => Math.ceil(n / 2)));
    auto.disconnect();
  });
  await part("scripts", async () => {
    one.defineCommand("take", { numberOfKeys: 2, lua: "local v = redis.call('RPOPLPUSH', KEYS[1], KEYS[2]); return {v, ARGV[1], redis.call('LLEN', KEYS[2])}" });
    await one.rpush("{q}from", "a", "b");
    same("a defined command", await one.take("{q}from", "{q}to", "x"), ["b", "x", 1]);
    same("again, by its hash", await one.take("{q}from", "{q}to", "y"), ["a", "y", 2]);
    same("in a pipeline", await one.pipeline().take("{q}from", "{q}to", "z").get("none").exec(), [[null, [null, "z", 2]], [null, null]]);
    same("cjson", JSON.parse(await one.eval("return cjson.encode({key = KEYS[1], n = tonumber(ARGV[1])})", 1, "k", 7)), { key: "k", n: 7 });
  });
  await part("subscriptions", async () => {
    const subscriber = connect(0);
    same("subscribe", await subscriber.subscribe("news", "more"), 2);
    same("psubscribe", await subscriber.psubscribe("ne*"), 3);
    const both = Promise.all([next(subscriber, "message"), next(subscriber, "pmessage")]);
    await two.publish("news", "hello");
    same("a message through another node", await both, [["news", "hello"], ["ne*", "news", "hello"]]);
    same("unsubscribe", await subscriber.unsubscribe("news"), 2);
    subscriber.disconnect();
  });
  await part("scanning", async () => {
    await one.mset(Object.fromEntries([...Array(300).keys()].map((n) => [`scan:${n}`, n])));
    const seen = new Set();
    for await (const keys of two.scanStream({ match: "scan:*", count: 30 })) keys.forEach((key) => seen.add(key));
    same("scanStream", seen.size, 300);
  });
}

async function cluster() {
  const { hostname, port, username, password } = new URL(urls[0]);
  const client = new Redis.Cluster([{ host: hostname, port: Number(port) }], { redisOptions: { username, password } });
  await part("cluster: values in many slots", async () => {
    await Promise.all([...Array(200).keys()].map((n) => client.rpush(`list:${n}`, n, n + 1)));
    same("lrange", await client.lrange("list:77", 0, -1), ["77", "78"]);
    same("hset", await client.hset("ch", "f", "v"), 1);
    same("zadd and zrange", [await client.zadd("cz", 1, "a", 2, "b"), await client.zrange("cz", 0, -1, "REV")], [2, ["b", "a"]]);
    same("nodes", client.nodes("master").length, urls.length);
  });
  await part("cluster: pipelines, transactions, scripts", async () => {
    same("a pipeline of one slot", await client.pipeline().set("{p}a", 1).incr("{p}a").exec(), [[null, "OK"], [null, 2]]);
    same("multi", await client.multi().set("{p}a", 5).incrby("{p}a", 2).exec(), [[null, "OK"], [null, 7]]);
    client.defineCommand("bump", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
    same("a defined command on all nodes", await Promise.all([...Array(30).keys()].map((n) => client.bump(`bump:${n}`, n))), [...Array(30).keys()]);
    await refused("several slots", () => client.sinter("a", "b", "c"), "CROSSSLOT");
  });
  await part("cluster: subscriptions", async () => {
    same("subscribe", await client.subscribe("news"), 1);
    const message = next(client, "message");
    const other = connect(1);
    await other.publish("news", "hello");
    same("a message", await message, ["news", "hello"]);
    other.disconnect();
  });
  client.disconnect();
}

(async () => {
  const [one, two] = [connect(0), connect(1)];
  await plain(one, two);
  one.disconnect();
  two.disconnect();
  if (process.argv[2] === "cluster") await cluster();
  end();
})();
