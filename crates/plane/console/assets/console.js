"use strict";
// The console: asks its node for an overview once a second and draws what changed.

const POLL_MS = 1000;
const POLL_MOVING_MS = 500;
const ASK_WITHIN_MS = 4000;
const SECONDS = 120;
const PALETTE = 8;
const STATES = {
  busy: ["◉", "busy"], warm: ["●", "warm"], idle: ["◐", "idle"], starting: ["◔", "starting"],
  cold: ["○", "cold"], stopping: ["◍", "stopping"], backing_off: ["▲", "backing off"],
};
const REACH = { up: ["●", "up"], suspect: ["◐", "suspect"], down: ["✕", "down"] };

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const page = { token: null, ring: null, overview: null, seenAt: 0, colours: new Map(), picked: null, lookedUp: null, walk: null, wish: null, isFresh: false };

// ---- Elements ---------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets text only if it changed, so that selections and screen readers are left in peace. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps the children of `parent` in step with `items`: those that stay keep their element. */
function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, at) => {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    old.delete(key);
    if (update) update(child, item);
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
  old.forEach((child) => child.remove());
}

/** Draws again only when what it is drawn from is different. */
function redraw(element, from, draw) {
  const text = JSON.stringify(from);
  if (element.drawnFrom === text) return;
  element.drawnFrom = text;
  draw();
}

// ---- Words ------------------------------------------------------------------------------------------------------------

function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (n >= 999.5 && at < units.length - 1) { n /= 1000; at += 1; }
  return `${n >= 100 || at === 0 ? Math.round(n) : n.toFixed(1)} ${units[at]}`;
}

