"""publish.py PORT QUEUE SESSIONS COUNT: connects, publishes with confirms and mandatory, and leaves, again and again."""
import sys
import pika
from session import PERSISTENT, connect, report

port, queue, sessions, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
unroutable = 0
for session in range(sessions):
    connection = connect(port)
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    for n in range(count):
        channel.basic_publish('', queue, f'{session}:{n}'.encode(), PERSISTENT, mandatory=True)
    try:
        channel.basic_publish('', 'nowhere', b'to nobody', PERSISTENT, mandatory=True)
    except pika.exceptions.UnroutableError as error:
        returned = error.messages[0]
        unroutable += (returned.method.reply_code, returned.body) == (312, b'to nobody')
    connection.close()
report(unroutable)
