"""The table as the issue has it: works by peers, what was seen, what was wanted, and a mark where it is short."""

from kv_parts.report import say

from .peers import PEERS

WIDTH = 16


def table(works, report):
    seen = {row["what"]: row for row in report.rows}
    peers = [peer for peer in PEERS if any(f"{work.title}, {peer}" in seen for work in works.values())]
    if peers:
        say("\n" + "seen (wanted), ! where it is short; requests per CPU second of the server over the peer's")
        say(f"{'work':28}" + "".join(f"{peer:>{WIDTH}}" for peer in peers))
    for work in works.values():
        rows = [seen.get(f"{work.title}, {peer}") for peer in peers]
        if any(rows):
            say(f"{work.title:28}" + "".join(f"{cell(row):>{WIDTH}}" for row in rows))
    for row in report.rows:
        if row["value"] is None or row["what"].startswith("bytes"):
            say(f"{row['what']}: {row['seen']} {row['at_least'] and '(' + row['at_least'] + ')'} {'!' if row['met'] == 'NO' else ''}".rstrip())


def cell(row):
    if row is None:
        return ""
    wanted = f" ({row['at_least'].removeprefix('>= ').removesuffix('x')})" if row["at_least"] else ""
    return f"{row['value']:.2f}{wanted}{' !' if row['met'] == 'NO' else '  '}"