function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const plural = (n, word) => `${number.format(n)} ${word}${n === 1 ? "" : "s"}`;
const listed = (names) => names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(part > 0 && part / whole < 0.1 ? 1 : 0)} %` : "–";
const clock = (ms) => new Date(ms).toLocaleTimeString();
const moment = (ms) => Date.now() - ms < 43_200_000 ? clock(ms) : new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// ---- Colours: one a node, by when they joined: all who look see the same, and a newcomer changes nobody's ---------------------

function assignColours(nodes) {
  const byAge = [...nodes].sort((a, b) => a.joined_ms - b.joined_ms || (a.id < b.id ? -1 : 1));
  page.colours = new Map(byAge.map((node, at) => [node.id, at % PALETTE]));
}
const colourOf = (id) => `n${page.colours.get(id) ?? 0}`;
const letterOf = (name) => (name.match(/\d+$/)?.[0].slice(-2) ?? name[0] ?? "?").toUpperCase();

// ---- Ring: 256 sectors of 16 cells, a cell for each partition -------------------------------------------------------------

const SECTORS = 256;
const ROWS = 16;
const CENTRE = 210;
const INNER = 112;
const OUTER = 186;
const ROW = (OUTER - INNER) / ROWS;

function at(radius, turn) {
  const angle = (turn - 0.25) * 2 * Math.PI;
  return `${(CENTRE + radius * Math.cos(angle)).toFixed(1)} ${(CENTRE + radius * Math.sin(angle)).toFixed(1)}`;
}

function cell(partition, gap = 0.12) {
  const sector = Math.floor(partition / ROWS);
  const [from, to] = [(sector + gap) / SECTORS, (sector + 1 - gap) / SECTORS];
  const near = INNER + (partition % ROWS) * ROW + gap * ROW;
  const far = near + ROW * (1 - 2 * gap);
  return `M${at(near, from)}L${at(far, from)}L${at(far, to)}L${at(near, to)}Z`;
}

/** For each member the cells it is primary of, and those it keeps a copy of. */
function cellsOf(ring) {
  const primary = ring.members.map(() => []);
  const copies = ring.members.map(() => []);
  for (const arc of ring.arcs) {
    for (let partition = arc.from_partition; partition <= arc.to_partition; partition += 1) {
      const path = cell(partition);
      arc.owners.forEach((owner, place) => (place === 0 ? primary : copies)[owner].push(path));
    }
  }
  return ring.members.map((_, at) => [primary[at].join(""), copies[at].join("")]);
}

function drawRing(ring) {
  const svg = $("ring");
  const cells = cellsOf(ring);
  svg.replaceChildren(
    $("ring-desc") ?? s("desc", { id: "ring-desc" }),
    s("circle", { class: "track", cx: CENTRE, cy: CENTRE, r: OUTER + 9 }),
    s("circle", { class: "progress", id: "ring-progress", cx: CENTRE, cy: CENTRE, r: OUTER + 9, pathLength: 1, transform: `rotate(-90 ${CENTRE} ${CENTRE})` }),
    ...ring.members.map((member, n) => s("path", { class: `held ${colourOf(member.id)}`, d: cells[n][1], "data-node": member.id })),
    ...ring.members.map((member, n) => s("path", { class: `cells ${colourOf(member.id)}`, d: cells[n][0], "data-node": member.id })),
    ...ring.virtual_nodes.map((place) => virtualNode(ring, place)),
    s("g", { id: "ring-mark" }),
    s("text", { class: "big", id: "ring-big", x: CENTRE, y: CENTRE + 6 }),
    s("text", { class: "small", id: "ring-small", x: CENTRE, y: CENTRE + 32 }),
    ...[[0, "0"], [0.25, "¼"], [0.5, "½"], [0.75, "¾"]].map(([turn, text]) => {
      const [x, y] = at(OUTER + 19, turn).split(" ");
      return s("text", { class: "tick", x, y: Number(y) + 3.5 }, text);
    }),
    s("g", { id: "ring-flows" }),
    s("g", { id: "ring-walk" }),
  );
  page.drawnWalk = null;
}

/** Of a peer-to-peer ring: where a node stands. Those of a managed ring are the cells themselves. */
function virtualNode(ring, place) {
  const [cx, cy] = at(OUTER + 9, turnOf(place.point)).split(" ");
  const mark = s("circle", { class: `place ${colourOf(ring.members[place.node].id)}`, cx, cy, r: 4.5 });
  mark.append(s("title", {}, `${ring.members[place.node].name} at ${place.point}`));
  return mark;
}

/** A point of 16 hexadecimal digits as a part of the circle. */
const turnOf = (point) => Number(BigInt(`0x${point}`) >> 11n) / 2 ** 53;

function showRing(overview) {
  const { ring } = page;
  if (!ring) return;
  const table = $("lookup-via").options[0];
  if (table.disabled !== (ring.kind !== "managed")) {
    // No node of a peer-to-peer ring knows them all.
    table.disabled = !table.disabled;
    if (table.selected) $("lookup-via").value = "fingers";
  }
  redraw($("ring"), [ring.version, [...page.colours]], () => drawRing(ring));
  const { nodes, ring: summary } = overview.status;
  const down = new Set(nodes.filter((node) => node.reach === "down").map((node) => node.id));
  for (const path of $("ring").querySelectorAll("path.cells")) path.classList.toggle("is-down", down.has(path.dataset.node));
  say($("ring-big"), number.format(ring.members.length));
  const kind = ring.kind === "managed" ? `epoch ${ring.epoch}` : plural(ring.virtual_nodes.length, "virtual node");
  say($("ring-small"), `${ring.members.length === 1 ? "node" : "nodes"} · ${kind}`);
  showFlows(overview.transfers);
  showWalk();
  const done = summary.moving ? share(summary.moving) : 0;
  const progress = $("ring-progress");
  progress.setAttribute("visibility", summary.moving ? "visible" : "hidden");
  progress.setAttribute("stroke-dasharray", "1 1");
  progress.setAttribute("stroke-dashoffset", String(1 - Math.max(done, 0.005)));
  const parts = nodes.map((node) => `${node.name} ${percent(node.share.primary, summary.partitions)}`);
  say($("ring-desc"), `The ring of ${summary.partitions} partitions. Primary of: ${parts.join(", ")}.`);
  showPicked();
}

const share = (moving) => moving.copies_total ? moving.copies_done / moving.copies_total : 1;

function ownersOf(partition) {
  const arc = page.ring?.arcs.find((arc) => arc.from_partition <= partition && partition <= arc.to_partition);
  return arc ? arc.owners.map((owner) => page.ring.members[owner]) : [];
}

/** Which partition is under the pointer. */
function partitionAt(event) {
  const box = $("ring").getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) / box.width * 2 * CENTRE - CENTRE, (event.clientY - box.top) / box.height * 2 * CENTRE - CENTRE];
  const radius = Math.hypot(x, y);
  if (radius < INNER || radius >= OUTER) return null;
  const turn = (Math.atan2(y, x) / (2 * Math.PI) + 1.25) % 1;
  return Math.floor(turn * SECTORS) * ROWS + Math.floor((radius - INNER) / ROW);
}

function mark(partition) {
  const group = $("ring-mark");
  if (!group) return;
  group.replaceChildren(...(partition === null ? [] : [s("path", { class: "mark", d: cell(partition, -0.25) })]));
}

function describe(partition) {
  const owners = ownersOf(partition).map((owner) => owner.name);
  const copies = owners.length > 1 ? `, copies on ${listed(owners.slice(1))}` : "";
  return `Partition ${partition}, slots ${partition * 4} to ${partition * 4 + 3}: primary ${owners[0] ?? "nobody"}${copies}`;
}

function showPicked() {
  const picked = page.picked;
  $("ring").classList.toggle("is-picking", picked !== null);
  for (const path of $("ring").querySelectorAll("[data-node]")) path.classList.toggle("is-picked", path.dataset.node === picked);
  for (const row of $("nodes").children) row.classList.toggle("is-picked", row.dataset.key === picked);
  if (picked !== null) {
    const node = page.overview.status.nodes.find((node) => node.id === picked);
    const { partitions } = page.overview.status.ring;
    if (node) say($("readout"), `${node.name}: primary of ${percent(node.share.primary, partitions)} of the ring (strong), keeps ${percent(node.share.held, partitions)} in all (pale)`);
  }
}

function rest() {
  mark(page.lookedUp);
  say($("readout"), page.lookedUp === null ? "Point at a cell, or at a node." : describe(page.lookedUp));
}

function pick(id) {
  page.picked = id;
  if (page.overview) showPicked();
  if (id === null) rest();
  else mark(null);
}

function listenToRing() {
  const svg = $("ring");
  svg.addEventListener("pointermove", (event) => {
    const partition = partitionAt(event);
    if (partition === null || !page.ring) return rest();
    mark(partition);
    say($("readout"), describe(partition));
  });
  svg.addEventListener("pointerleave", rest);
  addEventListener("resize", () => page.overview && showRate(page.overview));
  $("lookup").addEventListener("submit", (event) => {
    event.preventDefault();
    lookUp($("lookup-key").value);
  });
  for (const id of ["lookup-via", "lookup-from", "lookup-virtual"]) $(id).addEventListener("change", () => lookUp($("lookup-key").value));
}

// ---- What moves: from hub to hub, inside the ring ------------------------------------------------------------------------

const HUBS = 82;

/** Where a node's hub is: in the order of the list, from the top. */
function hub(id) {
  const { nodes } = page.overview.status;
  const place = Math.max(0, nodes.findIndex((node) => node.id === id));
  return at(HUBS, place / nodes.length).split(" ").map(Number);
}

function showFlows(transfers) {
  const group = $("ring-flows");
  const { nodes } = page.overview.status;
  $("ring").classList.toggle("is-flowing", transfers.length > 0);
  redraw(group, transfers.length ? [transfers.map(({ from, to }) => [from.id, to.id]), nodes.map((node) => node.name)] : null, () => {
    const flow = ({ from, to }) => {
      const [[x1, y1], [x2, y2]] = [hub(from.id), hub(to.id)];
      const bend = (one, other) => CENTRE + ((one + other) / 2 - CENTRE) * 0.35;
      const path = s("path", { class: `flow ${colourOf(to.id)}`, d: `M${x1} ${y1}Q${bend(x1, x2).toFixed(1)} ${bend(y1, y2).toFixed(1)} ${x2} ${y2}` });
      path.append(s("title", {}, `${from.name} → ${to.name}`));
      return path;
    };
    const mark = (node) => {
      const [cx, cy] = hub(node.id);
      return [s("circle", { class: `hub ${colourOf(node.id)}`, cx, cy, r: 12 }), s("text", { class: "hub-letter", x: cx, y: cy + 4 }, letterOf(node.name))];
    };
    group.replaceChildren(...transfers.map(flow), ...(transfers.length ? nodes.flatMap(mark) : []));
  });
}

function showTransfers(transfers) {
  keyed($("transfers"), transfers, ({ from, to }) => `${from.id}-${to.id}`,
    () => h("li", {}, h("span"), h("progress", { max: 1 }), h("span")),
    (row, transfer) => {
      const [who, bar, facts] = row.children;
      say(who, `${transfer.from.name} → ${transfer.to.name}`);
      bar.value = transfer.partitions_total ? transfer.partitions_done / transfer.partitions_total : 0;
      bar.setAttribute("aria-label", `From ${transfer.from.name} to ${transfer.to.name}`);
      const speed = transfer.bytes_per_second > 0 && `${bytes(transfer.bytes_per_second)}/s`;
      const isHere = transfer.partitions_done === transfer.partitions_total;
      const left = !isHere && transfer.eta_ms !== null && `${span(transfer.eta_ms)} left`;
      const state = isHere ? "all here" : transfer.state !== "moving" && transfer.state;
      say(facts, [`${number.format(transfer.partitions_done)} of ${number.format(transfer.partitions_total)} copies`, bytes(transfer.bytes_done), speed, left, state].filter(Boolean).join(" · "));
    });
}

// ---- Lookups: the way of a key, from virtual node to virtual node ---------------------------------------------------------

const HOPS_DRAWN = 60;
/** Stops that are nearer than this have no room for a time between them: it is in the list. */
const TIME_ROOM = 70;
const HOP_MS = 450;

async function lookUp(key) {
  if (!key) {
    page.lookedUp = page.walk = null;
    say($("lookup-answer"), "");
    $("lookup-walks").replaceChildren();
    showWalk();
    return rest();
  }
  try {
    const how = `&via=${$("lookup-via").value}&walk=${$("lookup-virtual").checked ? "virtual" : "node"}&from=${encodeURIComponent($("lookup-from").value)}`;
    const found = await ask(`/v1/ring/lookup?key=${encodeURIComponent(key)}${how}`);
    page.lookedUp = found.partition;
    rest();
    say($("lookup-answer"), `slot ${found.slot}, point ${found.point}`);
    const walks = found.walks.map((walk) => walkElement(walk, found.walks.length === 1));
    $("lookup-walks").replaceChildren(...walks);
    drawWalk(found.walks.findLast((walk) => walk.owner) ?? found.walks[0] ?? null);
  } catch (failure) {
    say($("lookup-answer"), failure.message);
    $("lookup-walks").replaceChildren();
    drawWalk(null);
  }
}

const micros = (us) => us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(2)} ms`;

