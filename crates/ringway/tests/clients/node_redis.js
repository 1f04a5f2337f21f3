// node-redis against the nodes in REDIS_URLS, in both protocol versions; and its cluster client when there is an argument.

const { createClient, createCluster, defineScript } = require("redis");
const { end, part, refused, same, within, yes } = require("./checks");

const urls = process.env.REDIS_URLS.split(" ");
const double = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)",
  parseCommand: (parser, key, by) => {
    parser.pushKey(key);
    parser.push(String(by));
  },
  transformReply: (reply) => reply,
});

async function connect(at, RESP) {
  const client = createClient({ url: urls[at % urls.length], RESP, scripts: { double } });
  client.on("error", () => {});
  return within(10000, client.connect());
}

async function exercise(RESP) {
  const where = (name) => `RESP${RESP} ${name}`;
  const [one, two] = [await connect(0, RESP), await connect(1, RESP)];
  await part(where("values"), async () => {
    await one.flushDb();
    same("set", await one.set("k", "v", { expiration: { type: "EX", value: 60 }, condition: "NX" }), "OK");
    same("get", await two.get("k"), "v");
    same("hSet", await one.hSet("h", { a: "1", b: "2" }), 2);
    same("hGetAll", { ...(await two.hGetAll("h")) }, { a: "1", b: "2" });
    same("zAdd", await one.zAdd("z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]), 2);
    same("zRangeWithScores", await two.zRangeWithScores("z", 0, -1), [{ value: "a", score: 1 }, { value: "b", score: 2.5 }]);
    same("zScore", await two.zScore("z", "b"), 2.5);
    same("sAdd", await one.sAdd("s", ["x", "y"]), 2);
    same("sMembers", new Set(await two.sMembers("s")), new Set(["x", "y"]));
    same("lPush", await one.lPush("l", ["a", "b"]), 2);
    same("blPop", { ...(await two.blPop("l", 1)) }, { key: "l", element: "b" });
    same("exists", await one.exists(["k", "h", "none"]), 2);
    await refused("a wrong type", () => one.get("h"), "WRONGTYPE");
  });
  await part(where("pipelines and transactions"), async () => {
    same("a pipeline", await Promise.all([...Array(200).keys()].map(() => one.incr("n"))), [...Array(200).keys()].map((n) => n + 1));
    same("multi", await one.multi().set("{m}a", "1").incr("{m}a").get("{m}a").exec(), ["OK", 2, "2"]);
    await one.watch("{m}a");
    await two.set("{m}a", "another's");
    await refused("multi after a change", () => one.multi().set("{m}a", "mine").exec(), "watched keys has been changed");
    same("a script", [await one.double("d", 2), await one.double("d", 3)], [4, 10]);
  });
  await part(where("subscriptions"), async () => {
    const subscriber = await connect(0, RESP);
    const heard = [];
    const hear = within(10000, new Promise((resolve) => {
      const add = (message, channel) => heard.push([channel, message]) === 2 && resolve();
      subscriber.subscribe("news", add).then(() => subscriber.pSubscribe("ne*", add)).then(() => two.publish("news", "hello"));
    }));
    await hear;
    same("heard", heard, [["news", "hello"], ["news", "hello"]]);
    if (RESP === 3) same("commands beside a subscription", await subscriber.get("k"), "v");
    await subscriber.unsubscribe("news");
    subscriber.destroy();
  });
  await part(where("scanning"), async () => {
    await one.mSet([...Array(200).keys()].map((n) => [`scan:${n}`, String(n)]));
    const seen = new Set();
    for await (const keys of two.scanIterator({ MATCH: "scan:*", COUNT: 30 })) keys.forEach((key) => seen.add(key));
    same("scanIterator", seen.size, 200);
  });
  await one.close();
  await two.close();
}

async function cluster(RESP) {
  const { username, password } = new URL(urls[0]);
  const client = createCluster({ rootNodes: [{ url: urls[0] }], defaults: { username, password, RESP }, scripts: { double } });
  client.on("error", () => {});
  await within(10000, client.connect());
  await part(`RESP${RESP} cluster`, async () => {
    same("lists in many slots", await Promise.all([...Array(100).keys()].map((n) => client.rPush(`cl:${n}`, ["a", "b"]))), Array(100).fill(2));
    same("multi", await client.multi().set("{p}a", "5").incrBy("{p}a", 2).exec(), ["OK", 7]);
    same("scripts on all nodes", await Promise.all([...Array(30).keys()].map((n) => client.double(`dbl:${n}`, n))), [...Array(30).keys()].map((n) => 2 * n));
    yes("masters", client.masters.length === urls.length);
  });
  await client.destroy();
}

(async () => {
  for (const RESP of [2, 3]) {
    await exercise(RESP);
    if (process.argv[2] === "cluster") {
      await (await connect(0, RESP)).flushDb();
      await cluster(RESP);
    }
  }
  end();
})();
