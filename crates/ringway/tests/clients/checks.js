// What a client program saw and what it was to see: all differences are told at the end, not only the first.

const { isDeepStrictEqual, inspect } = require("util");

const failures = [];
const show = (value) => inspect(value, { depth: 6, breakLength: 110 });

function same(what, saw, expected) {
  if (!isDeepStrictEqual(saw, expected)) failures.push(`${what}\n    saw:      ${show(saw)}\n    expected: ${show(expected)}`);
}

function yes(what, saw) {
  if (!saw) failures.push(`${what}\n    saw: ${show(saw)}`);
}

// A part of the program: if it breaks off, the next ones run all the same.
async function part(name, run) {
  try {
    await within(30000, run());
  } catch (error) {
    const at = (error.stack || "").split("\n").find((line) => line.includes("/clients/"));
    failures.push(`${name}: ${error.name}: ${error.message} ${(at || "").trim()}`);
  }
}

// The call fails with a text that has this in it.
async function refused(what, call, text) {
  try {
    const saw = await call();
    failures.push(`${what}\n    saw:      ${show(saw)}\n    expected: an error with ${text}`);
  } catch (error) {
    if (!String(error.message).includes(text)) failures.push(`${what}\n    saw:      ${error.message}\n    expected: an error with ${text}`);
  }
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The next event of this name.
const next = (emitter, name) => within(10000, new Promise((resolve) => emitter.once(name, (...told) => resolve(told))));

function end() {
  console.log(failures.length ? `${failures.length} differences:\n${failures.join("\n")}` : "fine");
  process.exit(failures.length ? 1 : 0);
}

module.exports = { end, next, part, pause, refused, same, within, yes };