function walkElement(walk, isOpen) {
  const steps = walk.steps > walk.hops ? `${plural(walk.hops, "hop")}, ${plural(walk.steps, "step")}` : plural(walk.hops, "hop");
  const entries = Math.max(...walk.path.map((hop) => hop.entries), 0);
  const end = walk.owner ? `${walk.owner.name} answers for it` : walk.failure ?? "not found";
  const element = h("article", { class: "walk", tabindex: 0 },
    h("header", {}, h("b", {}, walk.via), h("span", {}, steps), h("span", {}, micros(walk.took_us)), h("span", {}, `${plural(entries, "entry").replace("entrys", "entries")}`), h("span", { class: !walk.owner && "failed" }, end)),
    isOpen && h("ol", {}, walk.path.slice(0, 200).map(hopElement)));
  element.walk = walk;
  for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, () => page.walk !== walk && drawWalk(walk));
  return element;
}

function hopElement(hop, number) {
  const time = hop.failure ? "no answer" : hop.round_trip_us !== null ? micros(hop.round_trip_us) : number === 0 ? "start" : "local";
  return h("li", {},
    h("span", { class: `swatch ${colourOf(hop.node.id)}`, "aria-hidden": "true" }, String(number)),
    h("span", {}, hop.node.name), h("span", { class: hop.failure ? "time failed" : "time" }, time), h("span", { class: "knew" }, hop.failure ?? hop.knew));
}

