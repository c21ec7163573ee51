"""producer_consumer.py PORT QUEUE COUNT: a producer with retries, and a consumer in a drain_events loop, of kombu."""
import json
import sys
from kombu import Connection, Exchange, Queue

port, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
exchange = Exchange(f'{name}-exchange', type='topic', durable=True)
queue = Queue(name, exchange=exchange, routing_key='order.#', durable=True)
received = []


def on_message(body, message):
    received.append(body['n'])
    message.ack()


with Connection(f'amqp://guest:guest@127.0.0.1:{port}//', connect_timeout=60) as connection:
    with connection.Producer(serializer='json') as producer:
        for n in range(count):
            producer.publish({'n': n}, exchange=exchange, routing_key=f'order.{n}', declare=[queue], retry=True)

with Connection(f'amqp://guest:guest@127.0.0.1:{port}//', connect_timeout=60, heartbeat=10) as connection:
    with connection.Consumer(queue, callbacks=[on_message], prefetch_count=10):
        while len(received) < count:
            connection.drain_events(timeout=60)
    queue(connection.default_channel).delete()
    exchange(connection.default_channel).delete()
print(json.dumps(received))
