"""client.py PORT COUNT: calls tasks, waits for their results, and asks the worker how it is."""
import json
import os
import sys

os.environ['BROKER'] = f'amqp://guest:guest@127.0.0.1:{sys.argv[1]}//'
from celery import chain, group  # noqa: E402
from tasks import app, fail, square, third_time  # noqa: E402, it reads BROKER

count = int(sys.argv[2])
results = [square.delay(n) for n in range(count)]
failed = fail.delay()
outcome = {
    'squares': [result.get(timeout=60) for result in results],
    'failed': repr(failed.get(timeout=60, propagate=False)),
    'retried': third_time.delay().get(timeout=60),
    'group': group(square.s(n) for n in range(5))().get(timeout=60),
    'chain': chain(square.s(3), square.s())().get(timeout=60),
    # Broadcast to the mailbox of each worker, answered on a reply queue.
    'workers': [list(answer.values()) for answer in app.control.ping(timeout=60, limit=1)],
}
print(json.dumps(outcome))