function drawWalk(walk) {
  page.walk = walk;
  page.drawnWalk = null;
  for (const element of $("lookup-walks").children) element.classList.toggle("is-drawn", element.walk === walk);
  showWalk();
}

/** Draws the way that was asked for last, unless it is there already. */
function showWalk() {
  const group = $("ring-walk");
  if (!group || page.drawnWalk === page.walk) return;
  page.drawnWalk = page.walk;
  $("ring").classList.toggle("is-walking", page.walk !== null);
  if (!page.walk) return group.replaceChildren();
  const stops = page.walk.path.filter((hop) => hop.at).slice(0, HOPS_DRAWN);
  const places = stops.map((hop) => at(INNER - 8, turnOf(hop.at)).split(" ").map(Number));
  const each = stops.length > 8 ? HOP_MS / 4 : HOP_MS;
  const after = (element, ms) => {
    element.style.animationDelay = `${ms}ms`;
    return element;
  };
  const lines = stops.slice(1).flatMap((hop, n) => {
    const [[x1, y1], [x2, y2]] = [places[n], places[n + 1]];
    const bend = (one, other) => (one + other) / 2 + (CENTRE - (one + other) / 2) * 0.25;
    const [mx, my] = [bend(x1, x2), bend(y1, y2)];
    const line = s("path", { class: hop.is_local ? "hop is-local" : "hop", pathLength: 1, d: `M${x1} ${y1}Q${mx.toFixed(1)} ${my.toFixed(1)} ${x2} ${y2}` });
    const hasRoom = stops.length <= 8 && Math.hypot(x2 - x1, y2 - y1) > TIME_ROOM;
    const time = hop.round_trip_us !== null && hasRoom && s("text", { class: "hop-time", x: ((x1 + x2) / 4 + mx / 2).toFixed(1), y: ((y1 + y2) / 4 + my / 2 + 4).toFixed(1) }, micros(hop.round_trip_us));
    return [after(line, n * each), time && after(time, (n + 1) * each)].filter(Boolean);
  });
  const marks = stops.flatMap((hop, n) => {
    const [cx, cy] = places[n];
    const isEnd = n === stops.length - 1 && page.walk.owner;
    const mark = s("circle", { class: `stop ${colourOf(hop.node.id)}${isEnd ? " is-end" : ""}`, cx, cy, r: stops.length > 12 ? 4 : 8 });
    mark.append(s("title", {}, `${n}: ${hop.node.name} at ${hop.at}`));
    const label = stops.length <= 12 && s("text", { class: "stop-number", x: cx, y: cy + 3.5 }, String(n));
    return [mark, label].filter(Boolean).map((element) => after(element, n * each));
  });
  group.replaceChildren(...lines, ...marks);
}

