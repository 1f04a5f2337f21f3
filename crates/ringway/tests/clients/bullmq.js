// BullMQ 5 at REDIS_URL: real queues. Everything it does is Lua over several keys of one queue (cmsgpack, cjson), so its keys have one
// hash tag (its `prefix`), or the bucket is one with `together = true`.
//
// Every script of it also says what it did in a stream (XADD, XTRIM), which `QueueEvents` and `job.waitUntilFinished` read. With the
// argument `streams` they are tried; with `without-streams` these two commands are taken out of its scripts.

if (process.argv[2] === "without-streams") withoutStreams();
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");
const { end, part, pause, same, within, yes } = require("./checks");

const { hostname, port, username, password } = new URL(process.env.REDIS_URL);
const connection = { host: hostname, port: Number(port), username, password, maxRetriesPerRequest: null };
const options = { connection, prefix: "{bull}" };
const opened = [];
const open = (it) => {
  it.on("error", (error) => said.add(error.message.split("\n")[0]));
  opened.push(it);
  return it;
};
const said = new Set();

function withoutStreams() {
  const dropping = `local rcall = function(name, ...)
  if name == "XADD" or name == "XTRIM" then return "0-0" end
  return redis.call(name, ...)
end`;
  const scripts = require("bullmq/dist/cjs/scripts");
  for (const script of Object.values(scripts)) {
    if (!script.content) continue;
    script.content = `${dropping}\n${script.content.replaceAll("redis.call(\"X", "rcall(\"X").replace(/local rcall = redis\.call\b/g, "")}`;
  }
}

// Waits until a queue has finished so many jobs.
async function finished(queue, count) {
  for (let tries = 0; tries < 200; tries += 1) {
    const counts = await queue.getJobCounts("completed", "failed");
    if (counts.completed + counts.failed >= count) return counts;
    await pause(50);
  }
  return queue.getJobCounts();
}

(async () => {
  await part("jobs", async () => {
    const queue = open(new Queue("work", options));
    const seen = [];
    open(new Worker("work", async (job) => seen.push(job.data.n) && job.data.n * 2, { ...options, concurrency: 4 }));
    await queue.addBulk([...Array(50).keys()].map((n) => ({ name: "double", data: { n } })));
    same("fifty jobs", await finished(queue, 50), { completed: 50, failed: 0 });
    same("each once", seen.sort((a, b) => a - b), [...Array(50).keys()]);
    const job = (await queue.getCompleted(0, 0))[0];
    same("a result", job.returnvalue, job.data.n * 2);
  });
  await part("priorities, delays, retries", async () => {
    const queue = open(new Queue("later", options));
    const order = [];
    await queue.add("low", {}, { priority: 10 });
    await queue.add("high", {}, { priority: 1 });
    await queue.add("delayed", { at: Date.now() }, { delay: 700 });
    await queue.add("flaky", {}, { attempts: 3, backoff: { type: "fixed", delay: 100 } });
    await queue.add("broken", {}, { attempts: 2 });
    same("waiting", await queue.getJobCounts("delayed", "prioritized", "waiting"), { delayed: 1, prioritized: 2, waiting: 2, paused: 0 });
    let waited = 0;
    open(new Worker("later", async (job) => {
      if (job.name === "delayed") waited = Date.now() - job.data.at;
      if (job.name === "flaky" && job.attemptsMade < 2) throw new Error("not yet");
      if (job.name === "broken") throw new Error("always");
      order.push(job.name);
    }, options));
    same("counts", await finished(queue, 5), { completed: 4, failed: 1 });
    yes("delayed for as long as told", waited >= 700);
    same("by priority", order.filter((name) => ["high", "low"].includes(name)), ["high", "low"]);
    same("why it failed", (await queue.getFailed())[0].failedReason, "always");
  });
  await part("repeats", async () => {
    const queue = open(new Queue("repeat", options));
    let runs = 0;
    open(new Worker("repeat", async () => (runs += 1), options));
    await queue.upsertJobScheduler("tick", { every: 200, limit: 3 }, { name: "tick" });
    for (let tries = 0; tries < 100 && runs < 3; tries += 1) await pause(50);
    same("three ticks", runs, 3);
  });
  await part("flows", async () => {
    const flow = open(new FlowProducer(options));
    const queue = open(new Queue("parent", options));
    open(new Worker("child", async (job) => job.data.n, options));
    let total = null;
    open(new Worker("parent", async (job) => (total = Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0)), options));
    await flow.add({ name: "sum", queueName: "parent", children: [1, 2, 3].map((n) => ({ name: "part", queueName: "child", data: { n } })) });
    await finished(queue, 1);
    same("the children's values", total, 6);
  });
  await part("a queue that is stopped and emptied", async () => {
    const queue = open(new Queue("stopped", options));
    await queue.pause();
    same("paused", await queue.isPaused(), true);
    await queue.addBulk([...Array(5).keys()].map((n) => ({ name: "n", data: { n } })));
    const [job] = await queue.getJobs(["paused", "waiting"], 0, 0);
    await job.updateProgress(40);
    await job.log("a line");
    same("logs", (await queue.getJobLogs(job.id)).logs, ["a line"]);
    await job.remove();
    await queue.drain();
    same("drained", await queue.count(), 0);
    await queue.obliterate({ force: true });
  });
  if (process.argv[2] === "streams") {
    await part("events", async () => {
      const [queue, events] = [open(new Queue("events", options)), open(new QueueEvents("events", options))];
      await events.waitUntilReady();
      open(new Worker("events", async () => "told", options));
      const job = await queue.add("job", {});
      same("waitUntilFinished", await within(10000, job.waitUntilFinished(events)), "told");
    });
  }
  await Promise.allSettled(opened.map((it) => within(5000, it.close())));
  same("errors said on the side", [...said], []);
  end();
})();
