"""The cart: a stateless service. Whatever it knows is in the data tier, so any replica on any node can answer.

GET  /api/cart                          the lines, each with its price
POST /api/cart/add     {"sku", "qty"}   the cart after it
POST /api/cart/remove  {"sku", "qty"}   the same; without a qty the whole line goes
POST /api/checkout     {"email"}        {"order", "total_cents", "receipt"}

Prices, product names and the receipt come from the app's other tiers, asked over HTTP through the node's front end, which
knows where they run today.
"""
import http.client
import json
import os
import re
import secrets
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from resp import Redis, RespError
from web import App, Problem

CART_SECONDS = 7 * 24 * 3600
CALL_SECONDS_MAX = 5
LOCK_MILLIS = 2000
LOCK_WAIT_SECONDS_MAX = 3
QTY_MAX = 99
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,24}", re.ASCII)
SID = re.compile(r"[A-Za-z0-9_-]{22}")
SKU = re.compile(r"[a-z0-9-]{1,32}")

RINGWAY = urlsplit(os.environ["RINGWAY_URL"])
RINGWAY_HOST = os.environ["RINGWAY_HOST"]
carts = Redis(os.environ.get("REDIS_URL_CART") or os.environ["REDIS_URL"])
orders = Redis(os.environ.get("REDIS_URL_ORDERS") or os.environ["REDIS_URL"])

app = App("cart")


# ---- the session

def session(request):
    """The visitor's id, from the cookie or new."""
    request.reply_headers["Cache-Control"] = "no-store"
    try:
        cookie = SimpleCookie(request.headers.get("Cookie", "")).get("sid")
    except CookieError:
        cookie = None
    if cookie and SID.fullmatch(cookie.value):
        return cookie.value
    sid = secrets.token_urlsafe(16)
    secure = "; Secure" if request.headers.get("X-Forwarded-Proto") == "https" else ""
    request.reply_headers["Set-Cookie"] = (
        "sid=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s" % (sid, CART_SECONDS, secure))
    return sid


def load(sid):
    """{sku: {"name", "qty"}}"""
    return json.loads(carts("GET", "cart:" + sid) or "{}")


def save(sid, cart):
    if cart:
        carts("SET", "cart:" + sid, json.dumps(cart), "EX", CART_SECONDS)
    else:
        carts("DEL", "cart:" + sid)


@contextmanager
def locked(sid):
    """One change at a time per cart, whichever replica makes it. The lock of a replica that died ends by itself.

    It keeps a double click from counting once, or an order from being placed twice. In an eventual bucket it holds while
    the nodes see each other; on both sides of a cut network, each side has its own.
    """
    key, token, deadline = "lock:" + sid, secrets.token_hex(8), time.monotonic() + LOCK_WAIT_SECONDS_MAX
    while not carts("SET", key, token, "NX", "PX", LOCK_MILLIS) and carts("GET", key) != token:
        if time.monotonic() > deadline:
            raise Problem(409, "your cart is busy, try again")
        time.sleep(0.02)
    try:
        yield
    finally:
        if carts("GET", key) == token:
            carts("DEL", key)


# ---- the other tiers

def call(request, method, path, value=None):
    """Asks another route of this app: (status, text). The trace goes along, so the graph shows who asked whom."""
    headers = {"Host": RINGWAY_HOST, "Content-Type": "application/json"}
    for name in ("traceparent", "tracestate"):
        if name in request.headers:
            headers[name] = request.headers[name]
    connection = http.client.HTTPConnection(RINGWAY.hostname, RINGWAY.port or 80, timeout=CALL_SECONDS_MAX)
    try:
        connection.request(method, path, None if value is None else json.dumps(value), headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 502, "%s: %s" % (path, error)
    finally:
        connection.close()


def priced(request, cart):
    """The cart as the shopper sees it. A price that cannot be had right now is null, and so is then the total."""
    lines = []
    for sku, line in cart.items():
        status, text = call(request, "GET", "/price?sku=%s&qty=%d" % (quote(sku), line["qty"]))
        price = json.loads(text) if status == 200 else {}
        lines.append({"sku": sku, "name": line["name"], "qty": line["qty"], "unit_cents": price.get("unit_cents"),
                      "discount_percent": price.get("discount_percent"), "total_cents": price.get("total_cents")})
    totals = [line["total_cents"] for line in lines]
    return {"lines": lines, "total_cents": None if None in totals else sum(totals)}


# ---- what a request may say

def wanted_sku(body):
    sku = body.get("sku")
    if not isinstance(sku, str) or not SKU.fullmatch(sku):
        raise Problem(400, "sku must be the short name of a product")
    return sku


def wanted_qty(body):
    qty = body.get("qty", 1)
    if type(qty) is not int or not 1 <= qty <= QTY_MAX:
        raise Problem(400, "qty must be a whole number from 1 to %d" % QTY_MAX)
    return qty


def wanted_email(body):
    email = body.get("email")
    if not isinstance(email, str) or not email.isprintable() or not EMAIL.fullmatch(email):
        raise Problem(400, "that does not look like an e-mail address")
    return email


# ---- the routes

def data_tier(function):
    """A data tier that does not answer is a 503, which says: nothing happened, try again."""
    def guarded(request):
        try:
            return function(request)
        except (OSError, RespError) as error:
            print("data tier:", error, flush=True)
            raise Problem(503, "the data tier did not answer, try again") from None
    return guarded


@app.route("GET", "/api/cart/?")
@data_tier
def show(request):
    return priced(request, load(session(request)))


@app.route("POST", "/api/cart/add")
@data_tier
def add(request):
    body = request.json()
    sku, qty, sid = wanted_sku(body), wanted_qty(body), session(request)
    status, text = call(request, "GET", "/api/products/" + sku)
    if status == 404:
        raise Problem(400, "we do not sell that")
    if status != 200:
        raise Problem(502, "the catalog did not answer, try again")
    with locked(sid):
        cart = load(sid)
        line = cart.setdefault(sku, {"name": json.loads(text)["name"], "qty": 0})
        line["qty"] += qty
        if line["qty"] > QTY_MAX:
            raise Problem(400, "at most %d of one product" % QTY_MAX)
        save(sid, cart)
    return priced(request, cart)


@app.route("POST", "/api/cart/remove")
@data_tier
def remove(request):
    body = request.json()
    sku, sid = wanted_sku(body), session(request)
    qty = wanted_qty(body) if "qty" in body else QTY_MAX
    with locked(sid):
        cart = load(sid)
        if sku not in cart:
            raise Problem(400, "that is not in your cart")
        cart[sku]["qty"] -= qty
        if cart[sku]["qty"] < 1:
            del cart[sku]
        save(sid, cart)
    return priced(request, cart)


@app.route("POST", "/api/checkout")
@data_tier
def checkout(request):
    email, sid = wanted_email(request.json()), session(request)
    cart = load(sid)
    if not cart:
        raise Problem(400, "your cart is empty")
    order = priced(request, cart)  # before the lock: it asks others, and a lock should be short
    if order["total_cents"] is None:
        raise Problem(502, "the till did not answer, try again")
    with locked(sid):
        if load(sid) != cart:
            raise Problem(409, "your cart has changed, look again")
        number = orders("INCR", "orders")
        order.update(order=number, email=email, at=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"))
        orders("SET", "order:%d" % number, json.dumps(order))
        save(sid, {})
    status, text = call(request, "POST", "/receipt", order)  # no receipt is no reason to lose an order
    return {"order": number, "total_cents": order["total_cents"], "receipt": text if status == 200 else None}


if __name__ == "__main__":
    app.run()
