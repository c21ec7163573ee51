"""simple_queue.py PORT QUEUE COUNT: SimpleQueue as a job list; all but the last two are taken and acknowledged."""
import json
import sys
from kombu import Connection

port, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
taken = []
for n in range(count):
    with Connection(f'amqp://guest:guest@127.0.0.1:{port}//') as connection:
        with connection.SimpleQueue(name) as queue:
            queue.put({'job': n})

with Connection(f'amqp://guest:guest@127.0.0.1:{port}//') as connection:
    with connection.SimpleQueue(name) as queue:
        before = queue.qsize()
        while len(taken) < count - 2:
            message = queue.get(block=True, timeout=10)
            taken.append(message.payload['job'])
            message.ack()
print(json.dumps({'before': before, 'taken': taken}))
