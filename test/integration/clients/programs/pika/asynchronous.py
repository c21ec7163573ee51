"""asynchronous.py PORT QUEUE COUNT: one asynchronous connection publishes on a channel and consumes on another."""
import sys
import pika
from session import PERSISTENT, parameters, report

port, queue, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
confirmed, received = set(), []


def on_open(connection):
    connection.channel(on_open_callback=on_consuming_channel)


def on_consuming_channel(channel):
    def on_message(channel, method, properties, body):
        received.append(body.decode())
        channel.basic_ack(method.delivery_tag)
        finish(channel.connection)

    def consume(_):
        channel.basic_qos(prefetch_count=20)
        channel.basic_consume(queue, on_message, callback=lambda _: channel.connection.channel(on_open_callback=publish))

    channel.queue_declare(queue, durable=True, callback=consume)


def publish(channel):
    def on_confirm(frame):
        tag = frame.method.delivery_tag
        assert isinstance(frame.method, pika.spec.Basic.Ack)
        confirmed.update(range(1, tag + 1) if frame.method.multiple else [tag])
        finish(channel.connection)

    channel.confirm_delivery(on_confirm)
    for n in range(count):
        channel.basic_publish('', queue, str(n).encode(), PERSISTENT)


def finish(connection):
    if len(confirmed) == count and len(received) == count and connection.is_open:
        connection.close()


connection = pika.SelectConnection(
    parameters(port), on_open_callback=on_open, on_close_callback=lambda connection, _: connection.ioloop.stop()
)
connection.ioloop.start()
report({'confirmed': len(confirmed), 'received': received})
