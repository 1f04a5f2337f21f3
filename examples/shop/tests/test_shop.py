"""The shop's own tests: python3 -m unittest discover -s examples/shop/tests"""
import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import unittest
from urllib.parse import urlencode, urlsplit

from fake_ring import SHOP, UNIT_CENTS, FakeRing
import receipt
from resp import Redis, RespError


def setUpModule():
    global ring
    ring = FakeRing()


def tearDownModule():
    codes = ring.stop()
    assert codes == [0] * len(codes), "a service did not stop cleanly: %s" % codes


class Shopper:
    """A browser with a cookie jar for one cookie."""

    def __init__(self):
        self.cookie = None

    def ask(self, method, path, value=None, body=None, address=None, **headers):
        url = urlsplit(address or ring.env["RINGWAY_URL"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        try:
            if self.cookie:
                headers["Cookie"] = self.cookie
            connection.request(method, path, json.dumps(value) if value is not None else body, headers)
            reply = connection.getresponse()
            self.headers, text = reply.headers, reply.read().decode()
            if "Set-Cookie" in self.headers:
                self.cookie = self.headers["Set-Cookie"].split(";")[0]
            return reply.status, json.loads(text) if text and "json" in self.headers.get("Content-Type", "") else text
        finally:
            connection.close()

    def add(self, sku, qty=1):
        return self.ask("POST", "/api/cart/add", {"sku": sku, "qty": qty})


class Catalog(unittest.TestCase):
    def test_two_that_start_together_fill_the_shelves_once(self):
        status, found = Shopper().ask("GET", "/api/products")
        self.assertEqual((status, len(found["products"])), (200, 6))
        self.assertEqual({p["sku"]: p["unit_cents"] for p in found["products"]}, UNIT_CENTS)

    def test_one_product_is_found_by_its_sku(self):
        self.assertEqual(Shopper().ask("GET", "/api/products/mug")[1]["unit_cents"], 1250)
        self.assertEqual(Shopper().ask("GET", "/api/products/car"), (404, {"error": "we do not sell that"}))

    def test_a_browser_may_keep_the_catalog_but_never_a_cart(self):
        shopper = Shopper()
        for path, wanted in (("/api/products", "public, max-age=10"), ("/api/products/mug", "public, max-age=10"),
                             ("/api/products/car", None), ("/api/cart", "no-store"), ("/guestbook", "no-store")):
            shopper.ask("GET", path)
            self.assertEqual(shopper.headers["Cache-Control"], wanted, path)

    def test_every_product_has_its_picture(self):
        for product in Shopper().ask("GET", "/api/products")[1]["products"]:
            self.assertIn("<svg", (SHOP / "public" / product["picture"]).read_text("utf-8"))

    def test_health_head_and_wrong_methods_are_answered(self):
        for address in ring.catalogs + ring.carts:
            self.assertEqual(Shopper().ask("GET", "/up", address=address), (200, {"up": True}))
        self.assertEqual(Shopper().ask("HEAD", "/api/products", address=ring.catalogs[0])[0], 200)
        self.assertEqual(Shopper().ask("POST", "/api/products", {})[0], 405)


class Cart(unittest.TestCase):
    def test_a_cart_is_the_same_on_every_replica(self):
        shopper = Shopper()
        shopper.add("mug", 2)
        carts = [shopper.ask("GET", "/api/cart", address=address)[1] for address in ring.carts]
        self.assertEqual(carts[0], {"total_cents": 2500, "lines": [{
            "sku": "mug", "name": "Warm Start Mug", "qty": 2, "unit_cents": 1250, "discount_percent": 0,
            "total_cents": 2500}]})
        self.assertEqual(carts[0], carts[1])

    def test_the_session_cookie_is_kept_from_scripts_and_from_other_sites(self):
        shopper = Shopper()
        shopper.ask("GET", "/api/cart")
        self.assertRegex(shopper.headers["Set-Cookie"], r"^sid=[\w-]{22}; Path=/; .*HttpOnly; SameSite=Lax$")
        shopper.ask("GET", "/api/cart")
        self.assertNotIn("Set-Cookie", shopper.headers)

    def test_nobody_sees_anothers_cart(self):
        Shopper().add("mug")
        self.assertEqual(Shopper().ask("GET", "/api/cart")[1]["lines"], [])

    def test_the_price_function_sets_the_discount(self):
        shopper = Shopper()
        for qty, total in ((2, 600), (1, 810), (7, 2400)):
            self.assertEqual(shopper.add("sticker", qty)[1]["total_cents"], total)

    def test_a_line_can_be_made_smaller_and_removed(self):
        shopper = Shopper()
        shopper.add("tee", 3)
        self.assertEqual(shopper.ask("POST", "/api/cart/remove", {"sku": "tee", "qty": 1})[1]["lines"][0]["qty"], 2)
        self.assertEqual(shopper.ask("POST", "/api/cart/remove", {"sku": "tee"}), (200, {"lines": [], "total_cents": 0}))
        self.assertEqual(shopper.ask("POST", "/api/cart/remove", {"sku": "tee"})[0], 400)

    def test_adds_at_the_same_moment_on_two_replicas_all_count(self):
        shopper = Shopper()
        shopper.ask("GET", "/api/cart")
        threads = [threading.Thread(target=shopper.add, args=("cap",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(shopper.ask("GET", "/api/cart")[1]["lines"][0]["qty"], 8)

    def test_bad_input_is_refused_in_json(self):
        shopper, add = Shopper(), "/api/cart/add"
        for value in ({"sku": "car"}, {"sku": 7}, {"sku": "../mug"}, {}, {"sku": "mug", "qty": 0},
                      {"sku": "mug", "qty": -1}, {"sku": "mug", "qty": 100}, {"sku": "mug", "qty": 10 ** 30},
                      {"sku": "mug", "qty": "2"}, {"sku": "mug", "qty": True}, {"sku": "mug", "qty": 1.5}, [], "x"):
            status, reply = shopper.ask("POST", add, value)
            self.assertEqual((status, list(reply)), (400, ["error"]), value)
        for body in (b"", b"{", b"\xff\xfe", b"[" * 9000):
            self.assertEqual(shopper.ask("POST", add, body=body)[0], 400, body[:9])
        self.assertEqual(shopper.ask("POST", add, body=b" " * 20000)[0], 413)
        self.assertEqual(shopper.ask("GET", "/api/cart")[1]["lines"], [])

    def test_99_is_the_most_of_one_product_also_in_two_steps(self):
        shopper = Shopper()
        self.assertEqual(shopper.add("mug", 99)[0], 200)
        self.assertEqual(shopper.add("mug", 1), (400, {"error": "at most 99 of one product"}))

    def test_a_chunked_body_is_understood(self):
        body = iter([b'{"sku": "mug",', b' "qty": 3}'])
        self.assertEqual(Shopper().ask("POST", "/api/cart/add", body=body, address=ring.carts[0])[0], 200)

    def test_without_prices_the_cart_is_shown_but_not_sold(self):
        shopper = Shopper()
        ring.broken.add("/price")
        try:
            self.assertIsNone(shopper.add("mug")[1]["total_cents"])
            self.assertEqual(shopper.ask("POST", "/api/checkout", {"email": "ada@example.org"})[0], 502)
        finally:
            ring.broken.clear()
        self.assertEqual(shopper.ask("GET", "/api/cart")[1]["total_cents"], 1250)


class Checkout(unittest.TestCase):
    def test_an_order_gets_the_next_number_a_receipt_and_an_empty_cart(self):
        shopper, numbers = Shopper(), []
        for _ in range(2):
            shopper.add("poster", 10)
            status, reply = shopper.ask("POST", "/api/checkout", {"email": "ada@example.org"})
            self.assertEqual((status, reply["total_cents"]), (200, 14400))
            self.assertIn("10 x Ring at Dusk                      €144.00", reply["receipt"])
            numbers.append(reply["order"])
        self.assertEqual(numbers[1], numbers[0] + 1)
        kept = json.loads(Redis(ring.redis.url("orders"))("GET", "order:%d" % numbers[0]))
        self.assertEqual((kept["email"], kept["total_cents"]), ("ada@example.org", 14400))
        self.assertEqual(shopper.ask("GET", "/api/cart")[1]["lines"], [])

    def test_one_cart_is_sold_once(self):
        shopper, replies = Shopper(), []
        shopper.add("tote")
        pay = lambda: replies.append(shopper.ask("POST", "/api/checkout", {"email": "ada@example.org"})[0])
        threads = [threading.Thread(target=pay) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(replies.count(200), 1, replies)
        self.assertLessEqual(set(replies), {200, 400, 409})

    def test_an_empty_cart_or_a_bad_address_is_refused(self):
        shopper = Shopper()
        self.assertEqual(shopper.ask("POST", "/api/checkout", {"email": "ada@example.org"})[0], 400)
        shopper.add("mug")
        for email in (None, 7, "", "ada", "ada@", "a@b", "a b@example.org", "a@example.org\nBcc: x@example.org",
                      "a" * 300 + "@example.org"):
            self.assertEqual(shopper.ask("POST", "/api/checkout", {"email": email})[0], 400, email)

    def test_an_order_stands_when_the_receipt_function_is_down(self):
        shopper = Shopper()
        shopper.add("mug")
        ring.broken.add("/receipt")
        try:
            status, reply = shopper.ask("POST", "/api/checkout", {"email": "ada@example.org"})
        finally:
            ring.broken.clear()
        self.assertEqual((status, reply["receipt"]), (200, None))


class DataTier(unittest.TestCase):
    def test_a_dropped_connection_is_made_again(self):
        shopper = Shopper()
        shopper.add("mug")
        mine = Redis(ring.redis.url("cart"))
        mine("SET", "here", "yes")
        ring.redis.drop_connections()
        self.assertEqual(mine("GET", "here"), "yes")
        self.assertEqual(shopper.ask("GET", "/api/cart")[1]["lines"][0]["qty"], 1)

    def test_every_kind_of_reply_is_read(self):
        redis = Redis(ring.redis.url("cart"))
        self.assertEqual(redis("SET", "snow", "☃\r\n", "EX", 9), "OK")
        self.assertEqual(redis("MGET", "snow", "nothing"), ["☃\r\n", None])
        self.assertEqual([redis("INCR", "n"), redis("INCR", "n"), redis("DEL", "n", "snow")], [1, 2, 2])
        self.assertIsNone(redis("SET", "here", "x", "NX") and redis("SET", "here", "y", "NX"))
        self.assertRaises(RespError, redis, "LPUSH", "list", 1)
        self.assertIsNone(redis("GET", "nothing"))

    def test_a_wrong_token_is_an_error_each_time(self):
        stranger = Redis(ring.redis.url("cart").replace("secret", "guess"))
        for _ in range(2):
            self.assertRaises(RespError, stranger, "GET", "here")

    def test_a_lock_left_by_a_dead_replica_ends(self):
        shopper = Shopper()
        shopper.ask("GET", "/api/cart")
        Redis(ring.redis.url("cart"))("SET", "lock:" + shopper.cookie[4:], "dead", "PX", 300)
        self.assertEqual(shopper.add("mug")[0], 200)


class Receipt(unittest.TestCase):
    order = {"order": 12, "email": "ada@example.org", "at": "2026-11-23 10:00 UTC", "total_cents": 4575, "lines": [
        {"sku": "mug", "name": "Warm Start Mug", "qty": 3, "unit_cents": 1250, "discount_percent": 10,
         "total_cents": 3375},
        {"sku": "sticker", "name": "Mischief Monkey", "qty": 4, "unit_cents": 300, "discount_percent": 0,
         "total_cents": 1200}]}

    def call(self, order, method="POST", **more):
        body = order if isinstance(order, str) else json.dumps(order)
        event = {"version": "2.0", "rawPath": "/receipt", "requestContext": {"http": {"method": method}}, "body": body}
        return receipt.handler({**event, **more}, None)

    def test_an_order_becomes_a_letter_in_columns(self):
        reply = self.call(self.order)
        self.assertEqual((reply["statusCode"], reply["headers"]["content-type"]), (200, "text/plain; charset=utf-8"))
        lines = reply["body"].splitlines()
        self.assertEqual(lines[:2], ["To: ada@example.org", "Subject: Your order no. 12"])
        self.assertIn(" 3 x Warm Start Mug                     €33.75", lines)
        self.assertIn("     €12.50 each, less 10%", lines)
        self.assertIn("Total                                   €45.75", lines)
        self.assertLessEqual(max(map(len, lines)), receipt.WIDTH)

    def test_a_base64_body_is_the_same_order(self):
        coded = base64.b64encode(json.dumps(self.order).encode()).decode()
        self.assertEqual(self.call(coded, isBase64Encoded=True), self.call(self.order))

    def test_what_is_not_an_order_is_refused(self):
        for bad in ("", "{", "[]", "7", "null", {}, {**self.order, "total_cents": 1}, {**self.order, "lines": []},
                    {**self.order, "lines": [None]}, {**self.order, "email": 7}):
            self.assertEqual(self.call(bad)["statusCode"], 400, bad)
        self.assertEqual(self.call(self.order, isBase64Encoded=True)["statusCode"], 400)
        self.assertEqual(self.call(self.order, method="GET")["statusCode"], 405)

    def test_nobody_writes_headers_into_the_letter(self):
        reply = self.call({**self.order, "email": "a@example.org\nBcc: all@example.org"})
        self.assertNotIn("\nBcc", reply["body"])


class GuestBook(unittest.TestCase):
    def sign(self, name, text, **headers):
        return Shopper().ask("POST", "/guestbook", body=urlencode({"name": name, "text": text}), **headers)

    def test_an_entry_is_read_back_newest_first_and_harmless(self):
        self.sign("Ada", "first")
        status, entry = self.sign("<b>Bob</b>", "  <script>\n\n 1 & 2 ", Accept="application/json")
        self.assertEqual((status, entry["text"]), (201, "<script> 1 & 2"))
        entries = Shopper().ask("GET", "/guestbook", Accept="application/json")[1]["entries"]
        self.assertEqual([entry["name"] for entry in entries][:2], ["<b>Bob</b>", "Ada"])
        page = Shopper().ask("GET", "/guestbook")[1]
        self.assertIn("<b>&lt;b&gt;Bob&lt;/b&gt;</b>", page)
        self.assertNotIn("<script", page)

    def test_a_browser_without_scripts_is_sent_back_to_the_shop(self):
        shopper = Shopper()
        self.assertEqual(shopper.ask("POST", "/guestbook", body="name=Ada&text=hi")[0], 303)
        self.assertEqual(shopper.headers["Location"], "/#guestbook")

    def test_what_is_empty_or_too_long_is_refused(self):
        for name, text in (("", "hi"), ("Ada", " "), ("x" * 41, "hi"), ("Ada", "x" * 281)):
            self.assertEqual(self.sign(name, text)[0], 400)
        self.assertEqual(self.sign("Ada", "x" * 9000)[0], 413)

    def test_the_last_50_are_shown(self):
        redis = Redis(ring.redis.url("guestbook"))
        for _ in range(60):
            entry = json.dumps({"name": "Ada", "text": "hi", "at": "now"})
            redis("SET", "entry:%d" % redis("INCR", "entries"), entry)
        self.assertEqual(len(Shopper().ask("GET", "/guestbook", Accept="application/json")[1]["entries"]), 50)

    def test_without_a_data_tier_it_says_so(self):
        env = {"PATH": os.environ["PATH"], "REDIS_URL": "redis://guestbook:x@127.0.0.1:9", "REQUEST_METHOD": "GET"}
        done = subprocess.run([str(SHOP / "cgi-bin" / "guestbook")], env=env, timeout=20, capture_output=True)
        self.assertTrue(done.stdout.startswith(b"Status: 503 "), done.stdout)
        self.assertIn(b"Connection refused", done.stderr)


class Page(unittest.TestCase):
    def test_the_page_asks_nobody_else_and_links_only_to_files_that_exist(self):
        import re
        for name in ("index.html", "style.css", "app.js"):
            text = (SHOP / "public" / name).read_text("utf-8")
            for link in re.findall(r'(?:src|href)="([^"#]+)"|url\("?([^)"]+)', text):
                link = "".join(link)
                self.assertFalse(link.startswith(("http", "//")), link)
                self.assertTrue((SHOP / "public" / link).exists() or link in ("/guestbook",), link)


if __name__ == "__main__":
    unittest.main()
