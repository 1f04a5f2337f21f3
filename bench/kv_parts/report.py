"""What was wanted and what was seen."""

import statistics
import sys


class Goal:
    """A figure to reach: `least` now, `then` later. Where less is better, say so."""

    def __init__(self, least, then=None, unit="x", less=False):
        self.least, self.then, self.unit, self.less = least, then, unit, less

    def reached(self, value, wanted):
        return wanted is not None and (value <= wanted if self.less else value >= wanted)

    def verdict(self, value):
        if self.reached(value, self.then):
            return "then"
        return "yes" if self.reached(value, self.least) else "NO"

    def text(self, wanted):
        return "" if wanted is None else ("<= " if self.less else ">= ") + show(wanted, self.unit)


def show(value, unit):
    digits = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) and unit != "x" else f"{value:.2f}"
    return digits + ("" if unit == "x" else f" {unit}" if unit else "") + ("x" if unit == "x" else "")


class Report:
    def __init__(self, versions):
        self.versions, self.rows, self.details, self.part = versions, [], [], ""
        say("; ".join(versions))

    def begin(self, part):
        self.part = part
        say(f"-- {part}")

    def row(self, what, value, goal=None, note=""):
        """`goal` None: only told."""
        unit = goal.unit if goal else "x"
        self._row(what, show(value, unit), goal, goal.verdict(value) if goal else "-", note, value)

    def ratio(self, what, ours, theirs, goal=None, note=""):
        """Figures of the same repetitions; the median of their ratios."""
        value = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        note = f"{statistics.median(ours):,.0f} / {statistics.median(theirs):,.0f}{', ' if note else ''}{note}"
        self.row(what, value, goal, note)
        return value

    def told(self, what, seen, note=""):
        self._row(what, seen, None, "-", note, seen)

    def failed(self, why):
        text = " ".join(why.split())
        self._row(f"{self.part}: {text[:150]}", "not measured", None, "NO", "", None)

    def keep(self, **detail):
        self.details.append({"part": self.part, **detail})

    def _row(self, what, seen, goal, met, note, value):
        least, then = (goal.text(goal.least), goal.text(goal.then)) if goal else ("", "")
        row = {"part": self.part, "what": what, "at_least": least, "then": then, "seen": seen, "value": value, "met": met, "note": note}
        self.rows.append(row)
        say(line(row))

    def table(self):
        say("\n" + line({"part": "part", "what": "what", "at_least": "at least", "then": "then", "seen": "seen", "met": "met", "note": ""}))
        for row in self.rows:
            say(line(row))

    def document(self):
        return {"versions": self.versions, "rows": self.rows, "details": self.details}


def line(row):
    return f"{row['part']:10} {row['what']:58} {row['at_least']:>12} {row['then']:>12} {row['seen']:>14}  {row['met']:4} {row['note']}".rstrip()


def say(text):
    print(text, file=sys.stderr, flush=True)
