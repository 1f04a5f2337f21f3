"""What a client program saw and what it was to see: all differences are told at the end, not only the first."""

import contextlib
import sys
import traceback

failures = []


def same(what, saw, expected):
    if saw != expected:
        failures.append(f"{what}\n    saw:      {saw!r}\n    expected: {expected!r}")


def true(what, saw):
    if not saw:
        failures.append(f"{what}\n    saw: {saw!r}")


@contextlib.contextmanager
def part(name):
    """A part of the program: if it breaks off, the next ones run all the same."""
    try:
        yield
    except Exception as error:  # whatever a client raises is what it saw
        where = [line for line in traceback.extract_tb(error.__traceback__) if "/clients/" in line.filename]
        at = f" at line {where[-1].lineno}: {where[-1].line}" if where else ""
        failures.append(f"{name}: {type(error).__name__}: {error}{at}")


def refused(what, call, *texts):
    """The call fails with a text that has all of these in it."""
    try:
        saw = call()
    except Exception as error:
        if not all(text in str(error) for text in texts):
            failures.append(f"{what}\n    saw:      {error}\n    expected: an error with {texts}")
        return
    failures.append(f"{what}\n    saw:      {saw!r}\n    expected: an error with {texts}")


def end():
    if failures:
        print(f"{len(failures)} differences:\n" + "\n".join(failures))
        sys.exit(1)
    print("fine")
