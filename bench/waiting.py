"""Waiting for something to be as it should be."""

import time


def wait_for(what, probe, seconds=60, pause=0.1):
    """Until `probe` says yes; while it fails the answer is no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if probe():
                return
        except (OSError, RuntimeError, ValueError, KeyError):
            pass
        time.sleep(pause)
    raise RuntimeError(f"waited {seconds} s for {what}")
