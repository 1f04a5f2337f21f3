"""The catalog: what the shop sells, read from the relational data tier.

GET /api/products       all products
GET /api/products/mug   one of them

The first one to start fills the database from products.json. Two that start together are safe: SQLite lets one of
them write at a time, and the second finds the table already full.
"""
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from web import App, Problem

DATABASE = os.environ["DATABASE_URL"].replace("sqlite:///", "", 1)
BUSY_SECONDS_MAX = 10
FRESH_SECONDS = 10  # how long browsers may keep what we say
FIELDS = ("sku", "name", "unit_cents", "picture", "text")

app = App("catalog")


def connect():
    return closing(sqlite3.connect(DATABASE, timeout=BUSY_SECONDS_MAX, isolation_level=None))


def seed():
    products = json.loads((Path(__file__).parent / "products.json").read_text("utf-8"))
    with connect() as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE IF NOT EXISTS products (shelf INTEGER PRIMARY KEY, sku TEXT UNIQUE NOT NULL,"
                   " name TEXT NOT NULL, unit_cents INTEGER NOT NULL, picture TEXT NOT NULL, text TEXT NOT NULL)")
        if db.execute("SELECT count(*) FROM products").fetchone() == (0,):
            db.executemany("INSERT INTO products (sku, name, unit_cents, picture, text)"
                           " VALUES (:sku, :name, :unit_cents, :picture, :text)", products)
        db.execute("COMMIT")


def select(where="", values=()):
    with connect() as db:
        rows = db.execute("SELECT %s FROM products %s ORDER BY shelf" % (", ".join(FIELDS), where), values)
        return [dict(zip(FIELDS, row)) for row in rows]


@app.route("GET", "/api/products/?")
def products(request):
    request.reply_headers["Cache-Control"] = "public, max-age=%d" % FRESH_SECONDS
    return {"products": select()}


@app.route("GET", "/api/products/([^/]+)")
def product(request, sku):
    found = select("WHERE sku = ?", (sku,))
    if not found:
        raise Problem(404, "we do not sell that")
    request.reply_headers["Cache-Control"] = "public, max-age=%d" % FRESH_SECONDS
    return found[0]


if __name__ == "__main__":
    seed()
    app.run()