// ---- Requests per second ------------------------------------------------------------------------------------------------

const CHART = { left: 44, right: 592, top: 10, bottom: 126, height: 150 };

/** The next of 10, 20, 50, 100, ... so that the axis does not jump with every poll. */
function roof(value) {
  for (let step = 10; ; step *= 10) {
    for (const factor of [1, 2, 5]) if (value <= step * factor) return step * factor;
  }
}

function padded(rates) {
  const counts = rates.counts.slice(-SECONDS);
  return [...Array(SECONDS - counts.length).fill(null), ...counts];
}

const xOf = (n) => CHART.left + (CHART.right - CHART.left) * n / (SECONDS - 1);

function line(counts, top) {
  const y = (count) => CHART.bottom - (CHART.bottom - CHART.top) * count / top;
  const points = counts.map((count, n) => count === null ? null : `${xOf(n).toFixed(1)} ${y(count).toFixed(1)}`).filter(Boolean);
  return points.length ? `M${points.join("L")}` : "";
}

/** The chart is as wide as its card, so that its text is never stretched. */
function fitChart() {
  const width = Math.max(240, Math.round($("rate").getBoundingClientRect().width));
  CHART.right = width - 4;
  $("rate").setAttribute("viewBox", `0 0 ${width} ${CHART.height}`);
}

function showRate(overview) {
  fitChart();
  const all = padded(overview.rate_all);
  const here = padded(overview.rate_here);
  const nodes = overview.status.nodes.length;
  const known = all.filter((count) => count !== null);
  const now = known.at(-1) ?? 0;
  say($("rate-now"), number.format(now));
  say($("rate-note"), nodes > 1 ? `over all nodes, ${number.format(here.at(-1) ?? 0)} of them here (dashed)` : "");
  const top = roof(Math.max(0, ...known));
  const first = all.findIndex((count) => count !== null);
  const path = line(all, top);
  const y = (part) => CHART.bottom - (CHART.bottom - CHART.top) * part;
  const grid = [0, 0.5, 1].map((part) => [
    s("line", { class: "grid", x1: CHART.left, x2: CHART.right, y1: y(part), y2: y(part) }),
    s("text", { x: CHART.left - 8, y: y(part) + 4, "text-anchor": "end" }, number.format(top * part)),
  ]);
  $("rate").replaceChildren(
    $("rate-desc"), ...grid.flat(),
    s("text", { x: CHART.left, y: 144 }, "2 min ago"), s("text", { x: (CHART.left + CHART.right) / 2, y: 144, "text-anchor": "middle" }, "1 min"),
    s("text", { x: CHART.right, y: 144, "text-anchor": "end" }, "now"),
    path && s("path", { class: "area", d: `${path}L${xOf(SECONDS - 1)} ${CHART.bottom}L${xOf(first)} ${CHART.bottom}Z` }),
    path && s("path", { class: "line", d: path }),
    nodes > 1 && s("path", { class: "here", d: line(here, top) }),
  );
  say($("rate-desc"), `Requests per second over the last two minutes: now ${now}, at most ${Math.max(0, ...known)}.`);
}

