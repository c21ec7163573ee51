"""pool.py PORT QUEUE COUNT: publishes with confirms from a pool of connections, as a web application does."""
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from kombu import Connection, Queue
from kombu.pools import producers

port, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = Connection(
    f'amqp://guest:guest@127.0.0.1:{port}//', connect_timeout=60, transport_options={'confirm_publish': True}
)
pool = producers[connection]


def request(n):
    with pool.acquire(block=True) as producer:
        producer.publish(f'r{n}:0', routing_key=name, declare=[Queue(name, durable=True)], delivery_mode=2)


with ThreadPoolExecutor(8) as requests:
    list(requests.map(request, range(count)))
pool.force_close_all()
connection.release()
print(json.dumps(count))
