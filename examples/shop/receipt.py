"""The receipt: a function for AWS Lambda, as one would deploy it there. An order goes in, the text of an e-mail comes out.

It runs under Amazon's own Python client: python3 -m awslambdaric receipt.handler
The event is what API Gateway sends (payload format 2.0), which is also what Ringway sends.
"""
import base64
import json

WIDTH = 46
LINES_MAX = 50


def handler(event, context):
    if event.get("requestContext", {}).get("http", {}).get("method") != "POST":
        return reply(405, "send an order by POST\n")
    try:
        body = event.get("body") or ""
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body).decode()
        return reply(200, letter(json.loads(body)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return reply(400, "that is not an order\n")


def reply(status, text):
    return {"statusCode": status, "headers": {"content-type": "text/plain; charset=utf-8"}, "body": text}


def letter(order):
    """The receipt as text. Raises when the order is not one, or does not add up."""
    lines, total = order["lines"], order["total_cents"]
    if not 1 <= len(lines) <= LINES_MAX or sum(line["total_cents"] for line in lines) != total:
        raise ValueError("the order does not add up")
    rows = ["To: " + plain(order["email"]), "Subject: Your order no. %d" % order["order"], "",
            "THE CORNER SHOP OF RINGWAY".center(WIDTH).rstrip(),
            "a ring has no corners; we found one".center(WIDTH).rstrip(), "",
            columns("Order no. %d" % order["order"], plain(order["at"])), "=" * WIDTH]
    for line in lines:
        rows += item(line)
    rows += ["-" * WIDTH, columns("Total", euros(total)), "=" * WIDTH]
    saved = sum(line["qty"] * line["unit_cents"] for line in lines) - total
    if saved:
        rows += ["You saved %s by buying several." % euros(saved)]
    rows += ["", "Thank you! Your parcel leaves with the next", "clockwise van and passes every door once."]
    return "\n".join(rows) + "\n"


def item(line):
    yield columns("%2d x %s" % (line["qty"], plain(line["name"])), euros(line["total_cents"]))
    if line["qty"] > 1 or line["discount_percent"]:
        less = ", less %d%%" % line["discount_percent"] if line["discount_percent"] else ""
        yield "     %s each%s" % (euros(line["unit_cents"]), less)


def columns(left, right):
    return left + right.rjust(WIDTH - len(left))


def euros(cents):
    return "€%d.%02d" % divmod(cents, 100)


def plain(text):
    """One short printable line, so that nobody writes headers into our letters."""
    return "".join(c for c in text if c.isprintable())[:80]