// ---- Nodes --------------------------------------------------------------------------------------------------------------

function makeNode(node) {
  const row = h("li", { tabindex: 0 },
    h("span", { class: "swatch", "aria-hidden": "true" }),
    h("div", { class: "name" }, h("b"), h("span", { class: "tags" }), h("div", { class: "sub mono" })),
    h("div", { class: "share" }, h("span"), h("span", { class: "bar" }, h("i"))),
    h("div", { class: "facts" }, h("span", { class: "reach" }), h("div", { class: "sub" })));
  row.addEventListener("pointerenter", () => pick(node.id));
  row.addEventListener("pointerleave", () => pick(null));
  row.addEventListener("focus", () => pick(node.id));
  row.addEventListener("blur", () => pick(null));
  return row;
}

function updateNode(row, node) {
  const { ring, now_ms } = page.overview.status;
  const part = (selector) => row.querySelector(selector);
  row.classList.toggle("is-down", node.reach === "down");
  part(".swatch").className = `swatch ${colourOf(node.id)}`;
  say(part(".swatch"), letterOf(node.name));
  say(part(".name b"), node.name);
  const tags = [node.is_self && "this node", node.is_leader && "leader", node.state === "leaving" && "leaving", node.zone && `zone ${node.zone}`].filter(Boolean);
  redraw(part(".tags"), tags, () => part(".tags").replaceChildren(...tags.map((tag) => h("span", { class: "tag" }, tag))));
  const since = node.started_ms ? ` · up ${span(now_ms - node.started_ms)}` : "";
  say(part(".name .sub"), `${node.id.slice(0, 8)}${since}`);
  const next = node.share_next && node.share_next.primary !== node.share.primary ? ` → ${percent(node.share_next.primary, ring.partitions)}` : "";
  say(part(".share > span"), `${percent(node.share.primary, ring.partitions)}${next} of the ring`);
  const bar = part(".bar i");
  bar.className = colourOf(node.id);
  bar.style.width = `${100 * node.share.primary / ring.partitions}%`;
  const [sign, word] = REACH[node.reach];
  part(".reach").dataset.reach = node.reach;
  say(part(".reach"), `${sign} ${word}`);
  const facts = node.memory_bytes === null ? "no answer" : `${bytes(node.memory_bytes)} · ${number.format(node.requests_per_second ?? 0)} req/s`;
  const held = node.held && node.held.keys > 0 ? `${plural(node.held.keys, "key")}, ${bytes(node.held.bytes)} · ` : "";
  say(part(".facts .sub"), held + facts);
}

