"""simple_queue.py PORT QUEUE COUNT: SimpleQueue as a job list; all but the last two are taken and acknowledged."""
import json
import sys
import time
from kombu import Connection

port, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
taken = []
for n in range(count):
    with Connection(f'amqp://guest:guest@127.0.0.1:{port}//', connect_timeout=60) as connection:
        with connection.SimpleQueue(name) as queue:
            queue.put({'job': n})

with Connection(f'amqp://guest:guest@127.0.0.1:{port}//', connect_timeout=60) as connection:
    with connection.SimpleQueue(name) as queue:
        # The broker lets the question overtake messages that are on their way to the queue.
        while (before := queue.qsize()) < count:
            time.sleep(0.02)
        while len(taken) < count - 2:
            message = queue.get(block=True, timeout=60)
            taken.append(message.payload['job'])
            message.ack()
print(json.dumps({'before': before, 'taken': taken}))
