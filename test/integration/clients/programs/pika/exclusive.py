"""exclusive.py PORT QUEUE: an exclusive queue serves its owner, is closed to others, and goes when its owner goes."""
import sys
import pika
from session import connect, report

port, queue = sys.argv[1], sys.argv[2]


def code_of(attempt):
    try:
        attempt()
    except pika.exceptions.ChannelClosedByBroker as error:
        return error.reply_code


owner, other = connect(port), connect(port)
channel = owner.channel()
channel.queue_declare(queue, exclusive=True)
received = []
channel.basic_consume(queue, lambda c, m, p, body: received.append(body.decode()), auto_ack=True)
locked = [
    code_of(lambda: other.channel().queue_declare(queue, exclusive=True)),
    code_of(lambda: other.channel().queue_purge(queue)),
    code_of(lambda: other.channel().basic_get(queue)),
]
other.channel().basic_publish('', queue, b'from the other')
while not received:
    owner.process_data_events(time_limit=10)
owner.close()
gone = code_of(lambda: other.channel().queue_declare(queue, passive=True))
other.close()
report({'locked': locked, 'received': received, 'gone': gone})
