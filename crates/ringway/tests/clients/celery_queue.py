"""A real Celery queue at REDIS_URL (broker and results): a worker of two processes, and somebody who sends it work.

The broker's keys are used together in one MULTI, so the bucket is one with `together = true`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from celery import Celery, chain, chord, group
from celery.exceptions import TaskRevokedError

url = os.environ["REDIS_URL"]
app = Celery("celery_queue", broker=url, backend=url)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 60},
    result_expires=600,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_send_sent_event=True,
    worker_send_task_events=True,
)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fails(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


@app.task(bind=True)
def progress(self):
    self.update_state(state="PROGRESS", meta={"done": 7})
    return "done"


def main():
    from checks import end, part, refused, same, true

    here = pathlib.Path(__file__).parent
    log = tempfile.NamedTemporaryFile("r+", prefix="celery-", suffix=".log")
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_queue", "worker", "--concurrency=2", "--loglevel=INFO", "--hostname=one@test"],
        cwd=here, stdout=log, stderr=log,
    )
    try:
        with part("tasks"):
            same("a task", add.delay(2, 3).get(timeout=40), 5)
            many = [add.delay(number, number) for number in range(100)]
            same("a hundred tasks", [result.get(timeout=40) for result in many], [2 * number for number in range(100)])
            refused("a task that fails", lambda: fails.delay("on purpose").get(timeout=20), "on purpose")
            same("a task that is tried again", flaky.delay().get(timeout=20), 2)
            result = progress.delay()
            same("a task with states of its own", [result.get(timeout=20), result.state], ["done", "SUCCESS"])
            result.forget()
            same("a forgotten result", app.AsyncResult(result.id).state, "PENDING")
        with part("a group, a chain, chords"):
            same("group", group(add.s(n, 1) for n in range(20))().get(timeout=30), [n + 1 for n in range(20)])
            same("chain", chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=30), 113)
            same("chord", chord((add.s(n, n) for n in range(20)), total.s())().get(timeout=40), 380)
            same("chord in a chain", chain(group(add.s(1, 1), add.s(2, 2)), total.s(), add.s(100))().get(timeout=40), 106)
        with part("later"):
            same("countdown", add.apply_async((1, 1), countdown=1).get(timeout=20), 2)
            same("expired before its time", state_of(add.apply_async((1, 1), countdown=1, expires=0.2)), "REVOKED")
            revoked = add.apply_async((1, 1), countdown=2)
            revoked.revoke()
            same("revoked", state_of(revoked), "REVOKED")
        with part("talking to the worker"):
            same("ping", app.control.ping(["one@test"], timeout=5), [{"one@test": {"ok": "pong"}}])
            true("registered tasks", "celery_queue.add" in (app.control.inspect(["one@test"], timeout=5).registered() or {}).get("one@test", []))
        with part("the queue"):
            app.control.broadcast("shutdown")
            worker.wait(timeout=30)
            [add.delay(1, number) for number in range(10)]
            with app.connection_for_read() as connection:
                same("waiting work", connection.default_channel.queue_declare("celery", passive=True).message_count, 10)
                same("purge", app.control.purge(), 10)
    finally:
        worker.kill()
        worker.wait()
    log.seek(0)
    text = log.read()
    true(f"the worker's log has no error of the broker:\n{text[-6000:]}", "ResponseError" not in text and "Connection to broker lost" not in text)
    end()


def state_of(result):
    try:
        result.get(timeout=20)
    except TaskRevokedError:
        pass
    return result.state


if __name__ == "__main__":
    # As the worker names them: the tasks of `__main__` would be others.
    import celery_queue

    celery_queue.main()
