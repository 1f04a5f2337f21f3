// Writes and reads back through ioredis' cluster client until it is told to stop; says how it went as JSON.
//
// Usage: ioredis_cluster.js BUCKET TOKEN HOST DIR. The number of operations done is in DIR/js.progress, the end is DIR/stop.

const fs = require("fs");
const path = require("path");
const { Cluster } = require("ioredis");

const [bucket, token, host, place] = process.argv.slice(2);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main() {
  const client = new Cluster([{ host, port: 7379 }], { redisOptions: { username: bucket, password: token } });
  // What it says besides the results of commands: a connection that has ended, say.
  const said = [];
  client.on("error", (error) => said.push(error.message));
  let [done, slowest] = [0, 0];
  const errors = [];
  while (!fs.existsSync(path.join(place, "stop"))) {
    const [key, value] = [`js:${done}`, String(done)];
    const began = Date.now();
    try {
      await client.set(key, value);
      const read = await client.get(key);
      if (read !== value) errors.push(`${key} is ${read}`);
    } catch (error) {
      errors.push(`${key}: ${error.message}`);
    }
    slowest = Math.max(slowest, Date.now() - began);
    done += 1;
    fs.writeFileSync(path.join(place, "js.progress"), `${done}\n`);
    await pause(2);
  }
  const lost = [];
  for (let number = 0; number < done; number += 1) {
    if ((await client.get(`js:${number}`)) !== String(number)) lost.push(`js:${number}`);
  }
  console.log(JSON.stringify({ done, errors, lost, slowest_ms: slowest, said }));
  client.disconnect();
}

main();
