// The shop's front: fills the shelves, keeps the drawer up to date, signs the guest book. No framework, no other hosts.

const $ = id => document.getElementById(id);
const euros = cents => cents == null ? "…" : new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" }).format(cents / 100);
const LOG_ROWS_MAX = 8;

// Which tiers a path goes through: ringway.toml knows, this list tells.
const TIERS = [
  ["/api/products", "catalog (service) → SQLite; browsers may keep it 10 s"],
  ["/api/checkout", "cart → price (wasm) → bucket orders → receipt (lambda)"],
  ["/api/cart/add", "cart (service) → catalog, bucket cart → price (wasm)"],
  ["/api/cart", "cart (service) → bucket cart → price (wasm)"],
  ["/guestbook", "guestbook (CGI) → bucket guestbook"],
];

/** An element: make("li", {className: "x"}, child, "text", ...). Text stays text, whatever is in it. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- asking

async function ask(path, options = {}) {
  const start = performance.now();
  let status = "no answer", by = "–";
  try {
    const reply = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
    status = reply.status;
    by = reply.headers.get("x-served-by") || "–";
    const value = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(value.error || `the shop answered ${status}`);
    return value;
  } finally {
    log(`${options.method || "GET"} ${path}`, status, path, by, performance.now() - start);
  }
}

const post = (path, value) =>
  ask(path, { method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });

function log(request, status, path, by, millis) {
  const tiers = TIERS.find(([start]) => path.startsWith(start))[1];
  const row = make("tr", { className: status >= 200 && status < 300 ? "" : "bad" },
    ...[`${request} ${status}`, tiers, by, `${millis.toFixed(0)} ms`].map(text => make("td", {}, text)));
  $("log").prepend(row);
  while ($("log").children.length > LOG_ROWS_MAX) $("log").lastChild.remove();
}

let noticeTimer;
function notice(text) {
  $("notice").textContent = text;
  $("notice").classList.add("shown");
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => $("notice").classList.remove("shown"), 3500);
}

/** Runs jobs one after the other; what goes wrong is told to the visitor. */
let queue = Promise.resolve();
const inTurn = job => queue = queue.then(job).catch(error => notice(error.message));

// ---- the shelves

const pictures = {};

async function fillShelves() {
  const { products } = await ask("/api/products");
  $("products").replaceChildren(...products.map(card));
}

function card(product) {
  pictures[product.sku] = product.picture;
  const buy = make("button", { className: "button", ariaLabel: `Add ${product.name} to the cart` }, "Add to cart");
  buy.onclick = () => change("add", product.sku, () => notice(`${product.name}: in your cart`));
  return make("article", { className: "card" },
    make("div", { className: "window" }, make("img", { src: product.picture, alt: "", width: 400, height: 400 })),
    make("div", { className: "label" },
      make("h3", {}, product.name),
      make("p", {}, product.text),
      make("div", { className: "buy" }, make("span", { className: "price" }, euros(product.unit_cents)), buy)));
}

// ---- the cart

function change(what, sku, then = () => {}) {
  inTurn(async () => {
    showCart(await post(`/api/cart/${what}`, { sku, qty: 1 }));
    then();
  });
}

function showCart(cart) {
  const count = cart.lines.reduce((sum, line) => sum + line.qty, 0);
  if ($("count").textContent !== String(count)) {
    $("count").classList.remove("bump");
    void $("count").offsetWidth;  // lets the animation start again
    $("count").classList.add("bump");
  }
  $("count").textContent = count;
  $("lines").replaceChildren(...cart.lines.map(cartLine));
  if (count === 0) $("lines").append(make("li", { className: "empty" }, "Nothing in it yet. The shelves are full, though."));
  $("checkout").hidden = count === 0;
  $("total").textContent = euros(cart.total_cents);
  const full = cart.lines.reduce((sum, line) => sum + line.qty * line.unit_cents, 0);
  $("saved").textContent = cart.total_cents != null && full > cart.total_cents ? `You save ${euros(full - cart.total_cents)}.` : "";
}

function cartLine(line) {
  const step = (what, sign, label) => make("button", {
    className: "round", type: "button", ariaLabel: `${label} ${line.name}`, onclick: () => change(what, line.sku) }, sign);
  return make("li", {},
    make("img", { src: pictures[line.sku] || `img/${line.sku}.svg`, alt: "" }),
    make("h3", {}, line.name),
    make("span", { className: "sum" }, euros(line.total_cents)),
    make("div", { className: "qty" }, step("remove", "−", "One less"), `${line.qty}`, step("add", "+", "One more")),
    make("span", { className: "less" }, line.discount_percent ? `${line.discount_percent}% off` : ""));
}

function openCart() {
  showReceipt(null);
  $("cart").showModal();
  inTurn(async () => showCart(await ask("/api/cart")));
}

/** The drawer holds either the cart or, after an order, its receipt. */
function showReceipt(text) {
  $("cart-title").textContent = text ? "Thank you!" : "Your cart";
  $("receipt").querySelector("pre").textContent = text;
  $("receipt").hidden = !text;
  $("lines").hidden = !!text;
}

function checkOut(event) {
  event.preventDefault();
  const button = event.target.querySelector("button"), email = event.target.email.value;
  button.disabled = true;
  inTurn(async () => {
    const sold = await post("/api/checkout", { email });
    showCart({ lines: [], total_cents: 0 });
    showReceipt(sold.receipt
      || `Order no. ${sold.order}: ${euros(sold.total_cents)}\n\nThe receipt printer is having its tea.\nYour order stands.`);
  }).then(() => button.disabled = false);
}

// ---- the guest book

const guest = entry => make("li", {}, make("b", {}, entry.name), make("time", {}, entry.at), make("p", {}, entry.text));

async function readBook() {
  const { entries } = await ask("/guestbook");
  if (entries.length) $("guests").replaceChildren(...entries.map(guest));
}

function sign(event) {
  event.preventDefault();
  const form = event.target;
  inTurn(async () => {
    const entry = await ask("/guestbook", { method: "POST", body: new URLSearchParams(new FormData(form)) });
    $("guests").querySelector(".empty")?.remove();
    $("guests").prepend(Object.assign(guest(entry), { className: "fresh" }));
    form.text.value = "";
  });
}

$("open-cart").onclick = openCart;
$("close-cart").onclick = $("again").onclick = () => $("cart").close();
$("cart").onclick = event => event.target === $("cart") && $("cart").close();
$("checkout").onsubmit = checkOut;
$("sign").onsubmit = sign;

inTurn(fillShelves);
inTurn(async () => showCart(await ask("/api/cart")));
inTurn(readBook);