function showNodes(overview) {
  const { nodes } = overview.status;
  say($("nodes-count"), String(nodes.length));
  keyed($("nodes"), nodes, (node) => node.id, makeNode, updateNode);
  const names = nodes.map((node) => node.name);
  redraw($("lookup-from"), names, () => {
    const chosen = $("lookup-from").value || overview.status.node.name;
    $("lookup-from").replaceChildren(...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
  });
}

// ---- Apps ---------------------------------------------------------------------------------------------------------------

/** All that an app is made of, with what runs of it. */
function unitsOf(app, instances) {
  const units = new Map();
  const unit = (name, kind, wanted) => units.has(name) || units.set(name, { name, kind, wanted, instances: [] });
  for (const { name, min, max } of app.services) unit(name, "service", min === max ? `${min} wanted` : `${min} to ${max} wanted`);
  for (const { name, kind } of app.functions) unit(name, kind === "cgi" ? "CGI" : `function, ${kind}`, "");
  for (const instance of instances) {
    unit(instance.unit, instance.kind, "");
    units.get(instance.unit).instances.push(instance);
  }
  return [...units.values()];
}

function chip(state, ...rest) {
  const [sign, word] = STATES[state] ?? ["?", state];
  return h("li", { class: "chip", "data-state": state }, h("span", { "aria-hidden": "true" }, sign), word, ...rest);
}

function instanceChip(instance) {
  const details = [
    instance.id || instance.unit, `on ${instance.node}`, `release ${instance.release}`, instance.pid && `pid ${instance.pid}`,
    instance.port && `port ${instance.port}`, plural(instance.requests, "request"), `${instance.in_flight} in flight`,
    instance.restarts && plural(instance.restarts, "restart"), instance.note,
  ].filter(Boolean).join(", ");
  const node = page.overview.status.nodes.find((node) => node.name === instance.node);
  const element = chip(instance.state,
    instance.in_flight > 0 && h("span", {}, `${instance.in_flight}×`),
    h("span", { class: `dot ${colourOf(node?.id)}`, "aria-hidden": "true" }), h("span", { class: "of" }, instance.node));
  element.title = details;
  element.setAttribute("aria-label", `${STATES[instance.state]?.[1] ?? instance.state}: ${details}`);
  return element;
}

/** A function that is cold everywhere is one chip, not one for each node. */
function chipsOf(unit) {
  const running = unit.instances.filter((instance) => instance.state !== "cold");
  if (running.length) return running.map(instanceChip);
  return [chip("cold", h("span", { class: "of" }, unit.kind === "service" ? "nothing runs" : "starts on the first request"))];
}

function unitElement(unit) {
  const requests = unit.instances.reduce((sum, instance) => sum + instance.requests, 0);
  const facts = [unit.kind, unit.wanted, requests > 0 && plural(requests, "request")].filter(Boolean).join(" · ");
  const notes = unit.instances.filter((instance) => instance.note && instance.state === "backing_off").map((instance) => `${instance.node}: ${instance.note}`);
  return h("div", { class: "unit" },
    h("p", { class: "title" }, h("b", {}, unit.name), h("span", {}, facts)),
    h("ul", { class: "chips", "aria-label": `Instances of ${unit.name}` }, chipsOf(unit)),
    notes.length > 0 && h("p", { class: "notes" }, [...new Set(notes)].join("; ")));
}

function showApps(overview) {
  const { apps, instances, status } = overview;
  say($("apps-count"), apps.length ? String(apps.length) : "");
  $("apps-empty").hidden = apps.length > 0;
  $("legend").hidden = apps.length === 0;
  keyed($("apps"), apps, (app) => app.name, () => h("article", { class: "app" }), (element, app) => {
    const own = instances.filter((instance) => instance.app === app.name);
    redraw(element, [app, own, status.nodes.map((node) => node.id)], () => {
      const release = app.releases.find((release) => release.number === app.current);
      const age = release ? `, deployed ${moment(release.created_ms)}` : "";
      element.replaceChildren(
        h("header", {}, h("h3", {}, app.name), h("span", {}, `release ${app.current}${age}`),
          ...app.urls.slice(0, 2).map((url) => h("a", { href: url, rel: "noreferrer" }, url))),
        h("div", { class: "units" }, unitsOf(app, own).map(unitElement)));
      if (!unitsOf(app, own).length) element.querySelector(".units").append(h("p", { class: "quiet" }, "static files only"));
    });
  });
}

// ---- The whole ------------------------------------------------------------------------------------------------------------

function showTop(overview) {
  const { status, unreachable } = overview;
  say($("where"), `seen from ${status.node.name} · cluster ${status.cluster_id.slice(0, 8)}`);
  const down = status.nodes.filter((node) => node.reach === "down" || unreachable.includes(node.name)).map((node) => node.name);
  const { moving } = status.ring;
  const missing = `${plural(down.length, "node")} missing`;
  if (!status.leader) tone("bad", "no leader");
  else if (down.length) tone("warn", missing);
  else if (moving) tone("warn", "rebalancing");
  else tone("good", "all well");
  if (!status.leader) banner("The nodes cannot agree on changes: are most of them up? What runs keeps running.", "bad");
  else if (down.length === 1) banner(`${down[0]} does not answer. The others serve what they have copies of.`);
  else banner(down.length ? `${listed(down)} do not answer. The others serve what they have copies of.` : "");
  $("move").hidden = !moving;
  if (moving) {
    const waiting = moving.waiting_for.length ? `; waiting for ${listed(moving.waiting_for)}` : "";
    say($("move-text"), `The ring is rebalancing: ${number.format(moving.copies_done)} of ${number.format(moving.copies_total)} copies of partitions moved${waiting}.`);
    $("move-bar").value = share(moving);
  }
  $("move").hidden = !moving && !overview.transfers.length;
  if (!moving && overview.transfers.length) {
    say($("move-text"), "Keys are changing hands.");
    $("move-bar").removeAttribute("value");
  }
  showTransfers(overview.transfers);
  say($("foot"), `Ringway ${status.version} · ring of ${number.format(status.ring.partitions)} partitions, ${status.ring.replicas === 1 ? "1 copy" : `${status.ring.replicas} copies`} each · catalog revision ${number.format(status.revision)}`);
  document.title = down.length ? `Ringway: ${missing}` : moving ? "Ringway: rebalancing" : "Ringway";
}

function tone(name, text) {
  $("pill").dataset.tone = name;
  say($("pill"), text);
}

function banner(text, name = "warn") {
  $("banner").hidden = !text;
  $("banner").dataset.tone = name;
  say($("banner"), text);
}

function show(overview) {
  if (overview.ring) page.ring = overview.ring;
  page.overview = overview;
  page.seenAt = Date.now();
  page.isFresh = true;
  document.body.classList.remove("is-stale");
  $("main").hidden = false;
  assignColours(overview.status.nodes);
  for (const part of [showTop, showNodes, showRing, showRate, showApps]) part(overview);
  if (page.wish) takeWish();
}

function showUnreachable(failure) {
  // Whoever answers next may be another cluster at the same address: its arcs are asked for anew.
  page.isFresh = false;
  document.body.classList.add("is-stale");
  tone("bad", "no answer");
  const since = page.seenAt ? ` What you see is from ${clock(page.seenAt)}.` : "";
  banner(`This node does not answer: ${failure.message}.${since} Trying again every second.`, "bad");
  document.title = "Ringway: no answer";
}

// ---- Asking ---------------------------------------------------------------------------------------------------------------

class NoToken extends Error {}

async function ask(path) {
  let response;
  try {
    response = await fetch(path, { headers: { authorization: `Bearer ${page.token ?? ""}` }, cache: "no-store", signal: AbortSignal.timeout(ASK_WITHIN_MS) });
  } catch (failure) {
    throw new Error(failure.name === "TimeoutError" ? `nothing came within ${ASK_WITHIN_MS / 1000} s` : "the connection failed");
  }
  if (response.status === 401) throw new NoToken("this is not the node’s token");
  const answer = await response.json().catch(() => ({ error: `it answered with status ${response.status}` }));
  if (!response.ok) throw new Error(answer.error ?? `it answered with status ${response.status}`);
  return answer;
}

async function poll() {
  const began = Date.now();
  try {
    show(await ask(`/v1/overview${page.isFresh ? `?ring=${page.ring.version}` : ""}`));
  } catch (failure) {
    if (failure instanceof NoToken) return askForToken(page.token !== null);
    showUnreachable(failure);
  }
  const every = page.overview?.transfers.length ? POLL_MOVING_MS : POLL_MS;
  setTimeout(poll, Math.max(100, every - (Date.now() - began)));
}

/** From the address (`#token=...`, taken out of it at once), else what this tab had before. */
function takeToken() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const given = wanted.get("token");
  // A link can hold a lookup as well: `#token=...&lookup=cart:7&via=fingers&walk=virtual`.
  page.wish = wanted.get("lookup") ? wanted : null;
  if (given) {
    sessionStorage.setItem("ringway-token", given);
    history.replaceState(null, "", location.pathname);
  }
  return given ?? sessionStorage.getItem("ringway-token");
}

function takeWish() {
  const wish = page.wish;
  page.wish = null;
  $("lookup-key").value = wish.get("lookup");
  $("lookup-via").value = wish.get("via") ?? $("lookup-via").value;
  $("lookup-from").value = wish.get("from") ?? $("lookup-from").value;
  $("lookup-virtual").checked = wish.get("walk") === "virtual";
  lookUp($("lookup-key").value);
}

function askForToken(wasWrong) {
  tone("wait", "needs a token");
  if (wasWrong) say($("ask-why"), "That is not this node’s token. The command “ringway open” prints a link that has the right one.");
  $("ask-token").value = "";
  if (!$("ask").open) $("ask").showModal();
}

function start() {
  page.token = takeToken();
  listenToRing();
  rest();
  $("legend").append(...Object.keys(STATES).map((state) => h("span", { class: "chip", "data-state": state }, ...chip(state).childNodes)));
  $("ask-form").addEventListener("submit", () => {
    page.token = $("ask-token").value.trim();
    sessionStorage.setItem("ringway-token", page.token);
    poll();
  });
  $("ask").addEventListener("cancel", (event) => event.preventDefault());
  if (page.token) poll(); else askForToken(false);
}

start();
